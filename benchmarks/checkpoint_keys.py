"""presets/checkpoints.json: which names of tensors tell a checkpoint's architecture, and which sizes its scale.

    PYTHON benchmarks/checkpoint_keys.py traiNNer-redux CHECKOUT [BasicSR CHECKOUT ...]

PYTHON is one that can import the trainers. Every architecture is built by its trainer's own constructor at its
defaults, on the meta device where it can be, at scales 1, 2, 3, 4 and 8. Kept are the names of its tensors with every
number made `#`, and up to three tensors whose size depends on the scale. Names and sizes only.
"""

from __future__ import annotations

import importlib
import inspect
import json
import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

OUTPUT = Path(__file__).resolve().parents[1] / "presets" / "checkpoints.json"
SCALES = (1, 2, 3, 4, 8)
BUFFERS = ("running_mean", "running_var", "num_batches_tracked", "attn_mask", "relative_position_index")
REGISTRIES = {
    "traiNNer-redux": ("traiNNer.archs", "traiNNer.utils.registry", ("ARCH_REGISTRY", "SPANDREL_REGISTRY")),
    "BasicSR": ("basicsr.archs", "basicsr.utils.registry", ("ARCH_REGISTRY",)),
}
CHANNELS = {"num_in_ch": 3, "num_out_ch": 3, "in_channels": 3, "out_channels": 3}


def main() -> None:
    logging.disable(logging.CRITICAL)
    made: dict[str, Any] = {"origin": {}, "patterns": [], "types": {}}
    known: dict[tuple[str, ...], int] = {}
    for trainer, checkout in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        sys.path.insert(0, checkout)
        commit = ["git", "-C", checkout, "rev-parse", "HEAD"]
        made["origin"][trainer] = subprocess.run(commit, capture_output=True, text=True, check=True).stdout.strip()
        package, registry, names = REGISTRIES[trainer]
        importlib.import_module(package)
        module = importlib.import_module(registry)
        for name in names:
            for type_name, target in dict(getattr(module, name)._obj_map).items():
                entry = keys_of(target)
                if entry is None:
                    continue
                patterns, scales = entry
                number = known.setdefault(patterns, len(known))
                made["types"][re.sub("_(basicsr|traiNNer)$", "", type_name).lower()] = [number, scales]
    made["patterns"] = [" ".join(patterns) for patterns in known]
    lines = [
        '{\n "origin": ' + json.dumps(made["origin"]),
        ' "patterns": [\n  ' + ",\n  ".join(json.dumps(one) for one in made["patterns"]) + "\n ]",
        ' "types": {\n  '
        + ",\n  ".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in sorted(made["types"].items()))
        + "\n }\n}\n",
    ]
    OUTPUT.write_text(",\n".join(lines), encoding="utf-8", newline="\n")
    print(f"{len(made['types'])} types, {len(known)} sets of names, {OUTPUT.stat().st_size:,} bytes")


def keys_of(target: Any) -> tuple[tuple[str, ...], list[Any]] | None:
    """The names of an architecture's tensors, and those whose size tells the scale; None where it cannot be built."""
    states = {scale: state for scale in SCALES if (state := _state(target, scale))}
    if not states or not any(len(state) > 3 for state in states.values()):
        return None
    names = {key for state in states.values() for key in state}
    patterns = tuple(sorted({re.sub(r"\d+", "#", key) for key in names if not key.endswith(BUFFERS)}))
    telling = []
    for key in sorted(names):
        sizes = {scale: state.get(key) for scale, state in states.items()}
        if len({str(size) for size in sizes.values()}) > 1 and not key.endswith(BUFFERS):
            telling.append([key, {str(scale): list(size) if size else None for scale, size in sizes.items()}])
    telling.sort(key=lambda one: -len({str(size) for size in one[1].values()}))
    return patterns, telling[:3]


def _state(target: Any, scale: int) -> dict[str, tuple[int, ...]] | None:
    import torch

    parameters = inspect.signature(target.__init__ if inspect.isclass(target) else target).parameters
    arguments: dict[str, Any] = {name: value for name, value in CHANNELS.items() if name in parameters}
    arguments |= {name: scale for name in ("scale", "upscale") if name in parameters}
    for device in ("meta", "cpu"):
        try:
            with torch.device(device):
                return {key: tuple(value.shape) for key, value in target(**arguments).state_dict().items()}
        except Exception:
            continue
    return None


if __name__ == "__main__":
    main()
