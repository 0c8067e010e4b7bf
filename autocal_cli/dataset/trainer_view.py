"""What the trainer does with files that this scan takes otherwise: sightings -> findings.

traiNNer-redux: found in its source and tried with its libvips. Its scan of a folder goes through every entry: what is
hidden or is no regular file is walked as if it were a folder, all else counts as an image.
BasicSR, on whose data sets Real-ESRGAN builds, and neosr: found in their sources and tried with OpenCV 5.0. Their scan
leaves out what is hidden or is no regular file (neosr's not where GT and LQ are paired); OpenCV reads what is left.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from autocal_cli.dataset.model import Sighting
from autocal_cli.errors import Finding, Place, Severity

REDUX = "traiNNer-redux"


@dataclass(frozen=True, slots=True)
class TrainerView:
    """What is said of a trait: `what` it is (one, several), what the trainer does (`deed`), and the cure."""

    what: tuple[str, str]
    deed: str
    fix: str
    severity: Severity = "warning"


TRAINER_VIEW = {
    "hidden-file": TrainerView(
        ("hidden file", "hidden files"),
        "traiNNer-redux opens what is hidden as a folder, so its scan ends with NotADirectoryError before training",
        "Delete it, or name the images in a meta_info file.",
    ),
    "hidden-folder": TrainerView(
        ("hidden folder", "hidden folders"),
        "left out here, but traiNNer-redux walks it and trains on what it holds",
        "Move it out of the dataset.",
    ),
    "not-an-image": TrainerView(
        ("file that is no image", "files that are no images"),
        "traiNNer-redux takes every file for an image whatever its ending, so training ends where one is drawn",
        "Move it out of the dataset, or name the images in a meta_info file.",
    ),
    "special-file": TrainerView(
        ("pipe, socket or device", "pipes, sockets or devices"),
        "traiNNer-redux opens what is no regular file as a folder, so its scan ends with NotADirectoryError",
        "Delete it.",
    ),
    "broken-link": TrainerView(
        ("broken link", "broken links"),
        "traiNNer-redux opens what is no regular file as a folder, so its scan ends with FileNotFoundError",
        "Mend or delete it.",
    ),
    "link-loop": TrainerView(
        ("link to a folder above it", "links to folders above them"),
        "traiNNer-redux follows it round and round until the system refuses, so its scan ends with OSError",
        "Delete it.",
    ),
    "lmdb": TrainerView(
        ("LMDB folder", "LMDB folders"),
        "read here and by BasicSR, but traiNNer-redux opens its keys as if they were files, so training ends at once",
        "Under traiNNer-redux, train on the images as files.",
    ),
    "floating-point": TrainerView(
        ("image of floating-point grey", "images of floating-point grey"),
        "measured here with 1.0 as white, but traiNNer-redux takes 255 for white, so that it becomes black",
        "Save it with 8 or 16 bits.",
    ),
    "rare-format": TrainerView(
        ("BMP, PPM or JPEG 2000 image", "BMP, PPM or JPEG 2000 images"),
        "read here, but the libvips in pyvips' own wheels cannot, so traiNNer-redux ends where one is drawn",
        "Save it as PNG.",
    ),
    "transparent": TrainerView(
        ("image with transparency", "images with transparency"),
        "measured here on white, but traiNNer-redux drops the alpha channel and trains on the colours below it",
        "Save it without alpha if hidden colours should not be learned.",
        "info",
    ),
    "turned": TrainerView(
        ("image with an EXIF rotation", "images with an EXIF rotation"),
        "measured here upright, but traiNNer-redux takes the pixels as they are stored (BasicSR turns them)",
        "Harmless where GT and LQ are turned alike; otherwise save it upright.",
        "info",
    ),
}

OPENCV = ("BasicSR", "Real-ESRGAN", "neosr")  # read by it: BMP, LMDB and turned images they take as the scan does
_WALKED = ("hidden-file", "hidden-folder", "special-file", "broken-link", "link-loop")
_READ = ("not-an-image", "floating-point", "transparent")


def trainer_findings(
    sightings: Iterable[Sighting], place: Place | None = None, trainer: str = REDUX
) -> tuple[Finding, ...]:
    """One finding a trait, `trainer-` and its name as the code: how many files, one by name, what the trainer does.

    Of a trainer whose source was not read, forks among them, it is told what traiNNer-redux does.
    """
    by_trait = {sighting.trait: sighting for sighting in sightings}
    findings = []
    for trait in (*_WALKED, *_READ) if trainer in OPENCV else TRAINER_VIEW:
        sighting, view, deed = by_trait.get(trait), TRAINER_VIEW[trait], _deed(trait, trainer)
        if sighting and deed:
            several = sighting.count > 1
            named = f"({sighting.example}{', and others' if several else ''})"
            message = f"{sighting.count:,} {view.what[several]} {named}: {deed}."
            findings.append(Finding(f"trainer-{trait}", view.severity, message, view.fix, place))
    return tuple(findings)


def _deed(trait: str, trainer: str) -> str | None:
    """What the trainer does with files of the trait; None where that is what the scan does."""
    if trainer not in OPENCV:
        return TRAINER_VIEW[trait].deed
    if trait in _WALKED:
        walks = "neosr, where GT and LQ are paired,"
        return TRAINER_VIEW[trait].deed.replace(REDUX, walks) if trainer == "neosr" else None
    if trait == "floating-point":
        return f"OpenCV, by which {trainer} reads, cannot open it, so training ends where one is drawn"
    return TRAINER_VIEW[trait].deed.replace(REDUX, trainer)
