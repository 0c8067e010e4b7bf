"""Which runs the efficacy benchmark makes, and the file that keeps their outcomes, so that it goes on where it was."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TypeVar

from efficacy_losses import LOSS_SETS
from efficacy_methods import METHODS
from efficacy_run import Outcome, Setting

Record = TypeVar("Record", Setting, Outcome)


@dataclass(frozen=True)
class Plan:
    """The cross product of its tuples, and how long and how large each run is."""

    losses: tuple[str, ...] = tuple(LOSS_SETS)
    variants: tuple[str, ...] = ("nano",)
    scales: tuple[int, ...] = (2,)
    methods: tuple[str, ...] = tuple(METHODS)
    factors: tuple[float, ...] = (0.01, 1.0, 100.0)
    seeds: int = 2
    steps: int = 400
    low_side: int = 16
    batch: int = 8
    held_out: int = 10

    def settings(self) -> list[Setting]:
        """Seeds outermost, then factors: what is there after half of the time is whole in itself."""
        grid = itertools.product(range(self.seeds), self.factors, self.losses, self.variants, self.scales, self.methods)
        return [
            Setting(losses, variant, scale, method, factor, seed, self.steps, self.low_side, self.batch)
            for seed, factor, losses, variant, scale, method in grid
        ]


SMALL = Plan()
FULL = Plan(
    variants=("nano", "micro", "tiny"),
    scales=(2, 4),
    factors=(0.01, 0.1, 1.0, 10.0, 100.0),
    seeds=5,
    steps=5000,
    low_side=32,
    batch=16,
    held_out=20,
)


def changed(plan: Plan, **given: Sequence[object] | int | None) -> Plan:
    """The plan with what was given on the command line."""
    chosen = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items() if v is not None}
    return replace(plan, **chosen)  # type: ignore[arg-type]


class Outcomes:
    """A CSV file with a row a finished run, written whole and at once: an interruption costs the runs under way."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: dict[Setting, Outcome] = {}
        if path.exists():
            with path.open(encoding="utf-8", newline="") as stream:
                for row in csv.DictReader(stream):
                    if None not in row.values():  # the last row, where the power went
                        self.rows[_read(Setting, row)] = _read(Outcome, row)

    def add(self, setting: Setting, outcome: Outcome) -> None:
        self.rows[setting] = outcome
        row = {**asdict(setting), **asdict(outcome)}
        fresh = not self.path.exists()
        with self.path.open("a", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, list(row))
            if fresh:
                writer.writeheader()
            writer.writerow(row)


def _read(record: type[Record], row: dict[str, str]) -> Record:
    parse = {"str": str, "int": int, "float": float, "bool": lambda text: text == "True"}
    return record(**{field.name: parse[str(field.type)](row[field.name]) for field in fields(record)})
