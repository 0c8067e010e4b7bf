"""autocal's scheduler with the block that `autocal calibrate --no-dataset` writes for this network and run."""

from __future__ import annotations

from typing import Any

from autocal_cli.calibration.calibrate import calibrate
from autocal_cli.calibration.presets import load_presets
from autocal_cli.calibration.resolved import resolved_values
from autocal_cli.config.losses import loss_kind
from autocal_cli.config.model import LossTerm, NetworkOptions, TrainingConfig
from autocal_cli.errors import Place
from autocal_cli.network.fingerprint import fingerprint_network
from autocal_cli.runtime import DynamicLossScheduler
from efficacy_methods.task import Objective, Task


def autocal(task: Task) -> Objective:
    return scheduler(task, {}).total


def autocal_shares(task: Task) -> Objective:
    """The same, with the shares of the pull held in both directions (`gradient_shares`)."""
    return scheduler(task, {"gradient_shares": dict(task.shares)}).total


def scheduler(task: Task, by_hand: dict[str, Any]) -> DynamicLossScheduler:
    losses = {name: {"type": task.types[name], "loss_weight": weight} for name, weight in task.weights.items()}
    return DynamicLossScheduler.from_config({**resolved_block(task), **by_hand}, losses, task.steps)


def resolved_block(task: Task) -> dict[str, Any]:
    nowhere = Place("efficacy.py")
    network = NetworkOptions(task.network, {}, nowhere, {})
    terms = tuple(LossTerm(task.types[n], loss_kind(task.types[n]), w, nowhere) for n, w in task.weights.items())
    config = TrainingConfig(
        "efficacy.py", "", scale=task.scale, total_iter=task.steps, batch_size=task.batch, losses=terms, network=network
    )
    block = dict(resolved_values(calibrate(config, fingerprint_network(network, task.scale), None, load_presets())))
    return {**block, "auto_calibrate": False}
