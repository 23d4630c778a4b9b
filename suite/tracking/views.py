"""The saved views of an experiment in the MLflow UI: charts against length, and a table of cells.

The MLflow UI opens the view whose key an address has in `viewStateShareKey=`. It keeps a view in a
tag of the experiment. MLflow documents no format: these are the fields that version 3 reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from suite.records.measures import COSTS
from suite.records.schema import Record
from suite.tracking.experiments import KIND

TAG = "mlflow.sharedViewState."
"""The beginning of the tag that holds a view. Its key follows."""
CELLS = "lengthwise"
LENGTHS = "lengthwise-lengths"
IDENTITY = ("architecture", "sequence_length", "seed", "benchmark")
"""The parameters that the table of cells shows first."""
SETTINGS = ("source", "model_size", "batch_size", "steps")
STATES = ("lengthwise.status", "lengthwise.noisy")
MAX_LINES = 200
"""The most runs that a chart draws. The UI draws the first ten runs otherwise."""
SECTION = "against-length"
SPLITS = ("test", "validation")
SCORE = re.compile(rf"\b(?:{'|'.join(SPLITS)})\.(\w+)")
"""A score in the text of a view, such as "test.accuracy"."""


def charts_view(record: Record, former: str) -> str:
    """Return the view of charts: scores and costs of each entry against sequence length."""
    charts = [_chart(name) for name in (*_scores(record, former), *COSTS)]
    view = {
        **_runs_of_kind("lengths"),
        "selectedColumns": ["tags.`lengthwise.architecture`", "params.`source`"],
        "runListHidden": True,
        "runsHiddenMode": "SHOW_ALL",
        "compareRunSections": [
            {
                "uuid": SECTION,
                "name": "Against sequence length",
                "display": True,
                "isReordered": False,
            }
        ],
        "compareRunCharts": charts,
    }
    return json.dumps(view)


def cells_view(record: Record, former: str) -> str:
    """Return the view of a table: the cells with their scores and costs."""
    columns = [f"params.`{name}`" for name in IDENTITY]
    columns += [f"metrics.`{name}`" for name in (*_scores(record, former), *COSTS)]
    columns += [f"params.`{name}`" for name in SETTINGS]
    columns += [f"tags.`{name}`" for name in STATES]
    return json.dumps({**_runs_of_kind("cell"), "selectedColumns": columns})


VIEWS: Mapping[str, Callable[[Record, str], str]] = {LENGTHS: charts_view, CELLS: cells_view}
"""Key → view of an experiment, made from a successful record and the former view.

Columns and charts are those of the scores of the record, behind those of the former view. Records
of one task may have different scores.
"""


def page_of(experiment_id: str, key: str) -> str:
    """Return the page of a view in the MLflow UI."""
    page = (
        f"#/experiments/{experiment_id}/runs?viewStateShareKey={key}&workflowType=machine_learning"
    )
    return f"{page}&compareRunsMode=CHART" if key == LENGTHS else page


def _scores(record: Record, former: str) -> list[str]:
    """Return the metrics of a former view, the task's, and those that have learning curves.

    They are on both splits: an experiment has runs that are scored on test, and trials that are
    scored on validation alone.
    """
    known = dict.fromkeys(SCORE.findall(former))
    curves = (name.removeprefix("validation_") for name in record.curves)
    scores = {name for split in SPLITS for name in record.metrics.get(split, {})}
    own = [name for name in (record.ranking.metric, *curves) if name in scores]
    names = dict.fromkeys([*known, *own])
    return [f"{split}.{name}" for split in SPLITS for name in names]


def _runs_of_kind(kind: str) -> dict[str, Any]:
    """Return the search of a view.

    Names sort by architecture, length and seed. Sorted by time, the UI would fold the cells into
    their invocation.
    """
    return {
        "searchFilter": f"tags.`{KIND}` = '{kind}'",
        "orderByKey": "tags.`mlflow.runName`",
        "orderByAsc": True,
    }


def _chart(metric: str) -> dict[str, Any]:
    """Return a line chart of a metric; the step of a length run is the sequence length."""
    return {
        "uuid": metric,
        "type": "LINE",
        "metricKey": metric,
        "selectedMetricKeys": [metric],
        "metricSectionId": SECTION,
        "runsCountToCompare": MAX_LINES,
        "xAxisKey": "step",
        "selectedXAxisMetricKey": "",
        "xAxisScaleType": "log",
        "scaleType": "linear",
        "lineSmoothness": 0,
        "displayPoints": True,
        "useGlobalLineSmoothing": False,
        "useGlobalXaxisKey": False,
        "range": {},
        "deleted": False,
        "isGenerated": False,
    }
