"""Imports the architectures of a trainer's checkout. Runs the trainer's code: only ever in a process of its own."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any


@dataclass(slots=True)
class Imported:
    """`failed` are the files that could not be imported, with the reason; `missing` the packages that they ask for."""

    failed: list[tuple[str, str]] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)


def import_architectures(
    folder: Path, package: str, alone: bool, skip: Mapping[str, str], tell: Callable[[str], None]
) -> Imported:
    """Imports every `*_arch.py` of a trainer.

    The trainer's own way comes first, unless `alone`. Where its packages fail as a whole (a package that is missing, no
    CUDA), they are left empty and the architectures imported one by one, so that one that fails doesn't take the others
    with it. `tell` is called with a file before it is imported; those in `skip` are not, for the reason given there.
    """
    sys.path.insert(0, str(folder))
    done = Imported()
    try:
        if alone:
            raise ImportError
        importlib.import_module(f"{package}.archs")
    except BaseException as error:
        done.missing |= missing_packages(error, package)
        done.missing |= _empty_packages(folder, package)
    for file in sorted((folder / package / "archs").glob("*_arch.py")):
        if file.name in skip:
            done.failed.append((file.name, skip[file.name]))
            continue
        tell(file.name)
        try:
            importlib.import_module(f"{package}.archs.{file.stem}")
        except BaseException as error:
            done.failed.append((file.name, reason_of(error)))
            done.missing |= missing_packages(error, package)
    return done


def _empty_packages(folder: Path, package: str) -> set[str]:
    """Puts packages that hold nothing in place of those whose `__init__` fails; returns what those asked for."""
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        del sys.modules[name]
    bare_package(package, folder / package)
    bare_package(f"{package}.archs", folder / package / "archs")
    try:
        importlib.import_module(f"{package}.utils")
    except BaseException as error:
        bare_package(f"{package}.utils", folder / package / "utils")
        return missing_packages(error, package)
    return set()


def missing_packages(error: BaseException | None, package: str) -> set[str]:
    """The packages, other than the trainer's own, whose absence led to an error."""
    missing = set()
    while error is not None:
        if isinstance(error, ModuleNotFoundError) and error.name and error.name.partition(".")[0] != package:
            missing.add(error.name.partition(".")[0])
        error = error.__cause__ or error.__context__
    return missing


def bare_package(name: str, folder: Path) -> None:
    """A package whose modules can be imported without its `__init__` being run."""
    module = ModuleType(name)
    module.__path__ = [str(folder)]
    sys.modules[name] = module


def registries_of(package: str, names: Sequence[str]) -> list[Any]:
    module = importlib.import_module(f"{package}.utils.registry")
    return [getattr(module, name) for name in names if hasattr(module, name)]


def look_up(registries: Sequence[Any], type: str) -> Callable[..., Any] | None:
    """What a trainer has registered under a type, with the case as its registry takes it."""
    for registry in registries:
        try:
            found: Callable[..., Any] = registry.get(type)
        except KeyError:
            continue
        return found
    return None


def reason_of(error: BaseException) -> str:
    """One line, at most 200 characters: the class of the error and the first line of what it says."""
    text = str(error).strip().splitlines()
    told = f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
    told = told.rstrip(".")
    return told if len(told) <= 200 else told[:199] + "…"
