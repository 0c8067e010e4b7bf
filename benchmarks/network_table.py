"""The packaged table of networks, from trainers' checkouts: presets/networks/*.jsonl.

    python benchmarks/network_table.py --python TRAINERS_PYTHON --work FILE NAME=FOLDER[:BASE] ...

NAME is a row of network_table_sources.py, FOLDER its checkout, BASE the checkout that it stands on (BasicSR for Real-
ESRGAN, a traiNNer-redux for the repository of ParagonSR2). Every network that the trainer registers is built by the
trainer's own constructor, in a process of TRAINERS_PYTHON (an environment in which the trainer's packages are
installed): with its default arguments at each scale (a costly one at 4 and 2 alone), and with the arguments that the
trainer's option files give it. Parameters and MACs are counted as autocal counts them (autocal_cli/network). What
cannot be built is told with the reason. A fork's network whose code is the same, word for word, as that of the source
that it is `like` is not built again.

Each answer is appended to the file of --work, so that a run that was ended goes on where it stopped. Takes about an
hour a trainer on one core of a shared x86-64 machine; it runs the trainer's code.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from network_table_process import Trainer, Work
from network_table_sources import SOURCES, Source, commit_of
from network_table_twins import Twins

OUT = Path(__file__).resolve().parents[1] / "presets" / "networks"
SCALES = [4, 2, 1, 3, 8]
COSTLY = 3.0  # seconds of a processor for one scale, above which no scale beyond the first two is measured
SCALE_ARGUMENTS = ("scale", "upscale")

# Registered, and no generator or discriminator of a training: feature extractors, metrics, a wrapper of other networks.
OTHERS = {
    *("vggfeatureextractor", "perceptualvgg", "lpips", "topiq", "cfanet", "autoencoder", "arcface", "resnetarcface"),
    *("lightcnn_29layers", "cft", "clipiqa"),
}
DISCRIMINATORS = {"dunet", "munet", "munet_old", "metagan", "metagan2", "metagan3", "unet", "ea2fpn", "patchgan"}
# Attention that is compiled for an accelerator has the same products in its plain form.
STAND_INS = {"escrealm": {"attn_type": "SDPA"}, "escrealm_xl": {"attn_type": "SDPA"}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkouts", nargs="*", metavar="NAME=FOLDER[:BASE]")
    parser.add_argument("--built-in", action="store_true", help="Measure autocal's own networks, too (built-in.jsonl).")
    parser.add_argument("--python", default=sys.executable, help="Of the environment that can import the trainers.")
    parser.add_argument("--work", type=Path, help="Answers so far; appended to.")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--no-probe", action="store_true", help="Leave out what each argument does.")
    parser.add_argument("--measured", default=date.today().isoformat(), help="The date that the files name.")
    parser.add_argument("--most-scales", type=int, default=len(SCALES), help="So many of SCALES; for a first round.")
    given = parser.parse_args()
    del SCALES[given.most_scales :]
    if given.built_in:
        from network_table_built_in import built_in_header, built_in_lines  # takes torch

        write(given.out / "built-in.jsonl", built_in_header(given.measured), built_in_lines(), given.out)
    if given.checkouts and given.work is None:
        parser.error("checkouts take --work FILE")
    work = Work(given.work or Path(os.devnull))
    folders = dict(checkout.partition("=")[::2] for checkout in given.checkouts)
    likes: dict[str | None, str] = {name: named.partition(":")[0] for name, named in folders.items()}
    for checkout in given.checkouts:
        name, _, folders = checkout.partition("=")
        folder, _, base = folders.partition(":")
        lines = measure_source(name, Path(folder), base, given.python, work, not given.no_probe, given.out, likes)
        write(given.out / f"{name}.jsonl", header(name, Path(folder), given.measured, given.python), lines, given.out)


def measure_source(
    name: str,
    folder: Path,
    base: str,
    python: str,
    work: Work,
    probing: bool,
    out: Path,
    likes: Mapping[str | None, str],
) -> dict[tuple[str, str], dict[str, Any]]:
    """The table's lines of one trainer, by role and type."""
    source = SOURCES[name]
    known = read_lines(out / f"{source.like}.jsonl") if source.like else {}
    like = Path(likes[source.like]) if source.like in likes else None
    print(f"{name}: {source.repository} at {commit_of(folder)[:10]}", flush=True)
    templates = list(networks_in(folder))
    lines = {}
    trainers = {
        scale: Trainer(name, folder, base, python, work, scale)
        for scale in (SCALES if source.scale_at_import else (None,))
    }
    try:
        first = next(iter(trainers.values()))
        for type in first.names():
            if bare(type).lower() in OTHERS:
                continue
            started = time.monotonic()
            if source.like and first.ask("describe", type).get("package", source.package) != source.package:
                borrowed = known.get(("generator", bare(type))) or known.get(("discriminator", bare(type)))
                if borrowed and (borrowed["role"], bare(type)) not in lines:
                    lines[borrowed["role"], bare(type)] = borrowed
                continue
            line = measure_type(source, trainers, type, templates, probing, Twins(known, like, folder))
            lines[line["role"], line["type"]] = line
            print(f"  {type:32} {told(line)} {time.monotonic() - started:6.1f} s", flush=True)
    finally:
        for trainer in trainers.values():
            trainer.close()
    return lines


def measure_type(
    source: Source,
    trainers: Mapping[int | None, Trainer],
    type: str,
    templates: Iterable[Any],
    probing: bool,
    twins: Twins,
) -> dict[str, Any]:
    role = "discriminator" if is_discriminator(source, type, templates) else "generator"
    first = next(iter(trainers.values()))
    described = first.ask("describe", type)
    if "failed" in described:
        return {"type": bare(type), "role": role, "failed": described["failed"]}
    uses = [(without_files(a), s) for r, t, a, s in templates if r == role and same(source, t, type)]
    twin = twins.of(role, bare(type), described["file"])
    if twin is not None and all(any(size.get("with", {}) == a for size in twin["sizes"]) for a, _ in uses):
        return twin
    sizes: list[dict[str, Any]] = []
    failed: dict[str, str] = {}
    costly = False
    for arguments, scale in wanted(source, described, role, uses):
        if costly and scale in SCALES[2:] and not any(scale == used for _, used in uses):
            continue
        if source.scale_at_import and scale is not None and scale not in trainers:
            continue
        trainer = trainers.get(scale, first)
        handed = {"scale": scale} if source.hands_scale and role == "generator" and takes(described, "scale") else {}
        facts = {"stand_in": STAND_INS[type.lower()]} if type.lower() in STAND_INS else {}
        answer = trainer.ask("measure", type, arguments={**arguments, **handed}, **facts)
        if "failed" in answer:
            failed[json.dumps([arguments, scale])] = answer["failed"]
            continue
        costly = costly or answer.get("seconds", 0.0) > COSTLY
        scaled = handed or (source.scale_at_import and role == "generator")
        sizes.append(row(arguments, scale if scaled else None, answer))
    line = {
        "type": bare(type),
        "role": role,
        "file": described["file"],
        **({"swallows": True} if described["swallows"] else {}),  # and "ignores", where nobody misses them
        "arguments": arguments_of(described, None),
        "sizes": sizes,
    }
    if not sizes:
        return {**line, "failed": next(iter(failed.values()), "nothing was tried")}
    if probing:
        handed = {"scale": sizes[0]["scale"]} if source.hands_scale and "scale" in sizes[0] else {}
        base = {**sizes[0].get("with", {}), **handed, **STAND_INS.get(type.lower(), {})}
        probed = first.ask("probe", type, arguments=base)
        line["arguments"] = arguments_of(described, probed)
        if probed.get("unknown") == "ignored":
            line["ignores"] = True
    return line


def wanted(
    source: Source, described: Mapping[str, Any], role: str, uses: Iterable[tuple[Mapping[str, Any], int | None]]
) -> Iterator[tuple[dict[str, Any], int | None]]:
    """Arguments and scales to measure: the defaults at each scale, then what option files give; each once."""
    seen = set()
    for arguments, scale in [*usual(source, described, role), *uses]:
        scale = scale if role == "generator" else None
        key = json.dumps([arguments, scale], sort_keys=True)
        if key not in seen:
            seen.add(key)
            yield dict(arguments), scale


def usual(source: Source, described: Mapping[str, Any], role: str) -> Iterator[tuple[dict[str, Any], int | None]]:
    if role == "discriminator":
        yield {}, None
    elif source.scale_at_import or (source.hands_scale and takes(described, "scale")):
        yield from (({}, scale) for scale in SCALES)
    else:
        argument = next((name for name in SCALE_ARGUMENTS if name in described["accepted"]), None)
        yield {}, None
        if argument and not source.hands_scale:
            yield from (({argument: scale}, None) for scale in SCALES)


def row(arguments: Mapping[str, Any], scale: int | None, answer: Mapping[str, Any]) -> dict[str, Any]:
    """One measurement; what is as usual is left out."""
    found: dict[str, Any] = {}
    if scale is not None:
        found["scale"] = scale
    if arguments:
        found["with"] = dict(arguments)
    found["parameters"] = answer["parameters"]
    found["structure"] = answer["structure"]
    if "macs_per_pixel" in answer:
        found["macs"] = round(answer["macs_per_pixel"], 1)
        if answer["side"] != 64:
            found["side"] = answer["side"]
        if answer["frames"]:
            found["frames"] = answer["frames"]
        if answer["enlargement"] is not None and answer["enlargement"] != scale:
            found["enlarges"] = answer["enlargement"]
    else:
        found["uncounted"] = answer["uncounted"]
    for name in ("rejected", "swallowed"):
        if answer[name]:
            found[name] = answer[name]
    return found


def arguments_of(described: Mapping[str, Any], probed: Mapping[str, Any] | None) -> dict[str, Any]:
    """By name: the default, the kinds of value, the effect. What is not known is left out."""
    effects = (probed or {}).get("effects", {})
    defaults = {**(probed or {}).get("defaults", {}), **described["defaults"]}
    found = {}
    for name in dict.fromkeys([*described["accepted"], *effects]):
        if effects.get(name) == "refused":
            continue
        found[name] = {
            **({"default": defaults[name]} if name in defaults else {}),
            **({"kinds": described["accepted"][name]} if described["accepted"].get(name) else {}),
            **({"required": True} if name in described["required"] else {}),
            **({"effect": effects[name]} if effects.get(name) in ("size", "none") else {}),
            **({"effect": "file"} if name.endswith("_path") and defaults.get(name, "") is None else {}),
        }
    return found


def without_files(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments without those that name a file of weights: it is not here, and makes no other network."""
    return {name: value for name, value in arguments.items() if not (name.endswith("_path") and isinstance(value, str))}


def takes(described: Mapping[str, Any], name: str) -> bool:
    return name in described["accepted"] or bool(described["swallows"])


def is_discriminator(source: Source, type: str, templates: Iterable[Any]) -> bool:
    named = any(role == "discriminator" and same(source, t, type) for role, t, _, _ in templates)
    return named or "discriminator" in type.lower() or type.lower() in DISCRIMINATORS


def same(source: Source, one: str, other: str) -> bool:
    """Whether two spellings are one type, as the trainer's registry compares them."""
    one, other = bare(one), bare(other)
    return one == other if source.case_matters else one.lower() == other.lower()


def bare(type: str) -> str:
    """A registered name as option files write it: a registry finds `name_basicsr` under `name`, too."""
    return type.removesuffix("_basicsr")


def networks_in(folder: Path) -> Iterator[tuple[str, str, dict[str, Any], int | None]]:
    """(role, type, arguments, scale) of the networks in a checkout's option files."""
    for path in sorted(folder.rglob("*")):
        if path.suffix not in (".yml", ".yaml", ".toml") or ".git" in path.parts:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        try:
            tree = tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)
        except (yaml.YAMLError, tomllib.TOMLDecodeError):
            continue
        if not isinstance(tree, dict):
            continue
        for key, role in (("network_g", "generator"), ("network_d", "discriminator")):
            network = tree.get(key)
            if isinstance(network, dict) and isinstance(network.get("type"), str):
                arguments = {name: value for name, value in network.items() if name != "type"}
                scale = tree.get("scale")
                yield role, network["type"], arguments, scale if isinstance(scale, int) else None


def header(name: str, folder: Path, measured: str, python: str) -> dict[str, Any]:
    source = SOURCES[name]
    return {
        "trainer": source.trainer,
        "repository": source.repository,
        "commit": commit_of(folder),
        "measured": measured,
        "torch": torch_of(python),
        "hands_scale": source.hands_scale,
        "case_matters": source.case_matters,
        **({"like": source.like} if source.like else {}),
    }


def write(path: Path, head: dict[str, Any], lines: Mapping[tuple[str, str], dict[str, Any]], out: Path) -> None:
    """The file: a header, then a line a network. What the source in `like` has just so is only named."""
    known = read_lines(out / f"{head['like']}.jsonl") if "like" in head else {}
    same = sorted(type for (role, type), line in lines.items() if known.get((role, type)) == line)
    kept = [line for (role, type), line in sorted(lines.items(), key=lambda item: item[0][1]) if type not in same]
    out.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in ({**head, "same": same}, *kept))
    path.write_text(text, encoding="utf-8", newline="\n")
    built = sum("failed" not in line for line in lines.values())
    print(f"{path.name}: {len(lines)} types, {built} built, {len(same)} as in {head.get('like')}; {len(text):,} bytes")


def read_lines(path: Path) -> dict[tuple[str, str], Any]:
    lines = path.read_text(encoding="utf-8").splitlines()[1:] if path.exists() else []
    return {(line["role"], line["type"]): line for line in map(json.loads, lines)}


def told(line: Mapping[str, Any]) -> str:
    if "failed" in line:
        return f"not built: {line['failed']}"
    first = line["sizes"][0]
    macs = f"{first['macs']:,.0f}" if "macs" in first else f"unknown ({first['uncounted']})"
    return f"{line['role'][0]} {len(line['sizes'])} sizes, {first['parameters']:>12,} parameters, {macs} MACs a pixel"


def torch_of(python: str) -> str:
    command = [python, "-c", "import torch; print(torch.__version__)"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().partition("+")[0]


if __name__ == "__main__":
    main()
