"""`autocal check` as one function: configs in, everything that is wrong in them out."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from autocal_cli.calibration.model import Presets
from autocal_cli.calibration.presets import load_presets
from autocal_cli.check.checks import check, chosen, in_order
from autocal_cli.check.fix import mend
from autocal_cli.check.model import Checked, CheckedFile, CheckRun, read_checked
from autocal_cli.check.trainer_options import trainer_of_types
from autocal_cli.config.files import ConfigFile, open_config, parse_document, read_bytes
from autocal_cli.config.yaml.document import lookup
from autocal_cli.errors import AutocalError, Finding, Place
from autocal_cli.network.fingerprint import NetworkCache
from autocal_cli.network.sources import NetworkSources, find_checkout
from autocal_cli.workflow.config_file import find_block, sidecar_of
from autocal_cli.workflow.named_files import all_missing, check_weights, named_folders, scales_of_names

OF_CONFIGS_ALONE = {"block-rejected", "block-misplaced"}  # a sidecar is kept from the trainer
ROUNDS = 5  # what is mended may show what else can be


@dataclass(frozen=True, slots=True)
class MendedFile:
    """A config after mending: its `file` as checked again, its bytes, and how many findings were mended."""

    file: CheckedFile
    before: bytes
    after: bytes
    mended: int


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """What to look at, for which trainer (None: as the file's shape tells), and which codes to report.

    `sources` are where networks come from besides autocal itself.
    """

    network: bool = True
    dataset: bool = True
    trainer: str | None = None
    select: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()
    sources: NetworkSources = field(default_factory=NetworkSources)


def check_files(candidates: Sequence[Candidate], options: CheckOptions) -> CheckRun:
    """Checks configs one by one; what is wrong with one keeps no other from being checked.

    Raises AutocalError only for a trainer that is not known, or a checkout of one that is none.
    """
    if options.network:
        find_checkout(options.sources.trainer)  # once, not as a finding on every network
    presets = load_presets()
    with NetworkCache(options.sources) as networks:
        files = [_check_file(candidate, options, presets, networks) for candidate in candidates]
    found = [one for file in files if file for one in (file, check_sidecar(file, options)) if one]
    return CheckRun(tuple(found), sum(file is None for file in files))


def check_named_files(checked: Checked) -> Iterator[Finding]:
    """Findings on data sets, pretrained and resume files."""
    config, named = checked.config, named_folders(checked.config)
    gt, lq = ({root.path for one in config.datasets for root in getattr(one, side)} for side in ("gt", "lq"))
    if gt & lq or any(named.values()):
        from autocal_cli.dataset.listing import listed_once
        from autocal_cli.workflow.images import check_roots  # numpy and pillow

        with listed_once():
            found = tuple(check_roots(config))
        yield from found
    elif named:
        yield from all_missing([*named])
        yield from scales_of_names(config)
    yield from check_weights(checked)


def check_sidecar(file: CheckedFile, options: CheckOptions) -> CheckedFile | None:
    """The sidecar of a checked config, looked at as that config's block; None where there is none to look at."""
    checked, sidecar = file.checked, sidecar_of(file.path) if file.path else None
    if checked is None or sidecar is None or sidecar == file.path or not sidecar.exists():
        return None
    try:
        block_file = find_block(checked.file)
        config = replace(checked.config, block=block_file.block)
    except AutocalError as error:
        return CheckedFile(str(sidecar), sidecar, error=error, sidecar=True)
    held = replace(checked, file=block_file.file, config=config, problems=())
    own = (one for one in check(held, sidecar=True) if one.place and one.place.path == str(sidecar))
    found = chosen((one for one in own if one.code not in OF_CONFIGS_ALONE), options.select, options.ignore)
    return CheckedFile(str(sidecar), sidecar, found, None, held, sidecar=True)


def mend_file(file: CheckedFile, options: CheckOptions) -> MendedFile | None:
    """A checked config with everything mended that can be, checked again; None where nothing can. Writes nothing."""
    before = checked = file.checked
    if before is None or checked is None or file.sidecar:  # a part of a config, which cannot be read again by itself
        return None
    findings, mended = file.findings, 0
    with NetworkCache(options.sources) as networks:
        for _ in range(ROUNDS):
            text, count = mend(checked, findings)
            if not count:
                break
            mended += count
            document = parse_document(checked.document.encode(text), file.name)
            checked = read_checked(ConfigFile(document, checked.layout), checked.presets)
            checked, findings = _examined(checked, options, networks)
    again = replace(file, findings=findings, checked=checked)
    return MendedFile(again, before.file.raw, checked.file.raw, mended) if mended else None


def _check_file(
    candidate: Candidate, options: CheckOptions, presets: Presets, networks: NetworkCache
) -> CheckedFile | None:
    """None for a file of a folder that is no training config."""
    raw = b""
    try:
        raw = candidate.read()
        file = open_config(Path(candidate.name), raw, options.trainer)
        if not candidate.named and lookup(file.document, file.layout.block[:-1]) is None:
            return None
        checked = read_checked(file, presets)
        if options.trainer is None and (other := trainer_of_types(file.layout, checked.config)):
            checked = read_checked(replace(file, layout=other), presets)
    except AutocalError as error:
        # What cannot be parsed may look like a training config all the same.
        meant = candidate.named or not raw or _TRAIN.search(raw)
        return CheckedFile(candidate.name, candidate.path, error=error) if meant else None
    checked, findings = _examined(checked, options, networks)
    return CheckedFile(candidate.name, candidate.path, findings, None, checked)


def _examined(checked: Checked, options: CheckOptions, networks: NetworkCache) -> tuple[Checked, tuple[Finding, ...]]:
    """All that is to be looked at, and the findings that are asked for."""
    if options.network:
        network, about_network = networks.measure(checked.config)
        checked = replace(checked, network=network, about_network=about_network)
    about_files = tuple(check_named_files(checked)) if options.dataset else ()
    findings = in_order((*check(checked), *about_files))
    return checked, chosen(findings, options.select, options.ignore)


ENDINGS = (".yml", ".yaml", ".toml")
STDIN = "<stdin>"
_TRAIN = re.compile(rb"(?m)^\s*(?:\[+\s*)?[\"']?train[\"']?\s*[:=.\]]")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file to look at. `named`: by the user, so that it must be a training config; else it was met in a folder."""

    path: Path | None
    named: bool

    @property
    def name(self) -> str:
        return str(self.path) if self.path else STDIN

    def read(self) -> bytes:
        """Its bytes. Raises AutocalError."""
        return read_bytes(self.path) if self.path is not None else sys.stdin.buffer.read()


def find_configs(given: Sequence[Path]) -> list[Candidate]:
    """The files that are meant, each once, folders in the order of their names."""
    found: dict[str, Candidate] = {}
    for path in given:
        candidates = [Candidate(None if str(path) == "-" else path, named=True)]
        if str(path) != "-" and path.is_dir():
            try:
                inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in ENDINGS and file.is_file())
            except OSError as error:
                reason = error.strerror or error
                raise AutocalError(f"The folder cannot be read: {reason}.", place=Place(str(path))) from None
            candidates = [Candidate(file, named=False) for file in inside]
        for candidate in candidates:
            found.setdefault(candidate.name, candidate)
    return list(found.values())
