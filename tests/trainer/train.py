"""Starts the small trainer: a strict config, a log, checkpoints, --auto_resume."""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
from pathlib import Path

import torch
import yaml
from traiNNer.models import build_model

KNOWN = {"name", "model_type", "accum_iter", "train", "fails_at", "breaks_at"}
KNOWN_IN_TRAIN = {"total_iter", "losses"}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-opt", required=True)
    parser.add_argument("--auto_resume", action="store_true")
    args = parser.parse_args()
    opt = yaml.safe_load(Path(args.opt).read_text("utf-8"))
    if unknown := (opt.keys() - KNOWN) | (opt["train"].keys() - KNOWN_IN_TRAIN):
        raise ValueError(f"Object contains unknown field {unknown}")
    root = Path("experiments") / opt["name"]
    states = root / "training_states"
    states.mkdir(parents=True, exist_ok=True)
    shutil.copy(args.opt, root)
    opt["path"] = {"experiments_root": str(root), "training_states": str(states), "resume_state": None}
    log = logging.getLogger("traiNNer")  # as the real ones set it up
    log.handlers, log.propagate = [logging.FileHandler(root / "train.log", encoding="utf-8")], False
    log.setLevel(logging.INFO)
    newest = max((int(path.stem) for path in states.glob("*.state")), default=0) if args.auto_resume else 0
    if newest:
        opt["path"]["resume_state"] = str(states / f"{newest}.state")
    model = build_model(opt)
    if newest:
        model.resume_training(torch.load(opt["path"]["resume_state"], weights_only=True))
    train(model, opt, newest)


def train(model, opt, current_iter):
    while current_iter < opt["train"]["total_iter"]:
        for accum in range(model.accum_iters):
            applies = accum == model.accum_iters - 1
            current_iter += applies
            model.optimize_parameters(current_iter, 0 if applies else accum + 1, applies)
        message = " ".join(f"{name}: {value:.6e}" for name, value in (model.get_current_log or dict)().items())
        logging.getLogger("traiNNer").info("[iter: %d] %s", current_iter, message)
        if current_iter % 5 == 0:
            model.save_training_state(0, current_iter)
        if current_iter == opt.get("fails_at"):
            raise RuntimeError("the trainer's own trouble")
    model.save_training_state(0, -1)
    sys.exit(7 if opt["name"] == "seven" else 0)


if __name__ == "__main__":
    main()
