"""What a run logged, and what is said of it: frozen records, standard library only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from autocal_cli.errors import Severity

Source = Literal["text logs", "TensorBoard event files"]
Health = Literal["healthy", "discriminator-dominates", "discriminator-blind", "collapsed", "unknown", "no-gan"]
Ending = Literal["finished", "stopped", "crashed", "unsaid"]
EventKind = Literal["non-finite", "error", "scheduler"]

FIDELITY = ("psnr", "ssim", "ms_ssim", "msssim", "mssim")  # metrics of likeness
TELLING = 2.0  # standard errors of a difference: about 95%
SHARE_FLAT = 0.2  # of the validations after which a standstill is named; chosen, untested
TOTAL_LABEL = "l_g_total"  # traiNNer-redux and neosr log the generator's sum under this label, BasicSR logs none


@dataclass(frozen=True, slots=True)
class Track:
    """One number as it was logged: iterations rising, values beside them, losses with their weights in them.

    What stands in the head of a line has the labels `lr`, and in seconds `time` of a step and its `data_time`.
    """

    label: str
    iterations: Sequence[int]
    values: Sequence[float]

    def __len__(self) -> int:
        return len(self.iterations)


@dataclass(frozen=True, slots=True)
class Validation:
    """The metrics of one validation on one data set; its iteration is a lower bound where the log does not tell it."""

    iteration: int
    dataset: str
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Session:
    """One start of the trainer: taken up from iteration `start`, logged from `first` to `last` (None: nothing).

    `began` and `ended` are the times of its first and last line, `2026-11-27 04:08:49`, where lines bear them.
    """

    start: int
    first: int | None
    last: int | None
    ending: Ending
    began: str | None = None
    ended: str | None = None


@dataclass(frozen=True, slots=True)
class LogEvent:
    """Something that the log says in words, after the iteration given."""

    kind: EventKind
    iteration: int
    loss: str
    cause: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A file of the generator's weights, of an iteration. What follows is judged.

    `metrics`: of the validation at its iteration, means of neighbours. `pareto`: no other is better in one of them and
    as good in all. `tied`: cannot be told from the one to keep.
    """

    iteration: int
    path: str | None = None
    exists: bool = True
    metrics: Mapping[str, float] = field(default_factory=dict)
    pareto: bool = False
    tied: bool = False


@dataclass(frozen=True, slots=True)
class ImageMean:
    """Mean red, green and blue, 0..255, of a validation image that the trainer saved at an iteration."""

    iteration: int
    name: str
    rgb: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class RunLog:
    """The log of one run, joined over its sessions.

    `files` in the order in which they were written; `truncated` names those whose end is cut or damaged; `superseded`
    counts the logged points that were trained again from a checkpoint before them, and left out.
    `facts` are options as the trainer printed them (`total_iter`, `gan_type`, `weight:ganloss`, `rate:optim_d`, ...),
    with `name` and `trainer`, and its counts: `images`, and `batch`, `accumulated`, `devices` of a step.
    `silent_for`: seconds since a file of the log was last written to, None where nobody looked.
    """

    source: Source
    files: tuple[str, ...]
    tracks: Mapping[str, Track]
    validations: tuple[Validation, ...] = ()
    sessions: tuple[Session, ...] = ()
    events: tuple[LogEvent, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    checkpoints: tuple[Checkpoint, ...] = ()
    images: tuple[ImageMean, ...] = ()
    truncated: tuple[str, ...] = ()
    superseded: int = 0
    rows: int = 0
    silent_for: float | None = None

    @property
    def first(self) -> int:
        return min((track.iterations[0] for track in self.tracks.values() if len(track)), default=0)

    @property
    def last(self) -> int:
        ends = [track.iterations[-1] for track in self.tracks.values() if len(track)]
        saved = max((one.iteration for one in self.checkpoints), default=0)  # where nothing was logged before
        return max([*ends, *(one.iteration for one in self.validations)], default=saved)

    @property
    def total_iter(self) -> int | None:
        """How long the run was meant to be, where the log says so."""
        return whole_number(self.facts.get("total_iter", ""))

    @property
    def trained_on(self) -> tuple[int, int] | None:
        """How many images the training set has, and how often each was taken; None where the log does not say."""
        names = ("images", "batch", "accumulated", "devices")
        count, *taken = (whole_number(self.facts.get(name, "1")) or 1 for name in names)
        return (count, self.last * math.prod(taken) // count) if "images" in self.facts else None

    @property
    def interval(self) -> int:
        """Iterations from one logged point to the next, as `print_freq` had it."""
        return max(1, round((self.last - self.first) / max(self.rows - 1, 1)))

    @property
    def adversarial(self) -> bool:
        """Whether a discriminator or an adversarial loss was logged."""
        logged = any(label.startswith("l_d_") or label == "l_g_gan" for label in self.tracks)
        return logged or (not self.rows and "gan_type" in self.facts)


def number_of(text: str) -> float | None:
    """A number as configs and logs write it: `5e3`, `1_000`, `1,000`; None for anything else."""
    try:
        return float(text.replace("_", "").replace(",", ""))
    except ValueError:
        return None


def whole_number(text: str) -> int | None:
    """The same, without its fraction; None for what is no number of steps."""
    number = number_of(text)
    return int(number) if number is not None and abs(number) < 1e18 else None


@dataclass(frozen=True, slots=True)
class RunFinding:
    """What was found in a run: since which iteration (None: the whole run), which loss, what it rests on, what next."""

    code: str
    severity: Severity
    iteration: int | None
    loss: str | None
    evidence: str
    next: str


@dataclass(frozen=True, slots=True)
class MetricSeries:
    """A validation metric over the run: iterations, values as logged, means of three; `sign` -1 where lower is better.

    `noise`: the standard deviation of one value about its trend; None: too few validations to tell.
    """

    dataset: str
    metric: str
    sign: float
    noise: float | None
    iterations: tuple[int, ...]
    values: tuple[float, ...]
    means: tuple[float, ...]

    @property
    def name(self) -> str:
        return f"{self.dataset}/{self.metric}"

    def shown(self, value: float) -> str:
        """A value to the first decimal of its noise, beyond which none means anything; four digits without."""
        if not self.noise or not math.isfinite(value):
            return f"{value:.4g}"
        return f"{value:.{min(max(-math.floor(math.log10(self.noise)), 0), 9)}f}"

    @property
    def fidelity(self) -> bool:
        return self.metric.lower().startswith(FIDELITY)

    @property
    def step(self) -> float:
        """The least difference between two means of three that the noise does not explain."""
        return TELLING * (self.noise or 0.0) * math.sqrt(2.0 / 3.0)

    @property
    def best(self) -> int:
        """Index of the best mean."""
        return max(range(len(self.means)), key=lambda i: self.sign * self.means[i])

    def flat_since(self) -> int | None:
        """The first validation that is as good as the best, noise aside; None where too few came after it."""
        if self.noise is None:
            return None
        best = self.sign * self.means[self.best]
        first = next(i for i, mean in enumerate(self.means) if self.sign * mean >= best - self.step)
        return self.iterations[first] if len(self.means) - first > SHARE_FLAT * len(self.means) + 2 else None

    def worse_since(self, least: float) -> int | None:
        """The best validation, where the end is worse by more than `least` and four standard errors."""
        if self.noise is None or len(self.means) - self.best < 4:
            return None
        lost = self.sign * (self.means[self.best] - self.means[-1])
        return self.iterations[self.best] if lost > max(2.0 * self.step, least) else None


@dataclass(frozen=True, slots=True)
class Choice:
    """The checkpoint to keep, and why."""

    checkpoint: Checkpoint
    reason: str


@dataclass(frozen=True, slots=True)
class VerdictLine:
    """One of the ten lines: its topic, how grave it is, and what is said."""

    topic: str
    severity: Severity
    text: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All that is said of a run. `findings` in the order in which things went wrong, the gravest kind of each first."""

    log: RunLog
    health: Health
    findings: tuple[RunFinding, ...]
    metrics: tuple[MetricSeries, ...]
    checkpoints: tuple[Checkpoint, ...]
    keep: Choice | None
    lines: tuple[VerdictLine, ...]
    unknown: tuple[str, ...] = ()  # what the logs cannot tell
