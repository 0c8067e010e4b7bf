"""Lists of what to keep and to drop. autocal never deletes or moves an image itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, groupby
from pathlib import Path

from autocal_cli.dataset.model import DatasetReport
from autocal_cli.dataset.trainer_view import REDUX
from autocal_cli.errors import AutocalError, Finding


def lists_of(
    report: DatasetReport, trainer: str, drop: Path | None, keep: Path | None, meta_info: Path | None
) -> tuple[dict[Path, Iterator[str]], tuple[Finding, ...]]:
    """The names in each list, and findings on those that cannot be read from one.

    Paths to drop, paths to keep (those to look at too), and these as the `trainer` reads them, "" where none is known.
    Raises AutocalError for a meta_info of several folders: its names count from one.
    """
    curation, roots = report.curation, report.fingerprint.roots
    failed = report.fingerprint.failures
    unread = [one for one in failed if curation.verdict(one.path) != "drop"] if drop or keep or meta_info else []
    dropped = curation.named("drop") if drop else ()

    def kept() -> Iterator[str]:  # read from the rows each time: a million paths take more memory than all else
        paths = (path for path, _ in groupby(row.facts.path for row in report.rows))  # of an image may be several crops
        return (path for path in paths if curation.verdict(path) != "drop")

    odd = [name for name in chain(dropped, kept() if keep else ()) if not _is_one_line(name)]
    findings = _left_out(odd, "--drop and --keep", "line breaks or what is no UTF-8", "a list holds one a line")
    if unread:
        images = "1 image that was" if len(unread) == 1 else f"{len(unread):,} images that were"
        message = f"In no list: {images} not read ({unread[0].path}: {unread[0].reason})."
        fix = "See to what keeps them from being read, and scan again; or see to them by hand."
        findings += (Finding("curation-unread", "warning", message, fix),)
    lists: dict[Path, Iterator[str]]
    lists = {out: filter(_is_one_line, names) for out, names in ((drop, dropped), (keep, kept())) if out}
    if meta_info:
        if len(roots) != 1 or not Path(roots[0]).is_dir() or roots[0].endswith(".lmdb"):
            message = "--meta-info names images below one folder of files, and this scan is not of one."
            raise AutocalError(message, fix="Scan one folder at a time, or write --keep.")

        def names() -> Iterator[str]:
            return (Path(path).relative_to(roots[0]).as_posix() for path in kept())

        odd, holding = [name for name in names() if not _is_readable(name)], "blanks or what is not printable"
        findings += _left_out(odd, "the meta_info file", holding, "trainers read a line up to its first blank")
        lists[meta_info] = filter(_is_readable, names())
        if curation.pairs:
            deep = [name for name in names() if "/" in name and _is_readable(name)]
            findings += _left_out(deep, "the meta_info file", "a folder", "trainers look for its LQ image outside it")
            findings += (_about_paired_list(report, trainer),)
            lists[meta_info] = _paired_lines(report, trainer)
    return lists, findings


# What the paired dataset of each trainer makes of a meta_info file; found in their sources, tried with their loaders.
ENDS = {
    "neosr": "neosr does not read it for pairs, and ends with KeyError: 'meta_info_file'",
    REDUX: "traiNNer-redux does not read it for pairs, and ends with KeyError: 'gt_path'",
}
READS = {
    "BasicSR": "BasicSR reads it as meta_info_file, and looks for LQ images with the ending of GT",
    "Real-ESRGAN": "Real-ESRGAN reads it as meta_info, GT and LQ in each line",
}


def _about_paired_list(report: DatasetReport, trainer: str) -> Finding:
    """Who reads a list of pairs; BasicSR finds those of one ending alone."""
    trainer = REDUX if trainer.startswith(REDUX) else trainer
    fails, pairs, other = trainer in ENDS, 0, 0
    deed = ENDS.get(trainer) or READS.get(trainer) or "; ".join((*ENDS.values(), READS["BasicSR"]))
    for row in report.rows if trainer in ("", "BasicSR") else ():
        if row.facts.pair and row.facts.pair.lq:
            pairs += 1
            other += Path(row.facts.path).suffix != Path(row.facts.pair.lq).suffix
    fix = "Move what --drop lists out of both folders instead." if fails or not trainer else None
    if other:
        deed, fails, fix = f"{deed}, but {other:,} of {pairs:,} have another", True, "Save GT and LQ in one format."
    return Finding("pairs-meta-info", "warning" if fails else "info", f"A list of pairs: {deed}.", fix)


def _paired_lines(report: DatasetReport, trainer: str) -> Iterator[str]:
    """The names of the GT images to keep that lie in the folder itself; for Real-ESRGAN those of LQ beside them."""
    for row in report.rows:
        name, pair = Path(row.facts.path).relative_to(report.fingerprint.roots[0]).as_posix(), row.facts.pair
        if "/" in name or not _is_readable(name) or report.curation.verdict(row.facts.path) == "drop":
            continue
        if trainer != "Real-ESRGAN":
            yield name
        elif pair and pair.lq:
            yield f"{name}, {Path(pair.lq).name}"


def _left_out(names: Sequence[str], of: str, holding: str, since: str) -> tuple[Finding, ...]:
    if not names:
        return ()
    example = f"'{names[0]}'{', and others' if len(names) > 1 else ''}"
    images = "1 image whose name holds" if len(names) == 1 else f"{len(names):,} images whose names hold"
    message = f"Left out of {of}: {images} {holding} ({example}); {since}."
    return (Finding("curation-names", "warning", message, "Rename or move them."),)


def _is_one_line(path: str) -> bool:
    """Whether a list can name it: no line breaks, and no backslash by which `printable` shows what is no UTF-8."""
    return len(path.splitlines()) == 1 and "\\" not in Path(path).as_posix()


def _is_readable(name: str) -> bool:
    """Whether trainers can read it from a line, which they take up to its first blank."""
    return name.isprintable() and "\\" not in name and not any(char.isspace() for char in name)
