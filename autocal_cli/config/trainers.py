"""The trainers whose configs are read: where each keeps what calibration needs, and how its configs are recognised."""

from __future__ import annotations

from dataclasses import dataclass

from autocal_cli.config.document import ConfigDocument
from autocal_cli.config.reading import lookup
from autocal_cli.config.record import BLOCK_KEY, KeyPath
from autocal_cli.errors import AutocalError


@dataclass(frozen=True, slots=True)
class TrainerLayout:
    """The key paths of one trainer's config. Where several are given, the first that is present counts.

    `accepts_block` is whether the unmodified trainer gets past a config with the scheduling block in it.
    """

    trainer: str
    accepts_block: bool = True
    total_iter: tuple[KeyPath, ...] = (("train", "total_iter"), ("train", "niter"))
    batch_per_gpu: tuple[KeyPath, ...] = (
        ("datasets", "train", "batch_size_per_gpu"),
        ("datasets", "train", "batch_size"),
    )
    accumulation: tuple[KeyPath, ...] = (("datasets", "train", "accum_iter"), ("train", "accum_iter"))
    gpus: KeyPath = ("num_gpu",)
    scale: KeyPath = ("scale",)
    losses: KeyPath = ("train", "losses")
    network: KeyPath = ("network_g",)
    weights: KeyPath = ("path", "pretrain_network_g")
    discriminator: KeyPath = ("network_d",)
    datasets: KeyPath = ("datasets",)
    training_images: KeyPath = ("datasets", "train", "dataroot_gt")
    block: KeyPath = ("train", BLOCK_KEY)


REDUX = TrainerLayout("traiNNer-redux", accepts_block=False)  # msgspec refuses keys that it does not know
FORK = TrainerLayout("traiNNer-redux-fork")
BASICSR = TrainerLayout("BasicSR")  # ignores keys that it does not know

TRAINERS: tuple[TrainerLayout, ...] = (REDUX, FORK, BASICSR)


def recognise_trainer(document: ConfigDocument, kind: str | None = None) -> TrainerLayout:
    """The layout of the trainer that a config is written for: `kind` where it is given, else by the file's own shape.

    Raises AutocalError where `kind` is no trainer that is known.
    """
    if kind is not None:
        named = next((layout for layout in TRAINERS if layout.trainer.lower() == kind.lower()), None)
        if named is None:
            known = ", ".join(layout.trainer for layout in TRAINERS)
            raise AutocalError(f"There is no trainer kind {kind}.", fix=f"Known: {known}.")
        return named
    if lookup(document, FORK.block) is not None:
        return FORK
    if lookup(document, ("datasets", "train", "io_backend")) and lookup(document, REDUX.losses) is None:
        return BASICSR
    return REDUX
