"""The trainers whose configs are read: where each keeps what calibration needs, and how its configs are recognised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from autocal_cli.config.model import BLOCK_KEY, RECORD_KEY, KeyPath
from autocal_cli.config.yaml.document import ConfigDocument, ScalarNode, lookup
from autocal_cli.errors import AutocalError, Place


@dataclass(frozen=True, slots=True)
class TrainerLayout:
    """The key paths of one trainer's config. Where several are given, the first that is present counts.

    `on_block` is what the unmodified trainer does with a scheduling block in its config. `crop` are the keys of a
    dataset that give the side of the training crop, and whether that is in LQ pixels (to be multiplied by the scale);
    `training_crop`, where the trainer has it, is the key at the top level that overrides them
    for training sets.
    """

    trainer: str
    on_block: Literal["carries out", "ignores", "rejects"]
    language: Literal["yaml", "toml"] = "yaml"
    total_iter: tuple[KeyPath, ...] = (("train", "total_iter"), ("train", "niter"))
    batch_per_gpu: tuple[KeyPath, ...] = (
        ("datasets", "train", "batch_size_per_gpu"),
        ("datasets", "train", "batch_size"),
    )
    accumulation: tuple[KeyPath, ...] = (("datasets", "train", "accum_iter"), ("train", "accum_iter"))
    total_iter_default: int | None = None
    gpus: KeyPath = ("num_gpu",)
    scale: KeyPath = ("scale",)
    losses: KeyPath = ("train", "losses")
    network: KeyPath = ("network_g",)
    weights: KeyPath = ("path", "pretrain_network_g")
    discriminator: KeyPath = ("network_d",)
    datasets: KeyPath = ("datasets",)
    training_images: KeyPath = ("datasets", "train", "dataroot_gt")
    crop: tuple[tuple[str, bool], ...] = (("gt_size", False), ("lq_size", True))
    training_crop: str | None = None
    block: KeyPath = ("train", BLOCK_KEY)


# msgspec refuses keys that its structs do not declare (traiNNer/utils/redux_options.py).
REDUX = TrainerLayout("traiNNer-redux", "rejects")
FORK = TrainerLayout("traiNNer-redux-fork", "carries out")
# These take options out of dictionaries, so that a key they do not ask for goes unnoticed.
BASICSR = TrainerLayout("BasicSR", "ignores")
REAL_ESRGAN = TrainerLayout("Real-ESRGAN", "ignores", training_crop="gt_size")  # of the model, after degradation
NEOSR = TrainerLayout(
    "neosr",
    "ignores",
    language="toml",
    total_iter=(("logger", "total_iter"),),  # optimiser steps: multiplied by `accumulate` for the loop (train.py)
    total_iter_default=1_000_000,
    batch_per_gpu=(("datasets", "train", "batch_size"),),
    accumulation=(("datasets", "train", "accumulate"),),
    crop=(("patch_size", True),),  # of LQ images (neosr/data/transforms.py)
)

TRAINERS: tuple[TrainerLayout, ...] = (REDUX, FORK, BASICSR, REAL_ESRGAN, NEOSR)

# Options that the fork declares and traiNNer-redux refuses (their redux_options.py, compared in November 2026).
FORK_MARKS: tuple[KeyPath, ...] = (
    ("train", "training_automations"),
    ("auto_vram_management",),
    ("enable_sequences",),
    ("compression_formats",),
    ("p_clean",),
    ("webp_prob",),
)
# Where the record of a calibration names the trainer that the config was taken for.
RECORDED: KeyPath = (*FORK.block, RECORD_KEY, "made", "trainer")


def recognise_trainer(document: ConfigDocument, kind: str | None = None) -> TrainerLayout:
    """The layout of the trainer that a config is written for: `kind` where it is given, else by the file's own shape.

    TOML is neosr's. `model_type: RealESR...` is Real-ESRGAN's, and any other `...Model` BasicSR's: their registries
    hold classes of such names, and traiNNer-redux knows no `model_type`. The fork's own options mark the fork. Then
    counts what the record of a calibration says, since the block that autocal writes must not make a config the
    fork's; a block without a record does. Without any of these, an `io_backend` and no list of losses mark BasicSR,
    whose older files lack `model_type`; all else is traiNNer-redux, the strictest.

    Raises AutocalError where `kind` is no trainer that is known, or one that reads another language.
    """
    if kind is not None:
        layout = trainer_named(kind)
        if layout.language != document.language:
            message = f"{layout.trainer} reads {layout.language.upper()}; this is {document.language.upper()}."
            raise AutocalError(message, place=Place(document.path), fix="Name another --trainer-kind, or none.")
        return layout
    if document.language == "toml":
        return NEOSR
    model_type = text_at(document, ("model_type",))
    if model_type.endswith("Model"):
        return REAL_ESRGAN if model_type.startswith("RealESR") else BASICSR
    if any(lookup(document, path) is not None for path in FORK_MARKS):
        return FORK
    recorded = text_at(document, RECORDED)
    if any(layout.trainer == recorded for layout in TRAINERS if layout.language == document.language):
        return trainer_named(recorded)
    if lookup(document, FORK.block) is not None:
        return FORK
    if lookup(document, ("datasets", "train", "io_backend")) and lookup(document, REDUX.losses) is None:
        return BASICSR
    return REDUX


def trainer_named(kind: str) -> TrainerLayout:
    """The layout of a trainer by its name, in upper or lower case. Raises AutocalError where there is none such."""
    named = next((layout for layout in TRAINERS if layout.trainer.lower() == kind.lower()), None)
    if named is None:
        known = ", ".join(layout.trainer for layout in TRAINERS)
        raise AutocalError(f"There is no trainer kind {kind}.", fix=f"Known: {known}.")
    return named


def text_at(document: ConfigDocument, path: KeyPath) -> str:
    """The scalar at a path as it is written; empty where there is none."""
    pair = lookup(document, path)
    node = document.follow(pair.value) if pair else None
    return node.value if isinstance(node, ScalarNode) else ""
