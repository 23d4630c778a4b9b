"""The base class of tasks that classify whole examples: head, loss and score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from suite.api import DataError, ExamplePrediction, Examples, Form, Metric, Score, Task

NUM_SHOWN = 200
"""The number of test texts that a task keeps in `spec["shown"]`."""
MAX_CONFUSION_CLASSES = 50
"""The largest number of classes for which a confusion matrix is reported."""


def add_global_mask(features: Mapping[str, Any]) -> dict[str, Any]:
    """Return the features with a `global_mask` that is True at the first position only.

    This is the global attention of a classifier in Beltagy et al. 2020, "Longformer", section 3.1,
    and that of LED's source in section 7.
    """
    import numpy as np

    mask = np.zeros(features["padding_mask"].shape, bool)
    mask[:, 0] = True
    return {**features, "global_mask": mask}


def check_positive_class(name: str, classes: Sequence[str]) -> None:
    """Check that the option `positive_class` is "" or one of two classes.

    Raises:
        DataError: the data has no such class, or more than two classes.
    """
    if name and (len(classes) != 2 or name not in classes):
        raise DataError(
            "The option 'positive_class' must be one of the two classes of the data",
            received=f"{name!r}; the classes are {', '.join(classes[:20])}",
        )


class Classification(Task):
    """A task with one class per example.

    `targets["labels"]` (examples,) holds indices into `spec["classes"]`. The first position is
    global (`add_global_mask`). The dropout before the
    head is BERT's (Devlin et al. 2019).
    """

    form = Form.ENCODER
    scored_unit = "examples"
    primary_metric = Metric("accuracy", share=True)
    max_global_tokens = 1
    label_smoothing = 0.0
    head_dropout = 0.1

    def build_head(self, spec: Mapping[str, Any]) -> Any:
        """Build a head that scores the classes from the mean over positions."""
        from tasks.common.heads import ExampleHead

        return ExampleHead(len(spec["classes"]), self.head_dropout)

    def loss(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Return the mean cross-entropy with label smoothing."""
        from keras import ops

        from tasks.common.losses import smoothed_cross_entropy

        return ops.mean(smoothed_cross_entropy(targets["labels"], outputs, self.label_smoothing))

    def predict(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Return the class probabilities."""
        from keras import ops

        return ops.softmax(outputs, axis=-1)

    def readable(
        self, texts: Sequence[str], examples: Examples, predictions: Any, spec: Mapping[str, Any]
    ) -> list[Any]:
        """Return the most likely class of each text, and the probabilities of all classes."""
        classes = [str(name) for name in spec["classes"]]
        return [
            {
                "label": classes[int(row.argmax())],
                "probabilities": dict(zip(classes, map(float, row), strict=True)),
            }
            for row in predictions
        ]

    def score(self, examples: Examples, predictions: Any, spec: Mapping[str, Any]) -> Score:
        """Score with scikit-learn.

        The metrics are accuracy and macro F1, for two classes also F1 and ROC-AUC, and for more
        than five classes top-5 accuracy. The report `positive_class` names the class of F1:
        `spec["positive_class"]`, or the second one.
        """
        import numpy as np
        from sklearn import metrics

        labels = np.asarray(examples.targets["labels"])
        predicted = predictions.argmax(axis=-1)
        class_ids = list(range(len(spec["classes"])))
        scores: dict[str, float | None] = {
            "accuracy": float(metrics.accuracy_score(labels, predicted)),
            "f1_macro": float(
                metrics.f1_score(labels, predicted, average="macro", zero_division=0)
            ),
        }
        reports: dict[str, Any] = {"classes": list(spec["classes"])}
        if len(class_ids) == 2:
            has_both_classes = len(np.unique(labels)) == 2
            reports["positive_class"] = spec.get("positive_class") or spec["classes"][1]
            positive = spec["classes"].index(reports["positive_class"])
            scores["f1"] = float(
                metrics.f1_score(labels, predicted, pos_label=positive, zero_division=0)
            )
            scores["roc_auc"] = (
                float(metrics.roc_auc_score(labels, predictions[:, 1]))
                if has_both_classes
                else None
            )
        elif len(class_ids) > 5:
            scores["top_5_accuracy"] = float(
                metrics.top_k_accuracy_score(labels, predictions, k=5, labels=class_ids)
            )
        if len(class_ids) <= MAX_CONFUSION_CLASSES:
            matrix = metrics.confusion_matrix(labels, predicted, labels=class_ids)
            reports["confusion"] = matrix.tolist()
        return Score(scores, reports)

    def predict_trivial(self, train: Examples, examples: Examples, spec: Mapping[str, Any]) -> Any:
        """Return probability 1 for the most frequent class of `train`."""
        import numpy as np

        num_classes = len(spec["classes"])
        counts = np.bincount(np.asarray(train.targets["labels"]), minlength=num_classes)
        probabilities = np.zeros((examples.num_examples, num_classes), np.float32)
        probabilities[:, counts.argmax()] = 1.0
        return probabilities

    def show(
        self, examples: Examples, predictions: Any, spec: Mapping[str, Any]
    ) -> list[ExamplePrediction]:
        """Return the predictions of the texts in `spec["shown"]`."""
        classes, texts = spec["classes"], spec.get("shown", ())
        labels = examples.targets["labels"].tolist()
        answers = predictions[: len(texts)].argmax(axis=-1).tolist()
        return [
            ExamplePrediction(text, str(classes[label]), str(classes[answer]), label == answer)
            for text, label, answer in zip(texts, labels, answers, strict=False)
        ]
