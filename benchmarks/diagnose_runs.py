"""Trainings of real trainers on the CPU that are made to go wrong on purpose: the logs behind tests/cases_diagnose.

    python benchmarks/diagnose_runs.py CHECKOUT PHOTOGRAPHS RUNS [--cases gan_right,gan_x100] [--python PYTHON]

CHECKOUT is BasicSR, traiNNer-redux or its fork; PHOTOGRAPHS a folder of at least ten; all is written under RUNS.
PYTHON is the trainer's own, where it is not this one. `--scheduled` starts each through `autocal run`, which PYTHON
must then be able to import; `--iterations N` cuts every run to N. A run takes 40 s to 3 minutes on a core. At the end
stands what `autocal diagnose` says of each; RUNS/cases/NAME holds its logs without the options that it does not read.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import runpy
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

CROP, CROPS, VALIDATED = 128, 150, 8  # pixels; crops to train on, and to validate on
TINY = (80, 2)  # pixels and number of those to collapse on
PRINTED, VALIDATION, SAVED = 20, 50, 250  # iterations


@dataclass(frozen=True, slots=True)
class Case:
    """A training and what is wrong with it. `killed_at`: iterations at which it is killed; resumed after all but one
    that `ends_killed`."""

    name: str
    total: int
    gan: float | None = None  # weight of the adversarial loss
    rate: float = 2e-4
    rate_d: float | None = None  # None: as the generator's
    data: str = "train"
    pretrained: bool = True  # from the network of the case `psnr`
    killed_at: tuple[int, ...] = ()
    ends_killed: bool = False


CASES = (
    Case("psnr", 2_000, rate=1e-3, pretrained=False),
    Case("gan_right", 1_000, gan=0.005),
    Case("gan_x100", 700, gan=0.5),
    Case("disc_x20", 800, gan=0.005, rate_d=4e-3),
    Case("disc_frozen", 600, gan=0.005, rate_d=0.0),
    Case("nan", 400, gan=0.005, rate=1e8, rate_d=2e-4),
    Case("rate_x30", 1_000, rate=3e-2, pretrained=False),
    Case("tiny", 1_000, gan=0.05, data="tiny", rate=1e-3),
    Case("overfit", 3_000, data="tiny", rate=1e-3, pretrained=False),
    Case("resumed", 1_200, rate=1e-3, pretrained=False, killed_at=(330, 620)),
    Case("killed", 1_200, rate=1e-3, pretrained=False, killed_at=(730,), ends_killed=True),
)

# The configs.


def basicsr_config(case: Case, runs: Path) -> dict[str, Any]:
    """The options of BasicSR for a case."""
    train, start = data_folder(runs, case.data), runs / "experiments/psnr/models/net_g_latest.pth"
    optim: dict[str, Any] = {"type": "Adam", "weight_decay": 0, "betas": [0.9, 0.99]}
    pair = {"type": "PairedImageDataset", "io_backend": {"type": "disk"}}
    better = {"crop_border": 2, "test_y_channel": True, "better": "higher"}
    config: dict[str, Any] = {
        "name": case.name, "model_type": "SRModel", "scale": 2, "num_gpu": 0, "manual_seed": 0,
        "datasets": {
            "train": {**pair, "name": "crops", "dataroot_gt": f"{train}/hr", "dataroot_lq": f"{train}/lr",
                      "gt_size": 48, "use_hflip": True, "use_rot": True, "num_worker_per_gpu": 0,
                      "batch_size_per_gpu": 4, "dataset_enlarge_ratio": 50, "prefetch_mode": None, "use_shuffle": True},
            "val": {**pair, "name": "val", "dataroot_gt": f"{runs}/data/val/hr", "dataroot_lq": f"{runs}/data/val/lr"},
        },
        "network_g": {"type": "SRVGGNetCompact", "num_in_ch": 3, "num_out_ch": 3, "num_feat": 16, "num_conv": 4,
                      "upscale": 2},
        "path": {"pretrain_network_g": str(start) if case.pretrained and start.exists() else None,
                 "strict_load_g": True, "resume_state": None},
        "train": {"ema_decay": 0, "optim_g": {**optim, "lr": case.rate},
                  "scheduler": {"type": "MultiStepLR", "milestones": [int(case.total * 0.7)], "gamma": 0.5},
                  "total_iter": case.total, "warmup_iter": -1,
                  "pixel_opt": {"type": "L1Loss", "loss_weight": 1.0, "reduction": "mean"}},
        "val": {"val_freq": VALIDATION, "save_img": False, "pbar": False,
                "metrics": {name: {"type": f"calculate_{name}", **better} for name in ("psnr", "ssim")}},
        "logger": {"print_freq": PRINTED, "save_checkpoint_freq": SAVED, "use_tb_logger": True,
                   "wandb": {"project": None, "resume_id": None}},
        "dist_params": {"backend": "gloo", "port": 29500},
    }  # fmt: skip
    if case.gan is not None:
        config["model_type"] = "SRGANModel"
        config["network_d"] = {"type": "UNetDiscriminatorSN", "num_in_ch": 3, "num_feat": 8}
        config["train"] |= {
            "ema_decay": 0.99, "optim_d": {**optim, "lr": case.rate if case.rate_d is None else case.rate_d},
            "gan_opt": {"type": "GANLoss", "gan_type": "vanilla", "real_label_val": 1.0, "fake_label_val": 0.0,
                        "loss_weight": case.gan},
            "net_d_iters": 1, "net_d_init_iters": 0,
        }  # fmt: skip
    return config


def redux_config(case: Case, runs: Path) -> dict[str, Any]:
    """The options of traiNNer-redux, which its fork takes too."""
    train = data_folder(runs, case.data)
    models = runs / "experiments/psnr/models"
    start = next(iter(sorted(models.glob("net_g_*.safetensors"), key=lambda file: file.stat().st_mtime)[-1:]), None)
    optim: dict[str, Any] = {"type": "AdamW", "weight_decay": 0, "betas": [0.9, 0.99]}
    metric = {"crop_border": 2, "test_y_channel": False}
    config: dict[str, Any] = {
        "name": case.name, "scale": 2, "use_amp": False, "num_gpu": 0, "manual_seed": 0, "use_channels_last": False,
        "fast_matmul": False, "use_compile": False,
        "datasets": {
            "train": {"name": "crops", "type": "pairedimagedataset", "dataroot_gt": [f"{train}/hr"],
                      "dataroot_lq": [f"{train}/lr"], "lq_size": 24, "use_hflip": True, "use_rot": True,
                      "num_worker_per_gpu": 1, "batch_size_per_gpu": 4, "accum_iter": 1, "pin_memory": False,
                      "dataset_enlarge_ratio": 20},
            "val": {"name": "val", "type": "pairedimagedataset", "dataroot_gt": [f"{runs}/data/val/hr"],
                    "dataroot_lq": [f"{runs}/data/val/lr"]},
        },
        "network_g": {"type": "compact", "num_feat": 16, "num_conv": 4},
        "path": {"pretrain_network_g": str(start) if case.pretrained and start else None, "strict_load_g": True,
                 "resume_state": None},
        "train": {"ema_decay": 0, "grad_clip": False, "optim_g": {**optim, "lr": case.rate},
                  "scheduler": {"type": "MultiStepLR", "milestones": [int(case.total * 0.7)], "gamma": 0.5},
                  "total_iter": case.total, "warmup_iter": -1, "losses": [{"type": "l1loss", "loss_weight": 1.0}]},
        "val": {"val_enabled": True, "val_freq": VALIDATION, "save_img": False, "tile_size": 0, "metrics_enabled": True,
                "metrics": {name: {"type": f"calculate_{name}", **metric} for name in ("psnr", "ssim")}},
        "logger": {"print_freq": PRINTED, "save_checkpoint_freq": SAVED, "save_checkpoint_format": "safetensors",
                   "use_tb_logger": True},
    }  # fmt: skip
    if case.gan is not None:
        config["network_d"] = {"type": "unetdiscriminatorsn", "num_in_ch": 3, "num_feat": 8}
        config["train"]["ema_decay"] = 0.99
        config["train"]["optim_d"] = {**optim, "lr": case.rate if case.rate_d is None else case.rate_d}
        config["train"]["losses"].append({"type": "ganloss", "gan_type": "vanilla", "loss_weight": case.gan})
    return config


# The scheduler's block where it is asked for: nothing in it comes from the data, so that runs stay comparable.
BLOCK = {"auto_calibrate": False, "momentum": 0.85, "adaptation_rate": 0.015, "adaptation_threshold": 0.04,
         "max_weight": 5.0, "baseline_iterations": 20}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Trainer:
    """A trainer by its package: the module that holds its `train_pipeline(root)`, and its options for a case."""

    package: str
    module: str
    config: Callable[[Case, Path], dict[str, Any]]


TRAINERS = (Trainer("basicsr", "basicsr.train", basicsr_config), Trainer("traiNNer", "train", redux_config))


def write_config(trainer: Trainer, case: Case, runs: Path, scheduled: bool) -> Path:
    """The config file of a case, RUNS/configs/NAME.yml."""
    import yaml

    config = trainer.config(case, runs)
    if scheduled:
        config["train"]["dynamic_loss_scheduling"] = BLOCK
    path = runs / "configs" / f"{case.name}.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8", newline="\n")
    return path


# The data.


def data_folder(runs: Path, name: str) -> Path:
    return runs / "data" / name


def write_crops(photographs: Path, runs: Path) -> None:
    """Crops of the photographs as pairs hr, lr (half the size, bicubic): train, tiny and val, each from other files."""
    from PIL import Image

    draw = random.Random(0)
    files = sorted(path for path in photographs.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if len(files) < 10:
        raise SystemExit(f"{photographs} holds {len(files)} photographs; 10 are needed.")
    middle = max(2, len(files) - VALIDATED)
    wanted = {
        "train": (files[:middle], CROP, CROPS),
        "tiny": (files[:2], *TINY),
        "val": (files[middle:], CROP, VALIDATED),
    }
    for name, (chosen, size, count) in wanted.items():
        for index in range(count):
            with Image.open(chosen[index % len(chosen)]) as image:
                picture = image.convert("RGB")
            x, y = (draw.randrange(0, side - size + 1, 2) for side in picture.size)
            crop = picture.crop((x, y, x + size, y + size))
            for kind, out in (("hr", crop), ("lr", crop.resize((size // 2, size // 2), Image.Resampling.BICUBIC))):
                path = data_folder(runs, name) / kind / f"{index:03}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                out.save(path)


# The run.


def run_case(case: Case, config: Path, asked: argparse.Namespace) -> None:
    """Starts the trainer, kills and resumes it where the case says so, and waits for its end."""
    runs, folder = asked.runs, asked.runs / "experiments" / case.name
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [asked.python, __file__, "--child", str(asked.checkout), str(config), str(runs), str(asked.scheduled)]
    stops = [*case.killed_at, *([] if case.ends_killed else [None])]
    for index, stop in enumerate(stops):
        with (runs / f"{case.name}.out").open("ab") as out:
            started = [*command, *(["--auto_resume"] if index else [])]
            process = subprocess.Popen(started, cwd=runs, stdout=out, stderr=out, env=environment)
            while stop is not None and process.poll() is None and last_iteration(folder) < stop:
                time.sleep(1.0)
            if stop is not None:
                process.kill()
            process.wait()


def last_iteration(folder: Path) -> int:
    """The greatest iteration in the logs of an experiment."""
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in folder.glob("train_*.log")]
    found = [int(number.replace(",", "")) for text in texts for number in re.findall(r"iter:\s*([\d,]+), lr", text)]
    return max(found, default=0)


def child(checkout: Path, config: Path, runs: Path, scheduled: bool, rest: list[str]) -> None:
    """In the trainer's own process: what asks for CUDA answers for the CPU, then the trainer is started as it is."""
    import torch

    signal.signal(signal.SIGINT, signal.default_int_handler)
    trainer = trainer_of(checkout)
    sys.path.insert(1, str(checkout))
    torch.set_num_threads(1)
    for name in ("set_per_process_memory_fraction", "empty_cache", "reset_peak_memory_stats", "manual_seed",
                 "manual_seed_all", "max_memory_allocated", "max_memory_reserved", "memory_allocated",
                 "memory_reserved", "synchronize"):  # fmt: skip
        setattr(torch.cuda, name, lambda *_, **__: 0)  # each its own: torch.compile tells functions by identity
    torch.UntypedStorage.cuda = lambda self, *_, **__: self  # type: ignore[method-assign]
    torch.cuda.current_device = lambda: 0 if trainer.package == "traiNNer" else "cpu"  # type: ignore[assignment, return-value]
    if trainer.package == "traiNNer":
        card = type("Card", (), {"name": "cpu", "total_memory": 1, "major": 0, "minor": 0, "multi_processor_count": 1})
        torch.cuda.is_available = lambda: True
        torch.cuda.mem_get_info = lambda *_: (1, 1)
        torch.cuda.get_device_properties = lambda *_: card  # type: ignore[assignment]
        torch.cuda.get_device_name = lambda *_: "cpu"
        shutil.which = lambda *_, **__: None
        import traiNNer.check.check_dependencies as check  # type: ignore[import-not-found]

        check.check_dependencies = lambda: None
    script, arguments = runs / "start.py", ["-opt", str(config), *rest]
    lines = f"import {trainer.package}\nfrom {trainer.module} import train_pipeline\n\ntrain_pipeline({str(runs)!r})\n"
    script.write_text(lines, encoding="utf-8")  # by the trainers' own scripts, all would be written into the checkout
    if scheduled:
        from autocal_cli.workflow.run import run_trainer

        run_trainer(script, arguments, False, print)
        return
    sys.argv = [str(script), *arguments]
    runpy.run_path(str(script), run_name="__main__")


def trainer_of(checkout: Path) -> Trainer:
    for trainer in TRAINERS:
        if (checkout / trainer.package).is_dir():
            return trainer
    raise SystemExit(f"{checkout} is no checkout of {' or '.join(trainer.package for trainer in TRAINERS)}.")


# What is left of it.


def copy_logs(case: Case, runs: Path) -> Path:
    """The logs of a case without the options that diagnose does not read, and without paths."""
    folder = runs / "cases" / case.name
    folder.mkdir(parents=True, exist_ok=True)
    for log in sorted((runs / "experiments" / case.name).glob("train_*.log")):
        with log.open(encoding="utf-8", errors="replace") as lines:
            kept = "".join(line.replace(f"{runs}{os.sep}", "") for line in worth_keeping(lines))
        (folder / log.name).write_text(kept, encoding="utf-8", newline="\n")
    return folder


def worth_keeping(lines: Any) -> Iterator[str]:
    """Every line from the start of the training on, and those before it of which diagnose takes something."""
    from autocal_cli.diagnose.log_formats import OptionReader

    began = False
    facts: dict[str, str] = {}
    options = OptionReader(facts)
    for line in lines:
        began = began or "raining from epoch" in line
        before = dict(facts)
        options.take(line)
        if began or facts != before or re.match(r"\s*(- )?(type|optim_[gd])\b", line):
            yield line


def told(case: Case, runs: Path) -> str:
    """One row of the table: the health, and what is above info."""
    from autocal_cli.diagnose.verdict import diagnose
    from autocal_cli.errors import AutocalError
    from autocal_cli.workflow.diagnose import read_run

    try:
        found = diagnose(replace(read_run(runs / "experiments" / case.name), silent_for=1e9))
    except AutocalError as error:
        return f"| {case.name} | {error} | |"
    wrong = ", ".join(f"{one.code} {one.iteration:,}" for one in found.findings if one.severity != "info")
    return f"| {case.name} | {found.health} | {wrong or 'none'} |"


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        checkout, config, runs, scheduled = sys.argv[2:6]
        child(Path(checkout), Path(config), Path(runs), scheduled == "True", sys.argv[6:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--cases", default=",".join(case.name for case in CASES))
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--iterations", type=int)
    parser.add_argument("--scheduled", action="store_true")
    asked = parser.parse_args()
    asked.checkout, asked.runs = asked.checkout.resolve(), asked.runs.resolve()
    trainer, known = trainer_of(asked.checkout), {case.name: case for case in CASES}
    if not data_folder(asked.runs, "val").exists():
        write_crops(asked.photographs, asked.runs)
    rows = []
    for name in asked.cases.split(","):
        case = replace(known[name], total=asked.iterations) if asked.iterations else known[name]
        run_case(case, write_config(trainer, case, asked.runs, asked.scheduled), asked)
        copy_logs(case, asked.runs)
        rows.append(told(case, asked.runs))
        print(rows[-1], flush=True)
    print("\n| case | health | above info |\n|---|---|---|", *rows, sep="\n")


if __name__ == "__main__":
    main()
