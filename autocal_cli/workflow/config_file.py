"""Where a config's block stands, and how it is written: in the config, in its sidecar, or as the fork takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from autocal_cli.calibration.block import NATIVE_KEYS, NATIVE_VALUES
from autocal_cli.calibration.model import Calibration
from autocal_cli.calibration.resolved import headline, read_record, reasons, record_of, resolved_values, text_digest
from autocal_cli.config.files import ConfigFile, open_config, parse_document, plan_patch, text_without, verify_patch
from autocal_cli.config.model import BLOCK_KEY, RECORD_KEY, KeyPath, SchedulingBlock, TrainingConfig, Value
from autocal_cli.config.trainers import FORK, NEOSR, TrainerLayout
from autocal_cli.config.yaml.comments import plan_comments, without_comment_lines
from autocal_cli.config.yaml.document import ConfigDocument, lookup
from autocal_cli.config.yaml.edit import Patch, splice
from autocal_cli.config.yaml.scalars import render_flow
from autocal_cli.errors import AutocalError, Place

SIDECAR_SUFFIX = ".autocal.yml"
_EMPTY_SIDECAR = "# The loss schedule of {name}: {reader} finds it here.\n{key}:\n"

# What a block is written as: a mapping in the config, the flat keys that the fork's own scheduler takes, or a mapping
# at the top of the sidecar.
Form = Literal["block", "native", "sidecar"]


@dataclass(frozen=True, slots=True)
class BlockFile:
    """The `file` with a config's block in it, and its `form`; `exists` is whether there is such a file yet.

    `config` is the config itself: the same file, unless the form is a sidecar. `in_place`: what is calibrated is to be
    written over it, so that the work of a person in it is kept there alone.
    """

    config: ConfigFile
    file: ConfigFile
    form: Form
    exists: bool = True
    in_place: bool = False

    @property
    def block(self) -> SchedulingBlock | None:
        """The block. Raises AutocalError where it cannot be used."""
        return self.file.block

    @property
    def touched(self) -> bool | None:
        """Whether anybody touched the file since autocal wrote it; None where it did not."""
        record = read_record(self.block)
        return None if record is None else record.text != _digest(self.file.document, self.file.layout)

    @property
    def kept_in_place(self) -> bool:
        """Whether a person's work in it was calibrated in place, as the record says."""
        record = self.block.record if self.block else None
        return record is not None and record["made"].get("in_place") is True

    @property
    def training(self) -> TrainingConfig:
        """What the config says, with the block that counts and whose scheduler reads it."""
        return replace(self.config.training, block=self.block, own_scheduler=self.form == "native")

    @property
    def edited(self) -> bool:
        """Whether a person wrote or changed the file or the config beside it, even if calibrated in place since."""
        record = read_record(self.block)
        copied = self.form != "sidecar" or (record and record.config == text_digest(self.config.text))
        return record is None or record.in_place or bool(self.touched) or not copied


def sidecar_of(path: Path) -> Path:
    return path.with_suffix(SIDECAR_SUFFIX)


def find_block(config: ConfigFile) -> BlockFile:
    """Where an existing block stands. Raises AutocalError where both the config and its sidecar hold one."""
    sidecar, block = sidecar_of(config.path), config.block
    if sidecar == config.path or not sidecar.exists():
        # A block of the fork's stays as the fork takes it, unless it holds more than that already.
        flat = block is not None and set(block.values) <= NATIVE_KEYS | {RECORD_KEY} and config.layout is FORK
        record = lookup(config.document, (*config.layout.block, RECORD_KEY)) is not None
        native = flat and not record and config.document.language == "yaml"
        return BlockFile(config, config, "native" if native else "block")
    if block is not None:
        message = f"Both this config and {sidecar.name} hold a `{BLOCK_KEY}` block."
        raise AutocalError(message, place=block.place, fix="Remove one.")
    return BlockFile(config, _open_sidecar(sidecar, config.layout), "sidecar")


def config_of(path: Path) -> Path | None:
    """The config whose sidecar a file is, where there is one; any other file itself."""
    if not path.name.endswith(SIDECAR_SUFFIX):
        return path
    beside = (path.with_name(path.name.removesuffix(SIDECAR_SUFFIX) + ending) for ending in (".yml", ".yaml", ".toml"))
    return next((config for config in beside if config.exists()), None)


def block_to_write(config: ConfigFile, form: Form | None, out: Path | None = None) -> BlockFile:
    """Where the block goes: as `form` says, else where it stands, else where its reader accepts it.

    A new sidecar is that of `out`, where the config is copied to it. Raises AutocalError where the form cannot be had.
    """
    if form is None:
        found = find_block(config)
        if found.form == "sidecar" or config.block is not None:
            return found
        form = "native" if config.layout is FORK else "sidecar"
    if form == "native":
        return BlockFile(_as_fork(config), _as_fork(config), "native")
    if form == "block":
        return BlockFile(config, config, "block")
    return _sidecar(config, out or config.path)


def write_block(target: BlockFile, calibration: Calibration) -> ConfigDocument:
    """The file's document with the calibration in its block: values, then comments, then the record, each verified.

    Raises AutocalError for what the user must mend, VerificationError where the text is not what was meant.
    """
    document, layout, native = target.file.document, target.file.layout, target.form == "native"
    above, record_path = [headline(calibration)], (*layout.block, RECORD_KEY)
    values = resolved_values(calibration)
    if native:  # only what the fork's scheduler takes
        values = {key: value for key, value in values.items() if key in NATIVE_VALUES}
    standing, in_place = target.file.block, target.in_place and target.edited
    if standing is not None and "enabled" in standing.values:
        values.pop("enabled")
    document = _patched(document, layout.block, values)
    document = _commented(document, layout, above, calibration)
    if not native:
        config = text_digest(target.config.text) if target.form == "sidecar" else ""
        trainer = target.config.layout.trainer
        record = record_of(calibration, trainer, _digest(document, layout), config, in_place)
        return _patched(document, layout.block, {RECORD_KEY: record})
    if lookup(document, record_path) is not None:  # the fork's scheduler would raise on it
        document = parse_document(
            document.encode(text_without(document, record_path) + document.newline), document.path
        )
    parameters = {name: one for name, one in calibration.parameters.items() if name in NATIVE_VALUES}
    written = replace(calibration, parameters=parameters, phases=())
    record = record_of(written, layout.trainer, _digest(document, layout), in_place=in_place)
    lines = [f"{key}: {render_flow(value)}" for key, value in record.items()]
    return _commented(document, layout, [*above, *lines], calibration)


def _as_fork(config: ConfigFile) -> ConfigFile:
    """What looks like a config of traiNNer-redux is one of its fork, where the fork's own block is asked for."""
    if config.document.language != "yaml" or config.layout.trainer not in (FORK.trainer, "traiNNer-redux"):
        message = f"{config.layout.trainer} has no scheduler of its own, which --write native writes the block for."
        raise AutocalError(message, place=Place(str(config.path)), fix="Leave out --write native.")
    block = config.block
    foreign = next((key for key in block.values if key not in NATIVE_KEYS | {RECORD_KEY}), None) if block else None
    if block is not None and foreign is not None:
        message = f"`{foreign}` stands in the block, and the fork's own scheduler raises on that key."
        raise AutocalError(message, place=block.place_of((foreign,)), fix="Remove it, or use --write block.")
    return replace(config, layout=FORK)


def _sidecar(config: ConfigFile, out: Path) -> BlockFile:
    """The sidecar of a config, or, where there is none yet, one for `out` with an empty block. Raises AutocalError."""
    sidecar = sidecar_of(config.path)
    if config.block is not None:
        message = f"This config holds a `{BLOCK_KEY}` block; a sidecar would be a second."
        raise AutocalError(message, place=config.block.place, fix="Take it out first.")
    if sidecar.exists():
        return BlockFile(config, _open_sidecar(sidecar, config.layout), "sidecar")
    reader = "the scheduler" if config.layout is NEOSR else "`autocal run`"
    fresh = _EMPTY_SIDECAR.format(name=out.name, reader=reader, key=BLOCK_KEY).encode()
    layout = replace(config.layout, block=(BLOCK_KEY,))
    return BlockFile(config, ConfigFile(parse_document(fresh, str(sidecar_of(out))), layout), "sidecar", exists=False)


def _open_sidecar(path: Path, layout: TrainerLayout) -> ConfigFile:
    """A sidecar holds the block at its top, or is a whole config with one. Raises AutocalError where it holds none."""
    cure = "Delete it, and calibrate again, or bring it back."
    try:
        opened = open_config(path)
    except AutocalError as error:
        message = f"This sidecar, beside its config, cannot be read: {error.message}"
        raise AutocalError(message, place=error.place, fix=cure) from None
    for block in ((BLOCK_KEY,), layout.block):
        if lookup(opened.document, block) is not None:
            return replace(opened, layout=replace(layout, block=block))
    raise AutocalError(f"The sidecar holds no `{BLOCK_KEY}` mapping.", place=Place(str(path)), fix=cure)


def _digest(document: ConfigDocument, layout: TrainerLayout) -> str:
    """The digest of the text without the record, whether that is a key or stands in autocal's comments."""
    return text_digest(without_comment_lines(text_without(document, (*layout.block, RECORD_KEY))))


def _patched(document: ConfigDocument, path: KeyPath, wanted: Mapping[str, Value]) -> ConfigDocument:
    patch = plan_patch(document, path, wanted, units={RECORD_KEY})
    return verify_patch(document, splice(document.text, patch.edits), patch) if patch.edits else document


def _commented(
    document: ConfigDocument, layout: TrainerLayout, above: list[str], calibration: Calibration
) -> ConfigDocument:
    """The document with autocal's comments renewed."""
    edits, dropped = plan_comments(document, layout.block, above, reasons(calibration))
    if not edits:
        return document
    ordered = tuple(sorted(edits, key=lambda edit: edit.start))
    return verify_patch(document, splice(document.text, ordered), Patch(ordered, {}), dropped=dropped)
