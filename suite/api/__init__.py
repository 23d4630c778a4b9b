"""The contracts that plug-ins import. Standard library only."""

from suite.api.architecture import (
    PROBE_VOCABULARY_SIZE,
    Architecture,
    BuildRequest,
    ModelSize,
    build_request,
    supports,
    uses_xla,
)
from suite.api.cell import (
    PROTOCOL,
    Cell,
)
from suite.api.data import (
    MASKS,
    Examples,
    Source,
    SourceRequest,
    TaskData,
    count_positions,
    count_real,
)
from suite.api.enums import (
    Form,
    Inputs,
    Mode,
    Status,
)
from suite.api.errors import (
    DataError,
    HomeError,
    LengthwiseError,
    PluginError,
    RequestError,
    TrackingError,
    Unsupported,
    unknown_name,
)
from suite.api.files import atomic_write_bytes, digest_paths
from suite.api.job import Job, Limits
from suite.api.options import (
    BACKENDS,
    COMPILE_MODES,
    PRECISIONS,
    RUN_OPTIONS,
    Options,
)
from suite.api.task import (
    ExamplePrediction,
    Generation,
    Metric,
    PresetOverride,
    Recipe,
    Score,
    Task,
    task_options,
)

__all__ = [
    "BACKENDS",
    "COMPILE_MODES",
    "MASKS",
    "PRECISIONS",
    "PROBE_VOCABULARY_SIZE",
    "PROTOCOL",
    "RUN_OPTIONS",
    "Architecture",
    "BuildRequest",
    "Cell",
    "DataError",
    "ExamplePrediction",
    "Examples",
    "Form",
    "Generation",
    "HomeError",
    "Inputs",
    "Job",
    "LengthwiseError",
    "Limits",
    "Metric",
    "Mode",
    "ModelSize",
    "Options",
    "PluginError",
    "PresetOverride",
    "Recipe",
    "RequestError",
    "Score",
    "Source",
    "SourceRequest",
    "Status",
    "Task",
    "TaskData",
    "TrackingError",
    "Unsupported",
    "atomic_write_bytes",
    "build_request",
    "count_positions",
    "count_real",
    "digest_paths",
    "supports",
    "task_options",
    "unknown_name",
    "uses_xla",
]
