"""Imports the architectures of a trainer's checkout. Runs the trainer's code: only ever in a process of its own."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any


def import_architectures(
    folder: Path, package: str, alone: bool, skip: Mapping[str, str], tell: Callable[[str], None]
) -> list[tuple[str, str]]:
    """Imports every `*_arch.py` of a trainer; returns those that could not be imported, with the reason.

    The trainer's own way comes first, unless `alone`. Where its packages fail as a whole (a package that is missing, no
    CUDA), they are left empty and the architectures imported one by one, so that one that fails doesn't take the others
    with it. `tell` is called with a file before it is imported; those in `skip` are not, for the reason given there.
    """
    sys.path.insert(0, str(folder))
    try:
        if alone:
            raise ImportError
        importlib.import_module(f"{package}.archs")
    except BaseException:
        _empty_packages(folder, package)
    failed = []
    for file in sorted((folder / package / "archs").glob("*_arch.py")):
        if file.name in skip:
            failed.append((file.name, skip[file.name]))
            continue
        tell(file.name)
        try:
            importlib.import_module(f"{package}.archs.{file.stem}")
        except BaseException as error:
            failed.append((file.name, reason_of(error)))
    return failed


def _empty_packages(folder: Path, package: str) -> None:
    """Puts packages that hold nothing in place of those whose `__init__` fails."""
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        del sys.modules[name]
    bare_package(package, folder / package)
    bare_package(f"{package}.archs", folder / package / "archs")
    try:
        importlib.import_module(f"{package}.utils")
    except BaseException:
        bare_package(f"{package}.utils", folder / package / "utils")


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
