"""`autocal run` as one function: start an unmodified trainer with the scheduler attached to its losses."""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import runpy
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autocal_cli.config.files import open_config, parse_document, text_without
from autocal_cli.config.model import BLOCK_KEY
from autocal_cli.config.trainers import REDUX
from autocal_cli.config.yaml.document import ConfigDocument, lookup, read_value
from autocal_cli.errors import AutocalError, Place
from autocal_cli.runtime.settings import SchedulerSettings
from autocal_cli.runtime.trainer import TRAINERS, UNSCHEDULED, TrainerShape, option, schedule_models
from autocal_cli.workflow.config_file import find_block, sidecar_of
from autocal_cli.workflow.diagnose import closing

_log = logging.getLogger("autocal")  # whose lines the trainer's own logger gets


@dataclass(frozen=True, slots=True)
class Source:
    """A config: its block (None: none), the length of the run, and the text that a strict trainer accepts.

    `holder` is the file that holds the block: the config, or its sidecar.
    """

    holder: Path
    block: Mapping[str, Any] | None
    total_iter: int | None
    text_for_trainer: str


def run_trainer(script: Path, arguments: Sequence[str], allow_unscheduled: bool, say: Callable[[str], None]) -> None:
    """Runs the script in this process, as `python SCRIPT ARGUMENTS` would; exits as it does.

    The block is taken from the config named by `-opt`, or from its sidecar `<config>.autocal.yml`; the trainer is given
    a copy of the config without it. Raises AutocalError before anything starts where the block, the config or the
    trainer cannot be used. `say` is told what the user should know.
    """
    if not script.is_file():
        raise AutocalError("There is no such script.", place=Place(str(script)))
    at, path = config_argument(arguments)
    with warnings.catch_warnings(record=True) as notices:
        warnings.simplefilter("always")
        source = read_source(path)
    for notice in notices:  # that the block is not resolved: said here in one line, and not again in the training
        say(f"{path}: {str(notice.message).removeprefix('autocal: ')}")
    warnings.filterwarnings("ignore", message="autocal: ")
    if source.block is None:
        raise AutocalError(
            f"There is no `{BLOCK_KEY}` block, nor a sidecar {sidecar_of(path).name}.",
            place=Place(str(path)),
            fix=f"autocal calibrate {path} -o resolved.yml writes one.",
        )
    built: list[Any] = []  # models of the trainer; None for what is knowingly not scheduled

    def on_built(model: Any, unfit: str | None) -> None:
        if unfit and not allow_unscheduled:
            raise AutocalError(unfit, fix=UNSCHEDULED)
        if unfit:
            say(f"{unfit} Training without the scheduler.")
        elif folder := _experiment(model):  # where the trainer archives the copy without the block
            shutil.copyfile(source.holder, folder / sidecar_of(path).name)
        built.append(None if unfit else model)

    sys.path[0] = str(script.resolve().parent)
    if source.block.get("enabled") is False:
        say(f"{path}: the block says `enabled: false`; training without the scheduler.")
        built.append(None)
    else:
        try:
            schedule_models(find_trainer(script), source.block, source.total_iter, on_built)
        except AutocalError as error:
            if not allow_unscheduled:
                raise
            on_built(None, str(error))
    with tempfile.TemporaryDirectory(prefix="autocal-") as folder:
        copy = Path(folder) / path.name
        copy.write_text(source.text_for_trainer, encoding="utf-8", newline="")
        option = arguments[at].partition("=")[0] + "=" if arguments[at].startswith("-") else ""
        try:
            _start(script, [*arguments[:at], f"{option}{copy}", *arguments[at + 1 :]])
        finally:
            _tell_verdict(built)
    if not built:
        say("The script ended without building a model; nothing was scheduled.")


def config_argument(arguments: Sequence[str]) -> tuple[int, Path]:
    """Which argument names the config, and the config: `-opt FILE`, `--opt FILE`, `-opt=FILE`."""
    for at, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name in ("-opt", "--opt"):
            if equals:
                return at, Path(value)
            if at + 1 < len(arguments):
                return at + 1, Path(arguments[at + 1])
    raise AutocalError("The script's arguments name no config.", fix="autocal run SCRIPT -opt CONFIG ...")


def read_source(path: Path) -> Source:
    """The config with its block or its sidecar's. Raises AutocalError for both at once, and for an unusable block."""
    file = open_config(path)
    found, total_iter = find_block(file), file.training.total_iter
    if found.block is not None:
        SchedulerSettings.from_block(found.block, total_iter)
    values = found.block.values if found.block else None
    return Source(found.file.path, values, total_iter, _without_block(file.document))


def _without_block(document: ConfigDocument) -> str:
    """The config's text without the block; it says the same otherwise. Raises AutocalError where it would not."""
    if lookup(document, REDUX.block) is None:
        return document.text
    text = text_without(document, REDUX.block) + document.newline
    wanted = read_value(document, document.root)
    try:
        copy = parse_document(text.encode(), document.path)
        found = read_value(copy, copy.root)
    except AutocalError:
        found = None
    train = wanted.get("train") if isinstance(wanted, dict) else None
    if isinstance(train, dict):
        train.pop(BLOCK_KEY, None)
    if found != wanted:
        message = "The block cannot be kept from the trainer without changing what else the config says."
        raise AutocalError(
            message, place=Place(document.path), fix="Move it to a sidecar, or below other keys of `train`."
        )
    return text


def find_trainer(script: Path) -> TrainerShape:
    """The trainer whose package the script belongs to or stands beside, else an installed one that it imports."""
    folder = script.resolve().parent
    for shape in TRAINERS:
        if folder.name == shape.package or (folder / shape.package).is_dir():
            return shape
    text = script.read_text(encoding="utf-8", errors="replace")
    for shape in TRAINERS:
        imports = re.search(rf"^\s*(from|import)\s+{shape.package}\b", text, re.MULTILINE)
        if imports and importlib.util.find_spec(shape.package) is not None:
            return shape
    known = " and ".join(shape.name for shape in TRAINERS)
    message = f"This is no trainer of a shape known here ({known})."
    raise AutocalError(message, place=Place(str(script)), fix=UNSCHEDULED)


def _tell_verdict(built: Sequence[Any]) -> None:
    """Ends the trainer's own log with what `autocal diagnose` says of the run, however that ended.

    Nothing that goes wrong here is worth the exit code of a training that has ended well: it is one line instead.
    """
    _log.setLevel(logging.INFO)
    try:
        folder = next((_experiment(model) for model in built if model is not None), None)
        for line in closing(folder) if folder else ():
            _log.info("autocal: %s", line)
    except Exception as error:
        _log.warning("autocal: no verdict could be told: %s: %s", type(error).__name__, " ".join(str(error).split()))


def _experiment(model: Any) -> Path | None:
    """The folder of a model's experiment, on the first process alone."""
    folder = option(model.opt, "path", "experiments_root")
    return Path(folder) if folder and Path(folder).is_dir() and os.environ.get("RANK", "0") == "0" else None


def _start(script: Path, arguments: Sequence[str]) -> None:
    """Runs the script as the main module. What goes wrong in it is told by its own traceback, with exit code 1."""
    sys.argv = [str(script), *arguments]
    try:
        runpy.run_path(str(script), run_name="__main__")
    except (AutocalError, SystemExit):
        raise
    except BaseException as error:
        by_hand = isinstance(error, KeyboardInterrupt)
        if _log.handlers:  # none where nothing is scheduled; most trainers let it go to the terminal alone
            what = "by hand" if by_hand else " ".join(str(error).split())
            _log.error("autocal: the training broke off: %s: %s", type(error).__name__, what)
        if by_hand:
            sys.exit(130)
        sys.excepthook(type(error), error, error.__traceback__)
        sys.exit(1)
