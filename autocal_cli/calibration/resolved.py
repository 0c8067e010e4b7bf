"""The resolved block: a Calibration as the values, reasons and record that stand in a config, and the record read back.

The `calibration:` record holds what was measured and one digest a written key. By the digests the next run tells
autocal's values from the user's; everything else follows from the measured numbers by `calibrate`, so that `explain`
gives the trail again. No value stands in it twice.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autocal_cli.calibration.block import RECORD_VERSION, shown, value_digest
from autocal_cli.calibration.model import DIGEST, Calibration, DatasetScores, Parameter, as_letters
from autocal_cli.config.model import RECORD_KEY, KeyPath, SchedulingBlock, Value
from autocal_cli.dataset.model import METRIC_NAMES, TrainingCrops
from autocal_cli.errors import AutocalError
from autocal_cli.network.model import NetworkFingerprint
from autocal_cli.version import __version__

EXPLAIN = "`autocal explain` tells why"
_NETWORK_KEYS = ("type", "family", "variant", "scale", "parameters", "macs_per_pixel", "builder")
_DISCRIMINATOR_KEYS = ("type", "parameters", "builder")
_SHORT_METRICS = {"texture": "texture_variance", "edges": "edge_density", "colour": "color_variation"}


@dataclass(frozen=True, slots=True)
class Record:
    """What a block's record says: the presets that it rests on, and what was measured.

    `text` is the digest of the file without the record, `config` that of the config whose sidecar the file is (empty in
    a config). `in_place`: the file, or that config, was a person's work when it was calibrated.
    """

    presets: str
    text: str
    config: str
    in_place: bool
    network: NetworkFingerprint
    dataset: DatasetScores | None


def resolved_values(calibration: Calibration) -> dict[str, Value]:
    """The block without its record: what the scheduler reads, hand-written values in their places."""
    flat: dict[KeyPath, Value] = {("enabled",): True}
    flat |= {(name,): parameter.value for name, parameter in calibration.parameters.items()}
    for phase in calibration.phases:
        flat |= {("phases", phase.name, "until"): phase.until, ("phases", phase.name, "rate"): phase.rate}
    nested: dict[str, Value] = {}
    for path, value in {**flat, **calibration.manual}.items():
        inner: Any = nested
        for key in path[:-1]:
            inner = inner.setdefault(key, {})
        inner[path[-1]] = value
    return nested


def written_values(calibration: Calibration) -> dict[KeyPath, Value]:
    """Those of the resolved values that autocal chose: all but `enabled` and what the user wrote.

    A phase is one: of a phase in which the user wrote a key nothing counts as autocal's.
    """
    own = {path[:2] if path[0] == "phases" else path[:1] for path in calibration.manual} | {("enabled",)}
    values: dict[str, Any] = resolved_values(calibration)
    phases = {("phases", name): phase for name, phase in values.pop("phases", {}).items()}
    units = {(name,): value for name, value in values.items()} | phases
    return {path: value for path, value in units.items() if path not in own}


def reasons(calibration: Calibration) -> dict[KeyPath, str]:
    """The short reason that stands behind each parameter: `nano 0.85, complexity 0.38`."""

    def reason(parameter: Parameter) -> str:
        first, last = parameter.trail[0], parameter.trail[-1]
        if parameter.manual:
            return "by hand" if last.before in (None, last.after) else f"by hand; calibrated {last.before:.6g}"
        moved = [step.short for step in parameter.trail[1:] if step.short and step.before != step.after]
        return ", ".join([f"{first.short} {first.after:.4g}", *moved]) if moved else first.short

    return {(name,): reason(parameter) for name, parameter in calibration.parameters.items()}


def headline(calibration: Calibration) -> str:
    """The line above a resolved block: who wrote it, for what, and who tells why."""
    network, scores = calibration.network, calibration.dataset_info
    size = f" ({network.parameters:,} parameters)" if network.parameters is not None else ", not measured"
    known = calibration.dataset or any(path[-1] in scores for path in calibration.manual)
    images = f"complexity {scores['overall_complexity']:.2f}{'' if known else ' assumed'}"
    return f"autocal {__version__}: {network.type or 'no network'}{size}, {images}; {EXPLAIN}"


def text_digest(text: str) -> str:
    """SHA-256 of a text but for its final line breaks, shortened: it tells whether anybody touched it."""
    return as_letters(hashlib.sha256(text.rstrip("\r\n").encode("utf-8")).hexdigest()[:DIGEST])


def record_of(
    calibration: Calibration, trainer: str, text: str, config: str = "", in_place: bool = False
) -> dict[str, Value]:
    """The record of a calibration for a trainer; `text`, `config` and `in_place` are as in `Record`."""
    network, rival, dataset = calibration.network, calibration.network.discriminator, calibration.dataset
    made: dict[str, Value] = {
        "autocal": __version__,
        "record": RECORD_VERSION,
        "presets": calibration.presets_version,
        "trainer": trainer,
        "text": text,
    }
    made |= {"in_place": True} if in_place else {}
    record: dict[str, Value] = {"made": {**made, "config": config} if config else made}
    for name, measured, keys in (("network", network, _NETWORK_KEYS), ("discriminator", rival, _DISCRIMINATOR_KEYS)):
        if measured is not None:  # TOML has no null
            record[name] = {key: value for key in keys if (value := getattr(measured, key)) is not None}
    if dataset is not None:
        entry: dict[str, Value] = {"read": dataset.read, "found": dataset.found}
        entry |= {"failed": dataset.failed} if dataset.failed else {}
        entry |= {"crops": [dataset.crops.count, dataset.crops.side]} if dataset.crops else {}
        entry |= {short: dataset.scores[name] for short, name in _SHORT_METRICS.items()}
        entry |= {"complexity": dataset.overall_complexity, "ci95": list(dataset.overall_ci95)}
        record["dataset"] = entry | {"identity": dataset.identity, "metric": dataset.metric_version}
    record["wrote"] = " ".join(value_digest(path, value) for path, value in written_values(calibration).items())
    return record


def read_record(block: SchedulingBlock | None) -> Record | None:
    """The record in a block, or None. Raises AutocalError, with the place, where it is damaged."""
    entry = block.record if block else None
    if block is None or entry is None:
        return None
    try:
        made, network = entry["made"], _valid(entry["network"], "mapping")
        rival = _network(_valid(entry["discriminator"], "mapping"), None) if "discriminator" in entry else None
        return Record(
            presets=_valid(made["presets"], "text"),
            text=_valid(made["text"], "text"),
            config=_valid(made.get("config", ""), "text"),
            in_place=made.get("in_place") is True,
            network=_network(network, rival),
            dataset=_dataset(_valid(entry["dataset"], "mapping")) if "dataset" in entry else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        message = f"The `{RECORD_KEY}` record is damaged ({type(error).__name__}: {error})."
        fix = "Remove the record and calibrate again; what stands in the block then counts as set by hand."
        raise AutocalError(message, place=block.place_of((RECORD_KEY,)), fix=fix) from None


def _network(entry: Mapping[str, Any], discriminator: NetworkFingerprint | None) -> NetworkFingerprint:
    kinds = {"scale": "count", "parameters": "count", "macs_per_pixel": "number of 0 or more"}
    known = {key: _valid(entry[key], kinds.get(key, "text")) for key in _NETWORK_KEYS if entry.get(key) is not None}
    return NetworkFingerprint(**{"type": None, **known}, discriminator=discriminator)


def _dataset(entry: Mapping[str, Any]) -> DatasetScores:
    def count(key: str) -> int:
        return int(_valid(entry[key], "count"))

    def score(value: object) -> float:
        return float(_valid(value, "score of 0 to 1"))

    (low, high), crops = entry["ci95"], entry.get("crops")
    return DatasetScores(
        found=count("found"),
        read=count("read"),
        failed=count("failed") if "failed" in entry else 0,
        scores={name: score(entry[short]) for short, name in _SHORT_METRICS.items()},
        overall_complexity=score(entry["complexity"]),
        overall_ci95=(score(low), score(high)),
        identity=_valid(entry["identity"], "text"),
        metric_version=count("metric"),
        crops=TrainingCrops(_valid(crops[0], "count"), _valid(crops[1], "count")) if crops else None,
    )


def _valid(value: Any, kind: str) -> Any:
    """The value, where it is of a kind. Raises TypeError where it is not."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        "mapping": isinstance(value, Mapping),
        "text": isinstance(value, str),
        "count": number and isinstance(value, int) and value >= 0,
        "number of 0 or more": number and 0 <= value < math.inf,
        "score of 0 to 1": number and 0 <= value <= 1,
    }
    if not fits[kind]:
        raise TypeError(f"{shown(value)} is no {kind}")
    return value


assert set(_SHORT_METRICS.values()) == set(METRIC_NAMES)
