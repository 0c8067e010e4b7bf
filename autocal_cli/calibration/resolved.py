"""The resolved block: a Calibration as the plain data that goes into the config, and back.

The `calibration:` record at its end says who wrote which value and why, so that the next run can tell autocal's values
from the user's, and `explain` can print the trail without computing anything anew.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from autocal_cli.calibration.block import RECORD_KEY, RECORD_VERSION, leaves, record_in, same_value
from autocal_cli.calibration.calibrate import DATASET_INFO, TOTAL_ITERATIONS
from autocal_cli.calibration.model import (
    PARAMETERS,
    Calibration,
    Number,
    Parameter,
    Phase,
    Placement,
    Step,
)
from autocal_cli.config.model import KeyPath, SchedulingBlock, Value
from autocal_cli.dataset.model import METRIC_NAMES, DatasetFingerprint, FileIssue, MetricSummary, TrainingCrops
from autocal_cli.errors import AutocalError
from autocal_cli.network.model import NetworkFingerprint, Passed
from autocal_cli.probing.model import LossProbe, ProbeFingerprint, Unmeasured
from autocal_cli.version import __version__

MAX_RECORDED_FAILURES = 1_000_000  # a record that claims more is damaged
SCORES = (*METRIC_NAMES, "overall_complexity")

_FAILED_THEN = FileIssue("(not recorded)", "could not be read when the dataset was measured")
_NETWORK_KEYS = ("type", "family", "variant", "scale", "parameters", "macs_per_pixel", "builder", "structure")
_DISCRIMINATOR_KEYS = ("type", "parameters", "builder")
_PLACEMENT_KEYS = {  # Placement's own, in the record
    "variant": "nearest",
    "match": "match",
    "reason": "placement",
    "axis": "axis",
    "position": "position",
    "macs_span": "macs_span",
}


def resolved_values(calibration: Calibration) -> dict[str, Value]:
    """The block without its record: every key that the scheduler reads, hand-written values in their places."""
    block: dict[str, Value] = {"enabled": True, "auto_calibrate": False}
    block |= {name: calibration.parameters[name].value for name in PARAMETERS}
    block["phases"] = {phase.name: {"until": phase.until, "rate": phase.rate} for phase in calibration.phases}
    block["stability"] = dict(calibration.stability)
    training: dict[str, Value] = {}
    if calibration.total_iter is not None:
        training[TOTAL_ITERATIONS[-1]] = calibration.total_iter
    training[DATASET_INFO[-1]] = dict(calibration.dataset_info)
    block[TOTAL_ITERATIONS[0]] = training
    for path, value in calibration.manual.items():
        _put(block, path, value)
    return block


def record_of(calibration: Calibration, digest: str, trainer: str) -> dict[str, Value]:
    """The record of one calibration for a trainer. `digest` is a SHA-256 over the resolved file without the record."""
    wrote: dict[str, Value] = {}
    for path, value in leaves(resolved_values(calibration)):
        if path not in calibration.manual:
            _put(wrote, path, value)
    record: dict[str, Value] = {
        "record_version": RECORD_VERSION,
        "tool": f"autocal {__version__}",
        "presets": calibration.presets_version,
        "trainer": trainer,
        "text_sha256": digest,
        "network": _network_entry(calibration),
        "dataset": _dataset_entry(calibration.dataset) if calibration.dataset else None,
        **({"probe": probe_entry(calibration.probe)} if calibration.probe else {}),
        "wrote": wrote,
        "trail": {
            name: [_step_entry(step) for step in parameter.trail] for name, parameter in calibration.parameters.items()
        },
    }
    return record


def has_record(block: SchedulingBlock | None) -> bool:
    return record_in(block) is not None


def recorded_digest(block: SchedulingBlock) -> str | None:
    digest = (record_in(block) or {}).get("text_sha256")
    return digest if isinstance(digest, str) else None


def recorded_dataset(block: SchedulingBlock | None) -> DatasetFingerprint | None:
    """The dataset fingerprint in a block's record, or None. Raises AutocalError when the record is damaged."""
    entry = (record_in(block) or {}).get("dataset")
    if block is None or not isinstance(entry, dict):
        return None
    with _damage_reported(block):
        return _dataset_from(entry)


def recorded_probe(block: SchedulingBlock | None) -> ProbeFingerprint | None:
    """What a probe measured, by a block's record, or None. Raises AutocalError when the record is damaged."""
    entry = (record_in(block) or {}).get("probe")
    if block is None or not isinstance(entry, dict):
        return None
    with _damage_reported(block):
        return probe_from(entry)


def recorded_calibration(block: SchedulingBlock, manual: Mapping[KeyPath, Value]) -> Calibration:
    """The Calibration as its record tells it, with what is `manual` in the block now on top. Computes nothing anew.

    Raises AutocalError when the record is damaged.
    """
    record = record_in(block)
    assert record is not None
    with _damage_reported(block):
        values: Any = {}
        for path, value in (*leaves(record["wrote"]), *manual.items()):
            _put(values, path, value)
        training = values[TOTAL_ITERATIONS[0]]
        told = {
            "network": _network_from(record["network"]),
            "placement": _placement_from(record["network"]),
            "dataset": _dataset_from(record["dataset"]) if record.get("dataset") else None,
            "dataset_info": {name: training[DATASET_INFO[-1]][name] for name in SCORES},
            "parameters": {name: _parameter_from(name, record["trail"][name], manual) for name in PARAMETERS},
            "phases": tuple(restored(Phase, {"name": name, **entry}) for name, entry in values["phases"].items()),
            "stability": values["stability"],
            "total_iter": training.get(TOTAL_ITERATIONS[-1]),
            "manual": manual,
            "presets_version": record["presets"],
            "findings": (),
            "probe": probe_from(record["probe"]) if "probe" in record else None,
        }
        return restored(Calibration, told)


class _damage_reported:  # noqa: N801 (reads as a statement: `with _damage_reported(block):`)
    """Turns whatever a hand-damaged record makes fail into one clear line."""

    def __init__(self, block: SchedulingBlock) -> None:
        self.place = block.place_of((RECORD_KEY,))

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KeyError | TypeError | ValueError | AttributeError | IndexError):
            message = f"The `{RECORD_KEY}` record is damaged ({type(error).__name__}: {error})."
            fix = "Remove the record and calibrate again; what stands in the block then counts as set by hand."
            raise AutocalError(message, place=self.place, fix=fix) from None


def _put(block: dict[str, Value], path: KeyPath, value: Value) -> None:
    for key in path[:-1]:
        inner = block.setdefault(key, {})
        if not isinstance(inner, dict):  # only where a damaged record claims so
            raise TypeError(f"{key} is no mapping")
        block = inner
    block[path[-1]] = value


def _network_entry(calibration: Calibration) -> dict[str, Value]:
    network, placement = calibration.network, calibration.placement
    entry: dict[str, Value] = {key: getattr(network, key) for key in _NETWORK_KEYS}
    if network.passed:
        entry["asked_before"] = {who.builder: who.reason for who in network.passed}
    if network.discriminator is not None:
        entry["discriminator"] = {key: getattr(network.discriminator, key) for key in _DISCRIMINATOR_KEYS}
    return entry | {name: _listed(getattr(placement, key)) for key, name in _PLACEMENT_KEYS.items()}


def _network_from(entry: Mapping[str, Any]) -> NetworkFingerprint:
    told = {key: entry[key] for key in _NETWORK_KEYS if key in entry}  # TOML has no null
    asked = entry.get("asked_before", {})
    told["passed"] = tuple(Passed(str(builder), str(reason)) for builder, reason in asked.items())
    if "discriminator" in entry:
        told["discriminator"] = restored(NetworkFingerprint, entry["discriminator"])
    return restored(NetworkFingerprint, told)


def _listed(value: Any) -> Value:
    return list(value) if isinstance(value, tuple) else value


def _placement_from(entry: Mapping[str, Any]) -> Placement:
    """Records of before the axis was drawn lack the last three keys."""
    told = {key: entry[name] for key, name in _PLACEMENT_KEYS.items() if name in entry}
    placement = restored(Placement, {key: tuple(v) if isinstance(v, list) else v for key, v in told.items()})
    places = (placement.position, *(placement.macs_span or ()))
    if any(place is not None and not 0 <= place <= len(placement.axis) - 1 for place in places):
        raise ValueError("a place outside of the axis")
    return placement


def _dataset_entry(dataset: DatasetFingerprint) -> dict[str, Value]:
    return {
        "roots": list(dataset.roots),
        "images": {
            "found": dataset.found,
            "read": dataset.read,
            "skipped": sum(dataset.skipped.values()),
            "failed": len(dataset.failures),
        },
        **({"crops": {"count": dataset.crops.count, "side": dataset.crops.side}} if dataset.crops else {}),
        **{
            name: {
                "score": round(summary.score, 4),
                "ci95": [round(bound, 4) for bound in summary.ci95],
                "p5": round(summary.p5, 4),
                "median": round(summary.median, 4),
                "p95": round(summary.p95, 4),
                "raw_mean": float(f"{summary.raw_mean:.6g}"),
            }
            for name, summary in dataset.metrics.items()
        },
        "overall_complexity": round(dataset.overall_complexity, 4),
        "overall_ci95": [round(bound, 4) for bound in dataset.overall_ci95],
        "identity": dataset.identity,
        "metric_version": dataset.metric_version,
    }


def _dataset_from(entry: Mapping[str, Any]) -> DatasetFingerprint:
    images = entry["images"]
    if not 0 <= images["failed"] <= min(images["found"], MAX_RECORDED_FAILURES):
        raise ValueError(f"{images['failed']} of {images['found']} images failed")
    told = {
        "roots": tuple(entry["roots"]),
        "found": images["found"],
        "read": images["read"],
        "skipped": {"as recorded": images["skipped"]} if images["skipped"] else {},
        "failures": (_FAILED_THEN,) * images["failed"],
        "metrics": {
            name: restored(MetricSummary, {**entry[name], "ci95": tuple(entry[name]["ci95"])}) for name in METRIC_NAMES
        },
        "overall_complexity": entry["overall_complexity"],
        "overall_ci95": tuple(entry["overall_ci95"]),
        "identity": entry["identity"],
        "metric_version": entry["metric_version"],
        "device": "as recorded",
        "seconds": 0.0,
        "crops": restored(TrainingCrops, entry["crops"]) if "crops" in entry else None,
    }
    return restored(DatasetFingerprint, told)


def _step_entry(step: Step) -> dict[str, Value]:
    entry: dict[str, Value] = {
        "code": step.code,
        "before": step.before,
        "after": step.after,
        "reason": step.reason,
        "source": step.source,
    }
    return entry if step.margin is None else {**entry, "margin": step.margin}


def _parameter_from(name: str, entries: list[dict[str, Any]], manual: Mapping[KeyPath, Value]) -> Parameter:
    trail = tuple(restored(Step, entry) for entry in entries)
    by_hand = manual.get((name,))
    if by_hand is None and trail[-1].code == "manual":  # the key was deleted since
        trail = trail[:-1]
    if isinstance(by_hand, int | float) and not same_value(by_hand, trail[-1].after):
        before: Number = trail[-1].after
        trail = (*trail, Step("manual", "the user", before, by_hand, "Changed by hand since the calibration."))
    return Parameter(trail[-1].after, trail)


# Plain data -> a frozen record, every field checked against its annotation: for what a file claims that we wrote.


Record = TypeVar("Record")


def restored(kind: type[Record], entry: Mapping[str, Any]) -> Record:
    """An instance of the dataclass `kind` with the fields of `entry`.

    A field that may be None and is missing is None: TOML has no null. Raises TypeError where another field is missing,
    or one is unknown or of another type than its annotation.
    """
    annotations = get_type_hints(kind)
    absent = {name: None for name, annotation in annotations.items() if name not in entry and _fits(None, annotation)}
    for name, value in entry.items():
        if name in annotations and not _fits(value, annotations[name]):
            raise TypeError(f"{name} is {value!r}"[:80])
    return kind(**absent, **entry)


def _fits(value: object, annotation: Any) -> bool:
    """Whether a value is of an annotated type. A float may be a whole number, but is finite; true is no number."""
    if annotation in (int, float):
        numbers = int if annotation is int else int | float
        return isinstance(value, numbers) and not isinstance(value, bool) and abs(value) < math.inf
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return any(_fits(value, option) for option in inner)
    if origin is Literal:
        return value in inner
    if origin is tuple and isinstance(value, tuple):
        kinds = inner[:1] * len(value) if inner[-1] is Ellipsis else inner
        return len(value) == len(kinds) and all(map(_fits, value, kinds))
    if origin is not None and isinstance(value, Mapping):
        return issubclass(origin, Mapping) and all(_fits(item, inner[1]) for item in value.values())
    return isinstance(value, origin or annotation)


# What a probe measured, as it stands in the record of a resolved block, and back.


def probe_entry(probe: ProbeFingerprint) -> dict[str, Value]:
    """Plain data; what was not measured is there only where there is any."""
    entry = asdict(probe)
    entry["losses"] = list(entry["losses"])
    entry["unmeasured"] = list(entry["unmeasured"])
    return entry if entry["unmeasured"] else {key: value for key, value in entry.items() if key != "unmeasured"}


def probe_from(entry: Mapping[str, Any]) -> ProbeFingerprint:
    """Raises TypeError, KeyError or the like for an entry that was never written so."""
    told = {
        **entry,
        "losses": tuple(restored(LossProbe, loss) for loss in entry["losses"]),
        "unmeasured": tuple(restored(Unmeasured, loss) for loss in entry.get("unmeasured", ())),
    }
    return restored(ProbeFingerprint, told)
