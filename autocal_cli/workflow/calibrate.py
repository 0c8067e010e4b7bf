"""`autocal calibrate` as one function: a config's path in, the resolved files and what led to them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autocal_cli.calibration.block import NATIVE_VALUES, block_schema, check_value, read_overrides, wholly_manual
from autocal_cli.calibration.calibrate import calibrate
from autocal_cli.calibration.model import Calibration, DatasetScores, Presets
from autocal_cli.calibration.presets import load_presets
from autocal_cli.check.block import about_block, unsupported_values
from autocal_cli.check.losses import nothing_to_move
from autocal_cli.check.model import Checked
from autocal_cli.check.trainer_options import trainer_of_types
from autocal_cli.check.training import adversarial_start
from autocal_cli.config.files import ConfigFile, open_config
from autocal_cli.config.model import BLOCK_KEY, KeyPath, TrainingConfig, Value
from autocal_cli.config.trainers import FORK, NEOSR
from autocal_cli.config.yaml.document import ConfigDocument
from autocal_cli.config.yaml.scalars import read_core
from autocal_cli.errors import AutocalError, Finding, Place, VerificationError
from autocal_cli.network.arguments import nearest
from autocal_cli.network.model import NetworkFingerprint
from autocal_cli.network.sources import NetworkSources
from autocal_cli.probing.model import ProbeFingerprint
from autocal_cli.workflow.config_file import BlockFile, Form, block_to_write, sidecar_of, write_block
from autocal_cli.workflow.dataset import DatasetOptions, measure_dataset
from autocal_cli.workflow.networks import measure_network
from autocal_cli.workflow.probe import ProbeOptions, measure_losses

Findings = tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Output:
    """A file to be written: its bytes, and the file whose bytes `before` it was made from."""

    path: Path
    data: bytes
    source: Path
    before: bytes


@dataclass(frozen=True, slots=True)
class CalibrationRun:
    """What `calibrate` did. `target` is the file that holds the block, `after` its bytes with the block resolved."""

    target: BlockFile
    after: bytes
    calibration: Calibration
    findings: Findings
    probe: ProbeFingerprint | None = None

    @property
    def before(self) -> bytes:
        """The bytes of the file that holds the block; empty where there is none yet."""
        return self.target.file.raw if self.target.exists else b""

    @property
    def known(self) -> bool:
        """Whether anything at all is known of the network or of the images."""
        scores_by_hand = any(path[-1] in self.calibration.dataset_info for path in self.calibration.manual)
        network = self.calibration.network
        return network.parameters is not None or self.calibration.dataset is not None or scores_by_hand

    def outputs(self, out: Path | None) -> tuple[Output, ...]:
        """The files to write for `-o out`, or (None) in place. With a sidecar the config itself stays as it is."""
        config, file = self.target.config, self.target.file
        if self.target.form != "sidecar":
            return (Output(out or config.path, self.after, config.path, config.raw),)
        source, before = (file.path, self.before) if self.target.exists else (config.path, config.raw)
        if out is None:
            return (Output(file.path, self.after, source, before),)
        copy = Output(out, config.raw, config.path, config.raw)
        return (copy, Output(sidecar_of(out), self.after, source, before))

    def start(self, outputs: Sequence[Output]) -> str:
        """The command that starts the training with what was written."""
        if self.target.config.layout is NEOSR:
            return "by hand: `autocal run` does not know neosr; docs/runtime.md tells how to attach the scheduler"
        copied = self.target.form != "sidecar" or len(outputs) > 1
        config = outputs[0].path if outputs and copied else self.target.config.path
        trainer = "python train.py" if self.target.form == "native" else "autocal run train.py"
        return f"{trainer} -opt {config}"


def calibrate_file(
    path: Path,
    settings: Mapping[KeyPath, Value],
    options: DatasetOptions,
    trainer_kind: str | None = None,
    form: Form | None = None,
    sources: NetworkSources | None = None,
    probing: ProbeOptions | None = None,
    out: Path | None = None,
) -> CalibrationRun:
    """Reads a config, measures its network and its images, and resolves its scheduling block.

    `settings` are values by key path that count as written by hand; `trainer_kind` names the trainer where the file's
    own shape does not tell it; `form` says how the block is written (None: as its reader accepts it). `sources` is
    where the network may come from besides autocal, `probing` what to measure of the losses. `out` is the file that the
    result is for: `path` itself where that is to be rewritten, None where it is only shown. Nothing is written. Raises
    AutocalError.
    """
    opened = open_config(path, trainer_kind=trainer_kind)
    by_types = None if trainer_kind or opened.block else trainer_of_types(opened.layout, opened.training)
    if by_types:  # not by its options: a file of the fork may stand in another checkout, and a sidecar is right in both
        opened, form = replace(opened, layout=by_types), form or "sidecar"
    target = block_to_write(opened, form, out)
    target = replace(target, in_place=target.kept_in_place if out is None else out == path)
    _refuse_settings(target, settings)
    config = target.training
    presets = load_presets()
    if wholly_manual(config.block) and not settings:
        network = measure_network(config, sources)
        probe, about_probe = measure_losses(config, network, probing, sources)
        left = _left_alone(target, config, network, presets)
        return replace(left, findings=(*left.findings, *about_probe), probe=probe)
    by_hand = read_overrides(config.block, settings, presets).values  # a mistake shows before a long scan
    network = measure_network(config, sources)
    dataset, about_dataset = measure_dataset(config, by_hand, options)
    probe, about_probe = measure_losses(config, network, probing, sources)
    resolved, calibration = resolve(target, config, network, dataset, presets, settings)
    findings = (*_about(target, config, network, presets), *about_dataset, *about_probe, *calibration.findings)
    return CalibrationRun(target, resolved.encode(resolved.text), calibration, findings, probe)


def _refuse_settings(target: BlockFile, settings: Mapping[KeyPath, Value]) -> None:
    """What is set by hand must stand in the output, or the next run would not know of it."""
    foreign = next((path for path in settings if path[0] not in NATIVE_VALUES), None)
    if target.form == "native" and foreign is not None:
        message = f"--set {'.'.join(foreign)}: the fork's own scheduler raises on that key."
        raise AutocalError(message, place=Place(str(target.config.path)), fix="Use --write block with it.")


def resolve(
    target: BlockFile,
    config: TrainingConfig,
    network: NetworkFingerprint,
    dataset: DatasetScores | None,
    presets: Presets,
    settings: Mapping[KeyPath, Value],
) -> tuple[ConfigDocument, Calibration]:
    """Calibrates, and writes the result into the text of the file that holds the block; nothing else in it changes.

    Raises AutocalError for what the user must mend, VerificationError where the output is not what was meant.
    """
    calibration = calibrate(config, network, dataset, presets, settings)
    resolved = write_block(target, calibration)
    # (d) of the verification: calibrating the output again gives the same bytes, without the settings too.
    file = ConfigFile(resolved, target.file.layout)
    again = replace(target, file=file, config=target.config if target.form == "sidecar" else file)
    repeated = calibrate(replace(config, block=file.block), network, dataset, presets)
    if write_block(again, repeated).text != resolved.text:
        raise VerificationError("Calibrating the output again would change it.")
    return resolved, calibration


def _about(target: BlockFile, config: TrainingConfig, network: NetworkFingerprint, presets: Presets) -> Findings:
    """What `check` has to say of the block that was found."""
    seen = Checked(target.file, config, (), presets, network)
    inert = adversarial_start(seen) if target.config.layout is NEOSR else ()
    added: Findings = ()
    if config.block is None or not target.exists:
        where = f"goes into {target.file.path.name}" if target.form == "sidecar" else "is added"
        message = f"There was no `{BLOCK_KEY}` block; one {where}."
        native = target.form == "sidecar" and target.config.layout is FORK
        fix = "--write native writes it for the fork's own scheduler." if native else None
        added = (Finding("block-added", "info", message, fix, config.place),)
    found = (*about_block(seen), *unsupported_values(seen), *nothing_to_move(seen), *inert)
    elsewhere = None if target.exists else str(target.file.path)  # no place is in a file that is not there yet
    at_home = (replace(one, place=config.place) if one.place and one.place.path == elsewhere else one for one in found)
    return (*added, *at_home)


def _left_alone(
    target: BlockFile, config: TrainingConfig, network: NetworkFingerprint, presets: Presets
) -> CalibrationRun:
    """The block is the user's: it has been checked, and only what it says itself is told."""
    calibration = calibrate(config, network, None, presets)
    by_hand = {name: parameter for name, parameter in calibration.parameters.items() if parameter.manual}
    message = "The block says `auto_calibrate: false` and holds no record of a calibration: nothing is changed."
    fix = "Write `auto_calibrate: true` to have it calibrated; values written by hand stay as they are."
    finding = Finding("block-left-alone", "info", message, fix, config.block.place if config.block else None)
    told = replace(calibration, parameters=by_hand)
    return CalibrationRun(target, target.file.raw, told, (finding, *calibration.findings))


def parse_settings(pairs: Sequence[str]) -> dict[KeyPath, Value]:
    """`--set key=value` texts as values by key path; `dataset_info.edge_density` may leave out `training_config`.

    Raises AutocalError for what is no such pair, names no key that can be set, or gives it a value that it cannot have.
    """
    schema = block_schema(load_presets())
    names = {".".join(path): path for path in schema if path != ("auto_calibrate",)}
    names |= {name.removeprefix("training_config."): path for name, path in names.items()}
    settings: dict[KeyPath, Value] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise AutocalError(f"--set {pair}: expected key=value.", fix="For example: --set momentum=0.9")
        name = name.removeprefix("train.").removeprefix(f"{BLOCK_KEY}.")
        if name not in names:
            near = nearest(name, names)
            hint = f"Did you mean {near}?" if near else f"Keys: {', '.join(sorted(names))}."
            raise AutocalError(f"--set {pair}: there is no key {name}.", fix=hint)
        path = names[name]
        try:
            settings[path], _ = check_value(path, read_core(text), schema[path], None)
        except AutocalError as error:
            raise AutocalError(f"--set {pair}: {error.message}") from None
    return settings
