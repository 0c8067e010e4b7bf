"""Calibration: every chosen value with the steps that led to it. Also the records of the data it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from autocal_cli.config.model import KeyPath, Value
from autocal_cli.dataset.model import METRIC_NAMES, DatasetFingerprint, TrainingCrops
from autocal_cli.errors import Finding
from autocal_cli.network.model import NetworkFingerprint

Number = int | float

PRESET_PARAMETERS = (
    "momentum",
    "adaptation_rate",
    "adaptation_threshold",
    "min_weight",
    "max_weight",
    "baseline_iterations",
)
PARAMETERS = (*PRESET_PARAMETERS, "fidelity_budget")  # the budget goes by scale, the others by network
WHOLE_NUMBERS = frozenset({"baseline_iterations"})

DIGEST = 12  # letters of a digest of a text or of a dataset


def as_letters(digits: str) -> str:
    """Hexadecimal digits as letters alone, which no reader takes for a number."""
    return digits.translate(str.maketrans("0123456789", "ghijklmnop"))


Match = Literal["exact", "interpolated", "clamped", "fallback"]


@dataclass(frozen=True, slots=True)
class Preset:
    """The parameters for one variant of a family, tuned for `reference_iterations` steps.

    `values` by parameter name; `parameters` counts the variant's parameters by scale, `macs_per_pixel` its
    multiply-accumulates per input pixel.
    """

    family: str
    variant: str
    use: str
    values: Mapping[str, Number]
    parameters: Mapping[int, int]
    macs_per_pixel: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class Rule:
    """How one signal changes one parameter: see presets/rules.toml for the forms and their numbers.

    `reader` autocal: not where the trainer's own scheduler reads the block.
    """

    code: str
    signal: str
    parameter: str
    form: Literal["exponential", "power", "switch", "least"]
    direction: Literal["up", "down"]
    numbers: Mapping[str, float]
    reason: str
    source: str
    reader: str = ""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a calibrated value may be; `share_of_run` caps it at this share of total_iter."""

    low: float
    high: float
    share_of_run: float | None = None


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of the run up to the share `until` of total_iter; adaptation_rate times `rate`."""

    name: str
    until: float
    rate: float


@dataclass(frozen=True, slots=True)
class Presets:
    """Everything that stands in `presets/` for calibration. `version` changes whenever a number changes.

    `sources` says where a number comes from, by what it is: a parameter of the presets, `fallback`, `phases.early`,
    `stability.spike_z`, `budgets.x2`. A rule carries its own.
    """

    version: str
    presets: tuple[Preset, ...]
    fallback: str
    sources: Mapping[str, str]
    rules: tuple[Rule, ...]
    bounds: Mapping[str, Bound]
    bounds_source: str
    phases: tuple[Phase, ...]
    stability: Mapping[str, Number]
    budgets: Mapping[int | None, float]  # dB by scale; None: where it is unknown


@dataclass(frozen=True, slots=True)
class DatasetScores:
    """What calibration takes of a DatasetFingerprint, to four digits, so that a record gives the same trail again.

    Images `found`, `read` and `failed`; `scores` by metric and `overall_complexity`, 0..1, with its 95% interval.
    """

    found: int
    read: int
    failed: int
    scores: Mapping[str, float]
    overall_complexity: float
    overall_ci95: tuple[float, float]
    identity: str
    metric_version: int
    crops: TrainingCrops | None = None

    @classmethod
    def of(cls, dataset: DatasetFingerprint) -> DatasetScores:
        low, high = dataset.overall_ci95
        return cls(
            found=dataset.found,
            read=dataset.read,
            failed=len(dataset.failures),
            scores={name: round(dataset.metrics[name].score, 4) for name in METRIC_NAMES},
            overall_complexity=round(dataset.overall_complexity, 4),
            overall_ci95=(round(low, 4), round(high, 4)),
            identity=as_letters(dataset.identity[:DIGEST]),
            metric_version=dataset.metric_version,
            crops=dataset.crops,
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One step on a value's trail.

    `margin` is how far `after` moves within the signal's 95% interval, if it has one. `short` is the step in a word or
    two, for the comment behind the value.
    """

    code: str
    source: str
    before: Number | None
    after: Number
    reason: str
    margin: float | None = None
    short: str = ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A chosen value and its trail, oldest step first; the last step's `after` is the value."""

    value: Number
    trail: tuple[Step, ...]

    @property
    def manual(self) -> bool:
        return self.trail[-1].code == "manual"


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a network stands among the presets. `variant` is the preset it is or is nearest to (by log parameters).

    `axis` names the presets, smallest first; `position` is the network's place on it by parameters (0 the first preset,
    1 the second, ...), `macs_span` where it stands by MACs. Both are None where nothing was measured.
    """

    variant: str
    match: Match
    reason: str
    axis: tuple[str, ...] = ()
    position: float | None = None
    macs_span: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """The result.

    `dataset_info` holds the scores used, measured or by hand; `manual` the keys that are the user's own.
    """

    network: NetworkFingerprint
    placement: Placement
    dataset: DatasetScores | None
    dataset_info: Mapping[str, float]
    parameters: Mapping[str, Parameter]
    phases: tuple[Phase, ...]
    stability: Mapping[str, Number]
    total_iter: int | None
    manual: Mapping[KeyPath, Value]
    presets_version: str
    findings: tuple[Finding, ...]
