"""Where networks may come from besides autocal itself: what the user named, and the trainer that is at hand."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from autocal_cli.errors import AutocalError

TRAINER_VARIABLE = "AUTOCAL_TRAINER"


@dataclass(frozen=True, slots=True)
class TrainerKind:
    """A trainer whose architectures can be imported.

    `registries` are the names in `<package>/utils/registry.py`, in the order in which the trainer looks. `gives_scale`:
    it hands the config's top-level scale to the constructor, over what network_g says; the others hand on network_g
    alone. `scale_at_import`: its architectures read the scale from the command line as they are imported. `home` is the
    installed package that it stands on, with the registry, the losses and most of the architectures.
    """

    name: str
    package: str
    registries: tuple[str, ...]
    gives_scale: bool
    scale_at_import: bool = False
    home: str | None = None


# Read in the sources of each: archs/__init__.py, utils/registry.py, and where the model is built.
TRAINER_KINDS = (
    TrainerKind("traiNNer-redux", "traiNNer", ("SPANDREL_REGISTRY", "ARCH_REGISTRY", "TESTARCH_REGISTRY"), True),
    TrainerKind("neosr", "neosr", ("ARCH_REGISTRY",), False, scale_at_import=True),
    TrainerKind("BasicSR", "basicsr", ("ARCH_REGISTRY",), False),
    TrainerKind("Real-ESRGAN", "realesrgan", ("ARCH_REGISTRY",), False, home="basicsr"),
)


@dataclass(frozen=True, slots=True)
class Checkout:
    """A trainer's source folder; `named_by` is what made autocal look there."""

    kind: TrainerKind
    folder: Path
    named_by: str


@dataclass(frozen=True, slots=True)
class NetworkSources:
    """What the user named: a trainer's checkout, a callable `module:name` of their own, a checkpoint.

    `weights_required`: the checkpoint was asked for, so that one that cannot be read is an error. `written_for` is the
    trainer of the config, by autocal's name: the packaged table asks its registry first.
    """

    trainer: Path | None = None
    own: str | None = None
    weights: Path | None = None
    weights_required: bool = True
    written_for: str | None = None


def find_checkout(named: Path | None) -> Checkout | None:
    """The trainer to import: the one named, else AUTOCAL_TRAINER, else the working directory if it is a checkout.

    Raises:
        AutocalError: what was named is no checkout of a trainer that is known.
    """
    if named is not None:
        return _required(named, "--trainer")
    variable = os.environ.get(TRAINER_VARIABLE)
    if variable:
        return _required(Path(variable), TRAINER_VARIABLE)
    try:
        here = Path.cwd()
    except OSError:  # it has been deleted
        return None
    kind = _kind_of(here)
    return Checkout(kind, here, "the working directory") if kind else None


def _required(folder: Path, named_by: str) -> Checkout:
    folder = folder.expanduser().absolute()
    folder = folder.parent if folder.is_file() else folder  # train.py itself
    kind = _kind_of(folder)
    if kind is None:
        known = ", ".join(kind.name for kind in TRAINER_KINDS)
        message = f"{named_by}: {folder} is no checkout of a trainer known here ({known} and forks of them)."
        packages = " or ".join(f"{kind.package}/archs" for kind in TRAINER_KINDS)
        raise AutocalError(message, fix=f"Name the folder that holds {packages}.")
    return Checkout(kind, folder, named_by)


def _kind_of(folder: Path) -> TrainerKind | None:
    for kind in TRAINER_KINDS:
        package = folder / kind.package
        if (package / "archs").is_dir() and (kind.home or (package / "utils" / "registry.py").is_file()):
            return kind
    return None
