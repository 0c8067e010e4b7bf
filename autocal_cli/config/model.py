"""TrainingConfig: what autocal needs to know of a training config, with the place of every value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autocal_cli.errors import Place

Scalar = None | bool | int | float | str
Value = Scalar | list["Value"] | dict[str, "Value"]
KeyPath = tuple[str, ...]

BLOCK_KEY = "dynamic_loss_scheduling"
RECORD_KEY = "calibration"  # in the block: what autocal measured and wrote


@dataclass(frozen=True, slots=True)
class LossTerm:
    """One loss of the objective.

    `type` as written, `kind` as in `config.losses`, `weight` as configured (dimensionless). `table` is the key under
    which it stands where the losses are no list (`pixel_opt`); `style_weight` weighs the second value that BasicSR's
    perceptual loss returns. `arguments` are all its keys as written.
    """

    type: str
    kind: str
    weight: float
    place: Place
    table: str | None = None
    style_weight: float = 0.0
    arguments: Mapping[str, Value] = field(default_factory=dict, hash=False)

    @property
    def active(self) -> bool:
        """Trainers skip a loss whose weight is 0."""
        return self.weight != 0.0


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """`network_g` or `network_d` as written: the registered type and its keyword arguments.

    `argument_places` are those of the values, by the names of the arguments, and of the keys, by `NAME:`.
    """

    type: str
    arguments: Mapping[str, Value]
    place: Place
    argument_places: Mapping[str, Place]


@dataclass(frozen=True, slots=True)
class DatasetRoot:
    """One folder or file named in the config, e.g. key `datasets.train.dataroot_gt`."""

    key: str
    path: str
    place: Place


@dataclass(frozen=True, slots=True)
class DatasetSection:
    """One entry of `datasets` ("train", "val", "val_2", ...): where its images are, and how they are paired.

    `gt` and `lq` pair root by root; `meta_info` names the images where it is given; `filename_tmpl` makes the name of
    the LQ image, `{}` being that of the GT image, both without ending. `gt_size` is the side of the crop taken from GT
    images, in pixels; `crop_place` is where the config says so.
    """

    name: str
    gt: tuple[DatasetRoot, ...] = ()
    lq: tuple[DatasetRoot, ...] = ()
    meta_info: DatasetRoot | None = None
    filename_tmpl: str = "{}"
    gt_size: int | None = None
    crop_place: Place | None = None

    @property
    def trains(self) -> bool:
        """Trainers tell the phase by what stands before the first underscore."""
        return self.name.split("_")[0] == "train"


@dataclass(frozen=True, slots=True)
class SchedulingBlock:
    """The `dynamic_loss_scheduling` block as the trainer would read it, with the place of every key."""

    values: Mapping[str, Value]
    places: Mapping[KeyPath, Place]
    place: Place

    def place_of(self, path: KeyPath) -> Place:
        return self.places.get(path, self.place)

    @property
    def record(self) -> dict[str, Any] | None:
        """The record that autocal left in the block, as it stands there, or None."""
        record = self.values.get(RECORD_KEY)
        return record if isinstance(record, dict) and isinstance(record.get("made"), dict) else None


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """The facts that calibration rests on. A field is None (or empty) where the config does not say.

    `scale` is the enlargement factor; `total_iter` counts optimiser steps; `batch_size` is the images that one
    optimiser step sees (per GPU x accumulation x GPUs, as far as the config says); `weights` is the checkpoint that
    the network starts from; `model_type` the training model that BasicSR and its kin name. `own_scheduler`: the block
    is for the trainer's own scheduler, not for autocal's.
    """

    path: str
    trainer: str
    scale: int | None = None
    total_iter: int | None = None
    batch_size: int | None = None
    losses: tuple[LossTerm, ...] = ()
    network: NetworkOptions | None = None
    weights: DatasetRoot | None = None
    discriminator: NetworkOptions | None = None
    dataset_roots: tuple[DatasetRoot, ...] = ()
    datasets: tuple[DatasetSection, ...] = ()
    block: SchedulingBlock | None = None
    model_type: str | None = None
    own_scheduler: bool = False
    place: Place = field(default_factory=lambda: Place(""))

    @property
    def training_set(self) -> DatasetSection | None:
        """Where the training images are."""
        return next((section for section in self.datasets if section.name == "train"), None)

    @property
    def crop(self) -> int | None:
        """The side of the crop that training takes of GT images, in pixels."""
        return self.training_set.gt_size if self.training_set else None

    @property
    def active_losses(self) -> tuple[LossTerm, ...]:
        """Trainers skip a loss whose weight is 0."""
        return tuple(loss for loss in self.losses if loss.active)

    @property
    def adversarial(self) -> bool:
        """Whether an adversarial loss takes part in the objective."""
        return any(loss.kind == "adversarial" for loss in self.active_losses)
