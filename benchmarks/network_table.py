"""The packaged table of networks, from trainers' checkouts: presets/networks/*.jsonl.

    python benchmarks/network_table.py --python TRAINERS_PYTHON --work FILE NAME=FOLDER[:BASE] ...

NAME is a row of SOURCES, FOLDER its checkout, BASE the checkout that it stands on (BasicSR for Real-ESRGAN, a
traiNNer-redux for the repository of ParagonSR2). Every network that the trainer registers is built by the trainer's own
constructor, in a process of TRAINERS_PYTHON (an environment in which the trainer's packages are installed): with its
default arguments at each scale (a costly one at 4 and 2 alone), and with the arguments that the trainer's option files
give it. Parameters and MACs are counted as autocal counts them (autocal_cli/network). What cannot be built is told with
the reason. A fork's network whose code is the same, word for word, as that of the source that it is `like` is not built
again.

Each answer is appended to the file of --work, so that a run that was ended goes on where it stopped. Takes about an
hour a trainer on one core of a shared x86-64 machine; it runs the trainer's code.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import inspect
import json
import os
import queue
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "presets" / "networks"
SCALES = [4, 2, 1, 3, 8]
COSTLY = 3.0  # seconds of a processor for one scale, above which no scale beyond the first two is measured
LIMITS = {"describe": 20.0, "measure": 900.0, "probe": 1800.0}  # seconds
IMPORT_LIMIT = 180.0  # seconds
MEMORY = 6 * 1024**3  # bytes of a worker
SCALE_ARGUMENTS = ("scale", "upscale")

REDUX = ("SPANDREL_REGISTRY", "ARCH_REGISTRY", "TESTARCH_REGISTRY")  # in the order in which the trainer looks


@dataclass(frozen=True, slots=True)
class Source:
    """A trainer's repository.

    `trainer` is autocal's name of it; `registry` is the package whose utils.registry holds the networks. `hands_scale`:
    the config's scale is handed to the generator's constructor. `scale_at_import`: it is read from the command line.
    `like`: the source whose lines are not repeated where they are the same.
    """

    trainer: str
    repository: str
    package: str
    registry: str
    registries: tuple[str, ...] = ("ARCH_REGISTRY",)
    hands_scale: bool = False
    scale_at_import: bool = False
    like: str | None = None
    case_matters: bool = True


FORK = "traiNNer-redux-fork"
SOURCES = {
    "trainner-redux": Source(
        "traiNNer-redux", "the-database/traiNNer-redux", "traiNNer", "traiNNer", REDUX, True, case_matters=False
    ),
    "trainner-redux-fork": Source(
        FORK, "delafer/traiNNer-redux", "traiNNer", "traiNNer", REDUX, True, like="trainner-redux", case_matters=False
    ),
    "trainner-redux-phhofm": Source(
        FORK, "Phhofm/traiNNer-redux", "traiNNer", "traiNNer", REDUX, True, like="trainner-redux", case_matters=False
    ),
    "paragonsr2": Source(FORK, "Phhofm/ParagonSR2", "traiNNer", "traiNNer", REDUX, True, case_matters=False),
    # Its first commits (413f361), which registered other networks under the names that the second generation has today.
    "paragonsr2-first": Source(
        "paragonsr2-first", "Phhofm/ParagonSR2", "traiNNer", "traiNNer", REDUX, True, case_matters=False
    ),
    "basicsr": Source("BasicSR", "XPixelGroup/BasicSR", "basicsr", "basicsr"),
    "real-esrgan": Source("Real-ESRGAN", "xinntao/Real-ESRGAN", "realesrgan", "basicsr", like="basicsr"),
    "neosr": Source("neosr", "neosr-project/neosr", "neosr", "neosr", scale_at_import=True),
}

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


class Work:
    """Answers by job, in a file that outlives the run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, Any] = {}
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                entry = json.loads(line)
                self._known[entry["key"]] = entry["answer"]

    def get(self, key: str) -> Any:
        return self._known.get(key)

    def put(self, key: str, answer: Any) -> None:
        self._known[key] = answer
        with self._path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps({"key": key, "answer": answer}) + "\n")


class Trainer:
    """A checkout, asked one job at a time in a process of its own; started again after a job that ended it."""

    def __init__(self, name: str, folder: Path, base: str, python: str, work: Work, scale: int | None) -> None:
        source = SOURCES[name]
        self._spec = {
            "folder": str(folder),
            "base": base or None,
            "package": source.package,
            "registry": source.registry,
            "registries": source.registries,
            "scale": scale,
            "memory": MEMORY,
        }
        self._python = python
        self._work = work
        self._key = [name, commit_of(folder), scale]
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[str | None] = queue.Queue()

    def names(self) -> list[str]:
        opened = self._remembered({"what": "names"}, self._open)
        for part, reason in opened["unimported"]:
            print(f"  {part} cannot be imported: {reason}", flush=True)
        return list(opened["names"])

    def ask(self, what: str, type: str, **facts: Any) -> dict[str, Any]:
        job = {"what": what, "type": type, **facts}
        return dict(self._remembered(job, lambda: self._asked(job)))

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _remembered(self, job: Mapping[str, Any], work: Any) -> Any:
        key = json.dumps([*self._key, job], sort_keys=True)
        known = self._work.get(key)
        if known is None:
            known = work()
            self._work.put(key, known)
        return known

    def _asked(self, job: Mapping[str, Any]) -> Any:
        if self._process is None:
            self._open()
        self._send(job)
        return self._next(LIMITS[job["what"]])

    def _open(self) -> Any:
        self.close()
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [self._python, str(Path(__file__).with_name("network_table_worker.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self._spec["folder"],
            env={**os.environ, "PYTHONPATH": path},
            encoding="utf-8",
        )
        self._answers = queue.Queue()
        threading.Thread(target=receive, args=(self._process, self._answers), daemon=True).start()
        self._send(self._spec)
        opened = self._next(IMPORT_LIMIT)
        if "names" not in opened:
            raise SystemExit(f"{self._spec['folder']} cannot be imported: {opened['failed']}")
        return opened

    def _send(self, line: Mapping[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()

    def _next(self, seconds: float) -> Any:
        try:
            line = self._answers.get(timeout=seconds)
        except queue.Empty:
            self.close()
            return {"failed": f"it took more than {seconds:g} seconds"}
        if line is None:
            self.close()
            return {"failed": "it ended its process"}
        return json.loads(line)


def receive(process: subprocess.Popen[str], answers: queue.Queue[str | None]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        answers.put(line)
    answers.put(None)


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


@dataclass(frozen=True, slots=True)
class Twins:
    """The lines of another source, for the types whose code is the same there."""

    lines: Mapping[tuple[str, str], dict[str, Any]]
    there: Path | None
    here: Path

    def of(self, role: str, type: str, file: str) -> dict[str, Any] | None:
        line = self.lines.get((role, type))
        if line is None or self.there is None or line.get("file") != file or "failed" in line:
            return None
        return line if code_of(self.there, file) == code_of(self.here, file) != "" else None


GATHERING = ("__init__.py", "registry.py")


@cache
def code_of(folder: Path, file: str) -> str:
    """A hash of a module of a trainer's archs and of every definition of the trainer's that it uses.

    Empty where it is nowhere. What only gathers the networks doesn't count.
    """
    paths = [path for path in folder.glob(f"*/archs/{file}") if path.is_file()]
    if not paths:
        return ""
    package = paths[0].parents[1]
    waiting: list[tuple[Path, str]] = [(paths[0], "")]  # a module and a name in it; "" for the whole
    seen: dict[tuple[Path, str], str] = {}
    while waiting:
        path, name = waiting.pop()
        if (path, name) in seen or not path.is_file() or path.name in GATHERING:
            continue
        names = definitions(path)
        wanted = list(names) if name == "" else [name]
        seen[path, name] = "" if name == "" else ast.dump(names[name]) if name in names else "imported"
        for one in wanted:
            node = names.get(one)
            if node is None:
                continue
            if name == "":
                waiting.append((path, one))
                continue
            if isinstance(node, ast.ImportFrom):
                module = package.joinpath(*(node.module or "").split(".")[1:]).with_suffix(".py")
                own = (node.module or "").split(".")[0] == package.name
                waiting += [(module, alias.name) for alias in node.names if own and one == (alias.asname or alias.name)]
            else:
                used = {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}
                waiting += [(path, other) for other in used if other in names]
    texts = sorted(f"{path.relative_to(package)} {name} {text}" for (path, name), text in seen.items())
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


@cache
def definitions(path: Path) -> dict[str, ast.AST]:
    """What a module defines or imports at its top level, by name; other statements by their place among their like."""
    found: dict[str, ast.AST] = {}
    for index, node in enumerate(ast.parse(path.read_text(encoding="utf-8")).body):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.update({target.id: node for target in targets if isinstance(target, ast.Name)})
        elif isinstance(node, ast.ImportFrom | ast.Import):
            found.update({alias.asname or alias.name: node for alias in node.names})
        else:
            found[f"statement {index}"] = node
    return found


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
        sizes.append(row(arguments, scale if scaled else None, answer, scale))
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


def row(
    arguments: Mapping[str, Any], scale: int | None, answer: Mapping[str, Any], _asked: int | None
) -> dict[str, Any]:
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


def built_in_lines() -> dict[tuple[str, str], dict[str, Any]]:
    """The lines of the networks that autocal has itself, so that the usual ones need no torch."""
    from autocal_cli.network.paragonsr2.family import SCALES as OWN_SCALES
    from autocal_cli.network.paragonsr2.family import TYPES

    lines = {}
    for type in TYPES:
        defaults, foreign = built_in_arguments(type)
        arguments = {name: built_in_argument(type, name, default) for name, default in defaults.items()}
        lines["generator", type.lower()] = {
            "type": type.lower(),
            "role": "generator",
            "arguments": arguments | {name: {} for name in foreign},
            "sizes": [built_in_sizes(type, scale) for scale in OWN_SCALES],
        }
    return lines


def built_in_arguments(type: str) -> tuple[dict[str, Any], list[str]]:
    """The defaults of what a type takes but its scale; and what makes it a network of the other generation."""
    from autocal_cli.network.paragonsr2 import family
    from autocal_cli.network.paragonsr2.first import ParagonSR2
    from autocal_cli.network.paragonsr2.second import SecondParagonSR2

    variant = family.VARIANT_OF[type.lower()]
    second = variant in family.SECOND_VARIANTS
    of_class = {
        name: parameter.default
        for name, parameter in inspect.signature(SecondParagonSR2 if second else ParagonSR2).parameters.items()
    }
    if variant is None:
        return of_class, [name for name in family.SECOND_ARGUMENTS if name not in family.ARGUMENTS]
    return {name: {**of_class, **family.ALL_VARIANTS[variant]}[name] for name in family.accepted_by(variant)}, []


def built_in_argument(type: str, name: str, default: Any) -> dict[str, Any]:
    from network_table_worker import effect_among, others, plain

    if name == "scale":
        return {"default": default}
    found = [built_in_sizes(type, 4, {name: value}) for value in [*others(default, None)][:2]]
    effect = effect_among([one for one in found if one], built_in_sizes(type, 4))
    return {"default": plain(default), **({"effect": effect} if effect else {})}


def built_in_sizes(type: str, scale: int, arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Empty where the network does not take the arguments."""
    from autocal_cli.config.model import NetworkOptions
    from autocal_cli.errors import AutocalError, Place
    from autocal_cli.network.paragonsr2.family import check, measure_built

    network = NetworkOptions(type, arguments or {}, Place(""), {})
    try:
        check(network)
        found = measure_built(network, scale)
    except AutocalError:
        return {}
    sizes = {"parameters": found.parameters, "structure": found.structure, "macs": found.macs_per_pixel}
    return {"scale": scale, **sizes}


def built_in_header(measured: str) -> dict[str, Any]:
    import torch

    from autocal_cli.version import __version__

    head = {"trainer": "built-in", "repository": "autocal", "commit": __version__, "measured": measured}
    return {**head, "torch": torch.__version__.partition("+")[0], "hands_scale": True, "case_matters": False}


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


def commit_of(folder: Path) -> str:
    command = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def torch_of(python: str) -> str:
    command = [python, "-c", "import torch; print(torch.__version__)"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().partition("+")[0]


if __name__ == "__main__":
    main()
