"""What the calibrated schedule does to real training, against everything else a user would pick.

ParagonSR2 learns to enlarge photographs (AdamW, low resolution by area averaging) with three sets of losses, the weight
of the last loss of each right (x1) or wrong by a factor. Methods: see efficacy_methods/. Each run reports PSNR, SSIM,
LPIPS where its weights are installed (lpips_weights.py; smaller is better), the energy at high frequencies beside the
original's ("detail"), how often a fresh classifier tells enlarged crops from
real ones ("told apart", adversarial sets only), and the time of a step. Photographs held out are never learnt from.

    python benchmarks/efficacy.py --small FOLDER       ends in about 20 minutes on 2 cores
    python benchmarks/efficacy.py --full FOLDER        for a GPU: three networks, two scales, five factors, five seeds
    python benchmarks/efficacy.py --small FOLDER --vary drift       the scheduler's own numbers, changed one by one

Finished runs are kept in OUT/runs.csv, and a run that is there is not made again: interrupt it and go on whenever you
like. OUT also gets table.md, a PNG a table, and efficacy.html.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path

import torch
from efficacy_losses import LOSS_SETS
from efficacy_methods import METHODS
from efficacy_methods.variations import FAMILIES
from efficacy_page import REMARKS, Shown, page, plot
from efficacy_plan import FULL, SMALL, Outcomes, Plan, changed
from efficacy_run import Outcome, Setting, bicubic, one_run
from efficacy_table import groups, markdown, table, where_autocal_loses
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from small_photographs import Photographs, load_photographs


def main() -> None:
    arguments = parsed_arguments()
    plan = planned(arguments)
    arguments.out.mkdir(parents=True, exist_ok=True)
    outcomes = Outcomes(arguments.out / "runs.csv")
    missing = [setting for setting in plan.settings() if setting not in outcomes.rows]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn()) as progress:
        task = progress.add_task("runs", total=len(plan.settings()), completed=len(plan.settings()) - len(missing))
        for setting, outcome in made(missing, plan, arguments):
            outcomes.add(setting, outcome)
            progress.advance(task)
    report(outcomes, plan, arguments.folder, arguments.out)


def parsed_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="photographs, in any depth; every 25th is held out")
    size = parser.add_mutually_exclusive_group(required=True)
    size.add_argument("--small", action="store_const", dest="plan", const=SMALL, help="for a CPU")
    size.add_argument("--full", action="store_const", dest="plan", const=FULL, help="for a GPU")
    parser.add_argument("--losses", nargs="+", choices=list(LOSS_SETS))
    methods = parser.add_mutually_exclusive_group()
    methods.add_argument("--methods", nargs="+", choices=list(METHODS))
    methods.add_argument("--vary", nargs="+", choices=list(FAMILIES), help="in place of other methods")
    parser.add_argument("--variants", nargs="+", metavar="VARIANT", help="of ParagonSR2: nano, micro, tiny, ...")
    parser.add_argument("--scales", nargs="+", type=int, metavar="N")
    parser.add_argument("--factors", nargs="+", type=float, metavar="X", help="by which the weight is wrong")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--out", type=Path, default=Path("efficacy"), help="a folder; default: efficacy")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=int, help="processes; default: one a core on the CPU, else one")
    return parser.parse_args()


def planned(arguments: argparse.Namespace) -> Plan:
    if arguments.vary:
        varied = (name for family in arguments.vary for name in FAMILIES[family])
        arguments.methods = ["static", "autocal", *varied]
    names = ("losses", "methods", "variants", "scales", "factors", "seeds", "steps")
    return changed(arguments.plan, **{name: getattr(arguments, name) for name in names})


def made(settings: list[Setting], plan: Plan, arguments: argparse.Namespace) -> Iterator[tuple[Setting, Outcome]]:
    """Every run with its outcome, in the order in which they end."""
    workers = arguments.workers or (os.cpu_count() or 1 if arguments.device == "cpu" else 1)
    context = multiprocessing.get_context("spawn")
    start = (arguments.folder, plan.held_out, arguments.device)
    with ProcessPoolExecutor(workers, context, initializer=Worker.begin, initargs=start) as pool:
        waiting = {pool.submit(Worker.run, setting): setting for setting in settings}
        try:
            for done in as_completed(waiting):
                yield waiting[done], done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


class Worker:
    """One process: it holds the photographs, as they are at each scale."""

    folder: Path
    held_out: int
    device: torch.device
    photographs: dict[int, Photographs]

    @classmethod
    def begin(cls, folder: Path, held_out: int, device: str) -> None:
        torch.set_num_threads(1)
        cls.folder, cls.held_out, cls.device, cls.photographs = folder, held_out, torch.device(device), {}

    @classmethod
    def run(cls, setting: Setting) -> Outcome:
        if setting.scale not in cls.photographs:
            cls.photographs[setting.scale] = photographs_of(cls.folder, setting.scale, cls.held_out)
        return one_run(setting, cls.photographs[setting.scale], cls.device)


def photographs_of(folder: Path, scale: int, held_out: int) -> Photographs:
    """Those to learn from, and the first `held_out` of those that are held out."""
    found = load_photographs(folder, scale)
    return replace(found, held_out=found.held_out[:held_out])


def report(outcomes: Outcomes, plan: Plan, folder: Path, out: Path) -> None:
    """The tables on standard output and in files, of the runs of this plan alone."""
    wanted = plan.settings()
    found = groups({setting: outcomes.rows[setting] for setting in wanted if setting in outcomes.rows})
    loses = where_autocal_loses(found) or ["nowhere by more than the noise of the seeds"]
    scales = {group.scale: bicubic(photographs_of(folder, group.scale, plan.held_out), group.scale) for group in found}
    shown = [Shown(group.title, plot(group), table(group, scales[group.scale])) for group in found]
    for group, drawn in zip(found, shown, strict=True):
        name = f"{group.losses.replace('+', '-')}-{group.variant}-x{group.scale}.png"
        (out / name).write_bytes(drawn.picture)
    remarks = "\n".join([f"{REMARKS}:", "", *(f"- {line}" for line in loses)])
    text = "\n\n".join([*(markdown(drawn.title, drawn.cells) for drawn in shown), remarks])
    (out / "table.md").write_text(text + "\n", encoding="utf-8")
    (out / "efficacy.html").write_text(page(shown, loses), encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
