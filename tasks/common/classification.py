"""What tasks that sort whole examples into classes share: head, loss, score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from suite.api import ExamplePrediction, Examples, Form, Metric, Score, Task

NUM_SHOWN = 200
"""So many texts of test are kept to be shown."""
MAX_CONFUSED_CLASSES = 50
"""A confusion matrix larger than this is for no eye."""


def with_first_global(features: Mapping[str, Any]) -> dict[str, Any]:
    """Add the global mask of a classifier: the first position alone (Beltagy et al. 2020)."""
    import numpy as np

    mask = np.zeros(features["padding_mask"].shape, bool)
    mask[:, 0] = True
    return {**features, "global_mask": mask}


class Classification(Task):
    """One class for an example; `targets["labels"]` (examples,) and `spec["classes"]` name it."""

    form = Form.ENCODER
    primary_metric = Metric("accuracy")
    label_smoothing = 0.0
    head_dropout = 0.1

    def build_head(self, spec: Mapping[str, Any]) -> Any:
        """Score the classes by the mean over positions."""
        from tasks.common.heads import ExampleHead

        return ExampleHead(len(spec["classes"]), self.head_dropout)

    def loss(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Average the cross-entropy, labels smoothed."""
        from keras import ops

        from tasks.common.losses import smoothed_cross_entropy

        return ops.mean(smoothed_cross_entropy(targets["labels"], outputs, self.label_smoothing))

    def predict(self, outputs: Any, targets: Mapping[str, Any], features: Mapping[str, Any]) -> Any:
        """Give the classes' probabilities."""
        from keras import ops

        return ops.softmax(outputs, axis=-1)

    def score(self, examples: Examples, predictions: Any, spec: Mapping[str, Any]) -> Score:
        """Score by scikit-learn: accuracy, macro F1; ROC-AUC of two classes, top-5 of many."""
        import numpy as np
        from sklearn import metrics

        labels = np.asarray(examples.targets["labels"])
        chosen = predictions.argmax(axis=-1)
        numbers = range(len(spec["classes"]))
        found: dict[str, float | None] = {
            "accuracy": float(metrics.accuracy_score(labels, chosen)),
            "f1_macro": float(metrics.f1_score(labels, chosen, average="macro", zero_division=0)),
        }
        if len(spec["classes"]) == 2:
            both = len(np.unique(labels)) == 2
            found["f1"] = float(metrics.f1_score(labels, chosen, zero_division=0))
            found["roc_auc"] = (
                float(metrics.roc_auc_score(labels, predictions[:, 1])) if both else None
            )
        elif len(spec["classes"]) > 5:
            found["top_5_accuracy"] = float(
                metrics.top_k_accuracy_score(labels, predictions, k=5, labels=list(numbers))
            )
        reports: dict[str, Any] = {"classes": list(spec["classes"])}
        if len(spec["classes"]) <= MAX_CONFUSED_CLASSES:
            matrix = metrics.confusion_matrix(labels, chosen, labels=list(numbers))
            reports["confusion"] = matrix.tolist()
        return Score(found, reports)

    def show(
        self, examples: Examples, predictions: Any, spec: Mapping[str, Any]
    ) -> list[ExamplePrediction]:
        """Show the texts that `spec["shown"]` keeps, from the first on."""
        classes = spec["classes"]
        answers = predictions[: len(spec.get("shown", ()))].argmax(axis=-1).tolist()
        return [
            ExamplePrediction(text, str(classes[label]), str(classes[answer]), label == answer)
            for text, label, answer in zip(
                spec.get("shown", ()), examples.targets["labels"].tolist(), answers, strict=False
            )
        ]
