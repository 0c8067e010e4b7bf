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

from autocal_cli.calibration.block import RECORD_VERSION, leaves, shown, value_digest
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
    a config).
    """

    presets: str
    text: str
    config: str
    network: NetworkFingerprint
    dataset: DatasetScores | None


def resolved_values(calibration: Calibration) -> dict[str, Value]:
    """The block without its record: what the scheduler reads, hand-written values in their places."""
    block: dict[str, Value] = {"enabled": True}
    block |= {name: parameter.value for name, parameter in calibration.parameters.items()}
    if calibration.phases:
        block["phases"] = {phase.name: {"until": phase.until, "rate": phase.rate} for phase in calibration.phases}
    for path, value in calibration.manual.items():
        _put(block, path, value)
    return block


def written_values(calibration: Calibration) -> dict[str, Value]:
    """Those of the resolved values that autocal chose: all but `enabled` and what the user wrote.

    A phase is one: of a phase in which the user wrote a key nothing counts as autocal's.
    """
    own = {path if path[0] != "phases" else path[:2] for path in calibration.manual}
    chosen: dict[str, Value] = {}
    for path, value in leaves(resolved_values(calibration)):
        if path != ("enabled",) and path not in own and path[:2] not in own:
            _put(chosen, path, value)
    return chosen


def reasons(calibration: Calibration) -> dict[KeyPath, str]:
    """The short reason that stands behind each parameter: `nano 0.85, complexity 0.38`."""
    return {(name,): _reason(parameter) for name, parameter in calibration.parameters.items()}


def _reason(parameter: Parameter) -> str:
    last = parameter.trail[-1]
    if parameter.manual:
        return "by hand" if last.before in (None, last.after) else f"by hand; calibrated {last.before:.6g}"
    moved = [step.short for step in parameter.trail[1:] if step.short and step.before != step.after]
    return ", ".join([f"{parameter.trail[0].short} {parameter.trail[0].after:.4g}" if moved else
                      parameter.trail[0].short, *moved])  # fmt: skip


def headline(calibration: Calibration) -> str:
    """The line above a resolved block: who wrote it, for what, and who tells why."""
    network, dataset = calibration.network, calibration.dataset
    size = f" ({network.parameters:,} parameters)" if network.parameters is not None else ", not measured"
    images = f"complexity {calibration.dataset_info['overall_complexity']:.2f}"
    images += "" if dataset or _scores_by_hand(calibration) else " assumed"
    return f"autocal {__version__}: {network.type or 'no network'}{size}, {images}; {EXPLAIN}"


def _scores_by_hand(calibration: Calibration) -> bool:
    return any(path[-1] in calibration.dataset_info for path in calibration.manual)


def text_digest(text: str) -> str:
    """SHA-256 of a text but for its final line breaks, shortened: it tells whether anybody touched it."""
    return as_letters(hashlib.sha256(text.rstrip("\r\n").encode("utf-8")).hexdigest()[:DIGEST])


def record_of(calibration: Calibration, trainer: str, text: str, config: str = "") -> dict[str, Value]:
    """The record of a calibration for a trainer; `text` and `config` are digests as in `Record`."""
    network = calibration.network
    chosen = written_values(calibration)
    phases = chosen.pop("phases", {})
    assert isinstance(phases, dict)
    made: dict[str, Value] = {
        "autocal": __version__,
        "record": RECORD_VERSION,
        "presets": calibration.presets_version,
        "trainer": trainer,
        "text": text,
    }
    record: dict[str, Value] = {"made": {**made, "config": config} if config else made}
    record["network"] = _without_none({key: getattr(network, key) for key in _NETWORK_KEYS})
    if network.discriminator is not None:
        rival = {key: getattr(network.discriminator, key) for key in _DISCRIMINATOR_KEYS}
        record["discriminator"] = _without_none(rival)
    if calibration.dataset is not None:
        record["dataset"] = _dataset_entry(calibration.dataset)
    paths = {(name,): value for name, value in chosen.items()} | {("phases", name): phases[name] for name in phases}
    record["wrote"] = " ".join(value_digest(path, value) for path, value in paths.items())
    return record


def read_record(block: SchedulingBlock | None) -> Record | None:
    """The record in a block, or None. Raises AutocalError, with the place, where it is damaged."""
    entry = block.record if block else None
    if block is None or entry is None:
        return None
    try:
        made, network = entry["made"], dict(_mapping(entry["network"]))
        rival = _network(_mapping(entry["discriminator"])) if "discriminator" in entry else None
        return Record(
            presets=_text(made["presets"]),
            text=_text(made["text"]),
            config=_text(made.get("config", "")),
            network=_network(network, rival),
            dataset=_dataset(_mapping(entry["dataset"])) if "dataset" in entry else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        message = f"The `{RECORD_KEY}` record is damaged ({type(error).__name__}: {error})."
        fix = "Remove the record and calibrate again; what stands in the block then counts as set by hand."
        raise AutocalError(message, place=block.place_of((RECORD_KEY,)), fix=fix) from None


def _put(block: dict[str, Value], path: KeyPath, value: Value) -> None:
    for key in path[:-1]:
        inner = block.setdefault(key, {})
        assert isinstance(inner, dict)
        block = inner
    block[path[-1]] = value


def _without_none(entry: Mapping[str, Value]) -> dict[str, Value]:
    """TOML has no null."""
    return {key: value for key, value in entry.items() if value is not None}


def _dataset_entry(dataset: DatasetScores) -> dict[str, Value]:
    entry: dict[str, Value] = {"read": dataset.read, "found": dataset.found}
    entry |= {"failed": dataset.failed} if dataset.failed else {}
    entry |= {"crops": [dataset.crops.count, dataset.crops.side]} if dataset.crops else {}
    entry |= {short: dataset.scores[name] for short, name in _SHORT_METRICS.items()}
    entry |= {"complexity": dataset.overall_complexity, "ci95": list(dataset.overall_ci95)}
    return {**entry, "identity": dataset.identity, "metric": dataset.metric_version}


def _dataset(entry: Mapping[str, Any]) -> DatasetScores:
    low, high = entry["ci95"]
    crops = entry.get("crops")
    return DatasetScores(
        found=_count(entry["found"]),
        read=_count(entry["read"]),
        failed=_count(entry.get("failed", 0)),
        scores={name: _score(entry[short]) for short, name in _SHORT_METRICS.items()},
        overall_complexity=_score(entry["complexity"]),
        overall_ci95=(_score(low), _score(high)),
        identity=_text(entry["identity"]),
        metric_version=_count(entry["metric"]),
        crops=TrainingCrops(_count(crops[0]), _count(crops[1])) if crops else None,
    )


def _network(entry: Mapping[str, Any], discriminator: NetworkFingerprint | None = None) -> NetworkFingerprint:
    scale, parameters, macs = (entry.get(key) for key in ("scale", "parameters", "macs_per_pixel"))
    type, family, variant, builder = (
        None if entry.get(key) is None else _text(entry[key]) for key in ("type", "family", "variant", "builder")
    )
    return NetworkFingerprint(
        type=type,
        family=family,
        variant=variant,
        builder=builder,
        scale=None if scale is None else _count(scale),
        parameters=None if parameters is None else _count(parameters),
        macs_per_pixel=None if macs is None else _positive(macs),
        discriminator=discriminator,
    )


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{shown(value)} is no mapping")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{shown(value)} is no text")
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{shown(value)} is no count")
    return value


def _positive(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value < math.inf:
        raise TypeError(f"{shown(value)} is no number of 0 or more")
    return value


def _score(value: object) -> float:
    if _positive(value) > 1.0:
        raise ValueError(f"{shown(value)} is no score of 0 to 1")
    return float(value)  # type: ignore[arg-type]


assert set(_SHORT_METRICS.values()) == set(METRIC_NAMES)
