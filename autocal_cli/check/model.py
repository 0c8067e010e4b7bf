"""Checked: one config as the checks see it, and what else was found out about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from autocal_cli.calibration.block import Field, block_schema, kept_by_hand, leaves, written_by_autocal
from autocal_cli.calibration.model import Presets
from autocal_cli.check.rule import RULES, nano, rule, training_set
from autocal_cli.config.files import ConfigFile
from autocal_cli.config.model import RECORD_KEY, KeyPath, SchedulingBlock, TrainingConfig, Value
from autocal_cli.config.trainers import TrainerLayout
from autocal_cli.config.yaml.document import ConfigDocument, lookup, read_value
from autocal_cli.errors import AutocalError, Finding, Place, Severity
from autocal_cli.network.model import NetworkFingerprint


@dataclass(frozen=True, eq=False)
class Checked:
    """A config, read as far as it can be read.

    `problems` are the parts that could not be; `network` is None where nothing was built, and `about_network` what came
    of trying.
    """

    file: ConfigFile
    config: TrainingConfig
    problems: tuple[Finding, ...]
    presets: Presets
    network: NetworkFingerprint | None = None
    about_network: tuple[Finding, ...] = ()

    @property
    def document(self) -> ConfigDocument:
        return self.file.document

    @property
    def layout(self) -> TrainerLayout:
        return self.file.layout

    @property
    def block(self) -> SchedulingBlock | None:
        return self.config.block

    @property
    def active(self) -> SchedulingBlock | None:
        """The block, unless it says `enabled: false`."""
        return None if self.block is None or self.block.values.get("enabled") is False else self.block

    @cached_property
    def schema(self) -> dict[KeyPath, Field]:
        return block_schema(self.presets)

    @cached_property
    def leaves(self) -> list[tuple[KeyPath, Value]]:
        """What stands in the block, without the record."""
        found = leaves(self.block.values) if self.block else ()
        return [(path, value) for path, value in found if path[0] != RECORD_KEY]

    @cached_property
    def values(self) -> dict[KeyPath, Value]:
        """The values of known keys that the scheduler accepts."""
        return {path: value for path, value in self.leaves if path in self.schema and self.schema[path].accepts(value)}

    @cached_property
    def by_hand(self) -> dict[KeyPath, Value]:
        """Those that are the user's own, and that no calibration has seen yet, by the record."""
        seen = {*written_by_autocal(self.block), *kept_by_hand(self.block)} if self.block else set()
        return {path: value for path, value in self.values.items() if path not in seen}

    def number(self, *path: str) -> int | float | None:
        """A number of the block that the scheduler accepts, or None."""
        return next(iter(numbers_in([self.values.get(path)])), None)

    def at(self, *path: str) -> Place:
        """Where the value of a key of the block stands, or the block itself."""
        assert self.block is not None
        return self.block.place_of(path)

    def option(self, *path: str) -> Value:
        """The value of a key of the document (of all of it, without a path) as the trainer reads it, or None."""
        pair = lookup(self.document, path) if path else None
        node = pair.value if pair else self.document.root if not path else None
        try:
            return read_value(self.document, node) if node else None
        except AutocalError:  # a tag that does not fit its text; told where the config is read
            return None

    def amount(self, *path: str) -> int | float | None:
        """A number of the document, or None."""
        return next(iter(numbers_in([self.option(*path)])), None)

    def table(self, *path: str) -> dict[str, Value]:
        """A mapping of the document; empty where there is none."""
        value = self.option(*path)
        return value if isinstance(value, dict) else {}

    def key_at(self, path: KeyPath) -> Place | None:
        """Where a key of the document stands."""
        pair = lookup(self.document, path)
        return self.document.place(pair.key.start) if pair else None

    def value_at(self, path: KeyPath) -> Place | None:
        """Where the value of a key of the document stands; where it is left out, the key."""
        pair = lookup(self.document, path)
        if pair is None:
            return None
        return self.document.place(pair.value.start if pair.value.end > pair.value.start else pair.key.start)

    def finding(
        self, code: str, message: str, fix: str | None, at: KeyPath | Place | None, severity: Severity | None = None
    ) -> Finding:
        """What a rule has to say, with its usual severity; `at` is a place, or the path of the value in question."""
        place = self.value_at(at) if isinstance(at, tuple) else at
        return Finding(code, severity or RULES[code].severity, message, fix, place)


def numbers_in(value: Value) -> list[int | float]:
    """The numbers of a list; of a single number, that."""
    items = value if isinstance(value, list) else [value]
    return [one for one in items if isinstance(one, int | float) and not isinstance(one, bool)]


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """One config: its findings, or the `error` for which it could not be read.

    `path` is None for standard input; `checked` is what the checks saw. A `sidecar` holds the block of another config.
    """

    name: str
    path: Path | None
    findings: tuple[Finding, ...] = ()
    error: AutocalError | None = None
    checked: Checked | None = None
    sidecar: bool = False


# What says how autocal is installed, and nothing of the config: one line for all files (`CheckRun.unbuilt`).
OF_INSTALLATION = frozenset({"network-unknown", "network-macs-unknown", "network-nearest", "discriminator-unknown"})
# What is usual and harmless.
VERBOSE = frozenset({"losses-off", "option-ignored", "network-macs-side", "network-takes-clips"})


@dataclass(frozen=True, slots=True)
class CheckRun:
    """`passed_over` counts the files of folders that are no training configs."""

    files: tuple[CheckedFile, ...]
    passed_over: int

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(finding for file in self.files for finding in file.findings)

    def told(self, verbose: bool) -> CheckRun:
        """As people are told: without the notices that only `--verbose` brings, and those about the installation."""
        left_out = OF_INSTALLATION if verbose else OF_INSTALLATION | VERBOSE

        def told(file: CheckedFile) -> CheckedFile:
            kept = (one for one in file.findings if one.severity != "info" or one.code not in left_out)
            return replace(file, findings=tuple(kept))

        return replace(self, files=tuple(map(told, self.files)))

    @property
    def unbuilt(self) -> tuple[str, ...]:
        """The types of networks that nothing here could build or measure, sorted."""
        named = set()
        for file in self.files:
            if file.checked is not None:
                config, codes = file.checked.config, {one.code for one in file.findings} & OF_INSTALLATION
                about = [config.discriminator if code.startswith("discriminator") else config.network for code in codes]
                named |= {network.type for network in about if network}
        return tuple(sorted(named))

    @property
    def exit_code(self) -> int:
        """2 where a file could not be read, 1 where something is wrong, 0 where nothing is."""
        if any(file.error for file in self.files):
            return 2
        return 1 if any(finding.severity != "info" for finding in self.findings) else 0


_FIXES = {"losses-malformed": "Give it a `type`, or remove it.", "count-invalid": "Write such a number."}


@rule(
    "block/block-malformed [error]: The block is no mapping",
    why="A list or a single value in the place of the block says nothing that a scheduler could read.",
    source="the block's schema",
    bad=nano() + "  ^dynamic_loss_scheduling: true\n",
    good=nano("enabled: true", "auto_calibrate: true"),
)
@rule(
    "losses/losses-malformed [error]: A loss that cannot be read",
    why="The trainer wants a list of mappings, each with a `type`.",
    source="traiNNer-redux, sr_model.py: `all losses must define type`",
    bad=nano(losses={"^none": 1.0, "l1loss": 1.0}).replace("type: none, ", ""),
    good=nano(),
)
@rule(
    "network/network-malformed [error]: network_g cannot be read",
    why="The trainer wants a mapping with a `type` that names a registered network.",
    source="traiNNer-redux, redux_options.py: `network_g: dict`",
    bad=nano(top="network_g: ^paragonsr2_nano"),
    good=nano(),
)
@rule(
    "dataset/datasets-malformed [error]: The datasets cannot be read",
    why="A value there has a tag that it does not fit.",
    source="YAML",
    bad=training_set("lq_size: ^!!int many\nbatch_size_per_gpu: 8"),
    good=training_set("lq_size: 16\nbatch_size_per_gpu: 8"),
)
@rule(
    "run/count-invalid [error]: A count that is no whole number of at least 1",
    why="Iterations, images and the scale are counted; the trainer ends on anything else.",
    source="traiNNer-redux, redux_options.py: `total_iter: int`",
    bad=nano(total_iter="^forty thousand"),
    good=nano(),
)
def read_checked(file: ConfigFile, presets: Presets) -> Checked:
    """Reads a config, each part by itself, so that one mistake hides no other.

    Raises AutocalError where it is no training config at all.
    """
    config, problems = file.reading
    found = (
        Finding(p.code, "error", p.error.message, p.error.fix or _FIXES.get(p.code), p.error.place) for p in problems
    )
    return Checked(file, config, tuple(dict.fromkeys(found)), presets)
