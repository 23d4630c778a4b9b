"""The contracts that plug-ins import. Standard library only."""

from suite.api.architecture import (
    GENERATED_TOKENS,
    PROBE_VOCABULARY_SIZE,
    Architecture,
    BuildRequest,
    ModelSize,
    build_request,
    declared_state_bytes,
    supports,
    uses_xla,
)
from suite.api.cell import PROTOCOL, AppliedMethod, Cell, Stage
from suite.api.data import (
    MASKS,
    ExamplePrediction,
    Examples,
    Metric,
    Score,
    Source,
    SourceRequest,
    TaskData,
    count_positions,
    count_real,
    real_lengths,
)
from suite.api.enums import (
    Form,
    Inputs,
    Mode,
    Part,
    Status,
    Track,
)
from suite.api.errors import (
    DataError,
    DataNotPrepared,
    HomeError,
    LengthwiseError,
    PluginError,
    RequestError,
    TrackingError,
    Unsupported,
    check_name,
    unknown_name,
)
from suite.api.files import atomic_write_bytes, digest_paths
from suite.api.job import Job, Limits
from suite.api.method import (
    PERTURBATION,
    TRAINED,
    Method,
    MethodContext,
    MethodRequest,
    changes_model_alone,
    has_own_weights,
    method_options,
    methods_text,
    overrides,
    training_methods,
)
from suite.api.options import (
    ACCELERATOR_PRECISIONS,
    BACKENDS,
    COMPILE_MODES,
    DATA_OPTIONS,
    MIN_TRAIN_SHARE,
    OPEN_RECIPE_OPTIONS,
    PRECISIONS,
    RUN_OPTIONS,
    VALIDATION_OPTIONS,
    Options,
    Recipe,
    dtype_policy,
)
from suite.api.raw_text import ChangeWords, RawText
from suite.api.task import (
    IDENTITY,
    SPELLING,
    Generation,
    Task,
    task_options,
    track_of,
)
from suite.api.text_files import SURROGATE, TABLE_SUFFIXES, read_rows, read_text
