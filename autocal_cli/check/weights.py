"""Pretrained and resume files against the config: read from their headers, or judged by their names.

presets/checkpoints.json says by which names of tensors an architecture is known, and by which sizes its scale.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import PurePath
from typing import Any

from autocal_cli.check.model import Checked
from autocal_cli.check.rule import rule
from autocal_cli.config.model import KeyPath
from autocal_cli.errors import Finding, Place, Severity
from autocal_cli.packaged import preset_text

KEYS: tuple[KeyPath, ...] = (("path", "pretrain_network_g"), ("path", "pretrain_network_d"), ("path", "resume_state"))
ALIKE = 0.9  # share of an architecture's tensor names that a checkpoint has, to be of it; chosen
FOREIGN = 0.5  # below that it is of another; chosen
BUFFERS = ("running_mean", "running_var", "num_batches_tracked", "attn_mask", "relative_position_index")
_SCALE = re.compile(r"(?:^|[^0-9a-z])(?:x([2-8])|([2-8])x)(?:plus)?(?:[^0-9a-z]|$)|(?<=_)x([2-8])plus", re.IGNORECASE)
# Architectures that go by several names, and whose files the trainers convert into each other.
SAME: tuple[frozenset[str], ...] = (
    frozenset({"esrgan", "esrgan_lite", "rrdbnet"}),
    frozenset({"compact", "ultracompact", "superultracompact", "srvggnetcompact"}),
)

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A file that the config names: `path` as written. `states` are its state dicts by their keys, None where it is
    not there; `trouble` why it could not be read."""

    key: KeyPath
    path: str
    place: Place | None
    states: Mapping[str, Shapes] | None
    trouble: str | None = None


@cache
def _known() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(preset_text("checkpoints.json"))
    data["patterns"] = [frozenset(one.split(" ")) for one in data["patterns"]]
    return data


@rule(
    "files/pretrained-missing [error]: A checkpoint that is not there",
    why="The trainer ends where it loads it, after the data sets have been scanned.",
    source="torch.load and safetensors: FileNotFoundError",
    when="`path` names a file that does not exist, while images of the config do.",
)
@rule(
    "files/pretrained-unreadable [warning]: A checkpoint that cannot be read",
    why="A download that broke off, or another kind of file, ends the run where it is loaded.",
    source="the formats of safetensors and torch.save",
    when="A file that `path` names is neither a safetensors file nor one of torch.save, or is damaged.",
)
@rule(
    "files/pretrained-kind [error]: A training state for a network, or the other way round",
    why="`pretrain_network_g` takes the weights of a network, `resume_state` the state of a run (.state).",
    source="the trainers: `resume_state['iter']`; traiNNer-redux, models/base_model.py: `Unsupported model`",
    when="`resume_state` names a .pth or .safetensors, `pretrain_network_g` a .state or a file of another kind.",
)
@rule(
    "files/pretrained-architecture [error]: A checkpoint of another architecture",
    why="None, or few, of its tensors belong to the network: with strict loading the trainer ends, without it the run "
    "begins from scratch.",
    source="presets/checkpoints.json: the names of tensors as the trainers' constructors make them",
    when="The tensors of the checkpoint are not those of `network_g`.",
)
@rule(
    "files/pretrained-scale [error]: A checkpoint for another scale",
    why="The layers that enlarge have other sizes: with strict loading the trainer ends. Without it the rest is "
    "loaded, as many do on purpose.",
    source="presets/checkpoints.json: the sizes of tensors by scale; 11 threads in the trackers of these trainers",
    when="The checkpoint's tensors, or its name where it is not there, say another scale than the config.",
)
@rule(
    "files/param-key-missing [warning]: A param_key that the checkpoint does not have",
    why="BasicSR then takes `params` instead, which may not be the averaged weights that were meant; where that is "
    "not there either, it ends with a KeyError.",
    source="BasicSR, models/base_model.py: load_network; BasicSR #253, Real-ESRGAN #82",
    when="`param_key_g` names a key that the .pth does not hold.",
)
def weights_findings(checked: Checked, files: list[WeightsFile], elsewhere: bool) -> Iterator[Finding]:
    """What is wrong with the files that `path` names. `elsewhere`: nothing that the config names is on this machine."""
    for file in files:
        kind = _kind(file)
        if kind:
            yield checked.finding("pretrained-kind", kind, "Name a file of the right kind.", file.place)
        elif file.states is None:
            yield from _absent(checked, file, elsewhere)
        elif file.trouble:
            message = f"{file.path} cannot be read: {file.trouble}."
            yield checked.finding("pretrained-unreadable", message, "Load it anew.", file.place)
        elif file.key[-1] == "pretrain_network_g":
            yield from _of_generator(checked, file)


def _kind(file: WeightsFile) -> str | None:
    ending = PurePath(file.path.replace("\\", "/")).suffix.lower()
    if file.key[-1] == "resume_state" and ending in (".pth", ".safetensors", ".pt", ".ckpt"):
        return f"`resume_state` is {file.path}, the weights of a network; a run is resumed from its .state."
    if file.key[-1] != "resume_state" and ending == ".state":
        state = f"`{'.'.join(file.key)}` is {file.path}, the state of a run"
        return f"{state}; a network's weights are a .pth or .safetensors."
    return None


def _absent(checked: Checked, file: WeightsFile, elsewhere: bool) -> Iterator[Finding]:
    # The scale that a file's name says: `4x_`, `_x2`, `x4plus`.
    found = {next(filter(None, groups)) for groups in _SCALE.findall(PurePath(file.path.replace("\\", "/")).stem)}
    said = int(found.pop()) if len(found) == 1 else None
    if said and file.key[-1] == "pretrain_network_g" and _is_another(checked, said):
        message = f"{file.path} is for x{said} by its name, and the config for x{checked.config.scale}."
        yield checked.finding("pretrained-scale", message, _loosely(checked), file.place)
    elif not elsewhere:
        message = f"There is no file {file.path} (`{'.'.join(file.key)}`): the trainer ends where it loads it."
        yield checked.finding("pretrained-missing", message, "Correct the path, or remove it.", file.place)


def _of_generator(checked: Checked, file: WeightsFile) -> Iterator[Finding]:
    state, finding = _state(checked, file)
    if finding:
        yield finding
    network, types = checked.config.network, _known()["types"]
    if not state or network is None or network.type.lower() not in types:
        return
    own, telling = types[network.type.lower()]
    plain = (name.removeprefix("module.").removeprefix("_orig_mod.") for name in state if not name.endswith(BUFFERS))
    names = frozenset(re.sub(r"\d+", "#", name) for name in plain)
    # Of each architecture's names the share that is here, and of all names those that both have.
    patterns = _known()["patterns"]
    shares = [len(names & one) / len(one) for one in patterns]
    overlaps = [len(names & one) / len(names | one) for one in patterns]
    best = max(types, key=lambda name: (overlaps[types[name][0]], name == network.type.lower()))
    if shares[own] < FOREIGN and not _same(network.type, best):
        alike = shares[types[best][0]] >= ALIKE
        whose = f"it is of {best}" if alike else "of an architecture that is not known here"
        deed = "the trainer ends" if _strict(checked) else "nothing of it is loaded, and the run begins from scratch"
        message = f"{file.path} has {shares[own]:.0%} of the tensors of {network.type}; {whose}: {deed}."
        yield checked.finding("pretrained-architecture", message, f"Name a checkpoint of {network.type}.", file.place)
        return
    found = checkpoint_scale(state, telling)
    if found and _is_another(checked, found):
        here = f"{file.path} is of {network.type} for x{found}"
        message = f"{here}, and the config for x{checked.config.scale}: the trainer ends."
        yield checked.finding("pretrained-scale", message, _loosely(checked), file.place)


def _state(checked: Checked, file: WeightsFile) -> tuple[Shapes, Finding | None]:
    """The state dict that the trainer would load, and what there is to say of the key under which it looks."""
    states, path = file.states or {}, ("path", "param_key_g")
    any_state = next((states[key] for key in ("params_ema", "params", "", *states) if states.get(key)), {})
    if not checked.layout.trainer.startswith(("BasicSR", "Real-ESRGAN")):
        return any_state, None
    given = checked.option(*path) if checked.key_at(path) else "params"  # BasicSR's default
    if given is None or str(given) in states:
        return states.get("" if given is None else str(given), any_state), None
    falls_back = "params" in states
    deed = "BasicSR takes `params` instead" if falls_back else f"BasicSR ends with KeyError '{given}'"
    has = ", ".join(key or "its tensors at the top" for key in states)
    message = f"{file.path} has no `{given}` (it has {has}): {deed}."
    bare = "" in states and not falls_back
    fix = "Write `param_key_g: ~`." if bare else f"Write one that it has: {', '.join(states)}."
    severity: Severity = "warning" if falls_back else "error"
    place = checked.value_at(path) or file.place
    return any_state, checked.finding("param-key-missing", message, fix, place, severity)


def checkpoint_scale(state: Shapes, telling: list[list[Any]]) -> int | None:
    """The scale that the sizes of a state dict's tensors speak for; None where they speak for none, or for several."""
    fitting: set[str] | None = None
    for key, sizes in telling:
        shape = state.get(key)
        here = {scale for scale, size in sizes.items() if (list(shape) if shape else None) == size}
        # Other widths than the default: sizes that grow with the square of the scale (pixel shuffle) still tell.
        growth = [size[0] / int(scale) ** 2 for scale, size in sizes.items() if size]
        if not here and shape is not None and len(growth) > 1 and len(set(growth)) == 1:
            here = {scale for scale, size in sizes.items() if size and size[0] == shape[0]}
        fitting = here if fitting is None else fitting & here
    return int(next(iter(fitting))) if fitting and len(fitting) == 1 else None


def _same(one: str, other: str) -> bool:
    return one.lower() == other.lower() or any({one.lower(), other.lower()} <= names for names in SAME)


def _is_another(checked: Checked, scale: int) -> bool:
    """Whether a checkpoint's scale is another than the config's, and the trainer ends at that."""
    return checked.config.scale not in (None, 0, scale) and _strict(checked)


def _strict(checked: Checked) -> bool:
    return checked.option("path", "strict_load_g") is not False


def _loosely(checked: Checked) -> str:
    return f"Name one for x{checked.config.scale}, or write `strict_load_g: false` to load what fits."
