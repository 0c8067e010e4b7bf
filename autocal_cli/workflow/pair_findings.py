"""What is said of sets whose GT and LQ images do not fit: each mismatch by name up to a limit, then counted.

What trainers do was found in traiNNer-redux' and BasicSR's sources.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autocal_cli.config.record import DatasetRoot, DatasetSection
from autocal_cli.dataset.pairs import ImageSizes, Matching
from autocal_cli.errors import Finding

SHOWN = 5


def about_roots(section: DatasetSection) -> Finding:
    message = (
        f"{section.name}: {len(section.gt)} GT folders, {len(section.lq)} LQ folders; they pair one by one, and those "
        "left over are not trained on."
    )
    return Finding("pairs-roots-differ", "warning", message, "Name as many of each.", section.lq[-1].place)


def about_template(section: DatasetSection) -> Finding:
    message = f"{section.name}: filename_tmpl {section.filename_tmpl!r} does not make a name out of each GT name."
    place = section.lq[0].place if section.lq else None
    return Finding("pairs-template", "warning", message, "It should hold {} once, as in '{}x4'.", place)


def about_names(
    section: DatasetSection, lq: DatasetRoot, matching: Matching, gt_count: int, lq_count: int
) -> Iterator[Finding]:
    """GT images without LQ, and the other way round; LQ images to spare do no harm where a template makes names."""
    counts = f"{section.name}: {gt_count:,} GT and {lq_count:,} LQ images"
    if matching.without_lq:
        rest = f"{len(matching.without_lq):,} GT have no LQ image in {lq.path}"
        deed = (
            "trainers end before the first step"
            if section.filename_tmpl == "{}"
            else "traiNNer-redux leaves them out without a word, BasicSR ends before the first step"
        )
        message = f"{counts}; {rest} ({listed(matching.without_lq)}): {deed}."
        fix = f"Names have to be alike but for the ending, with filename_tmpl '{section.filename_tmpl}'."
        yield Finding("pairs-missing-lq", "warning", message, fix, lq.place)
    if matching.without_gt and section.filename_tmpl == "{}":
        rest = f"{len(matching.without_gt):,} LQ in {lq.path} have no GT image"
        message = f"{counts}; {rest} ({listed(matching.without_gt)}): trainers end before the first step."
        yield Finding("pairs-missing-gt", "warning", message, "Delete them, or add their GT images.", lq.place)


def about_sizes(
    section: DatasetSection, lq: DatasetRoot, sizes: Sequence[ImageSizes], pairs: int, scale: int | None
) -> Iterator[Finding]:
    """Sizes that are not scale x LQ, and headers that cannot be read."""
    checked = f"{section.name}: of {len(sizes):,} pairs" + (f" checked of {pairs:,}" if pairs > len(sizes) else "")
    unread = [f"{pair.name}: {pair.reason}" for pair in sizes if pair.reason]
    if unread:
        message = f"{checked}, {len(unread):,} cannot be opened ({listed(unread, '; ')})."
        yield Finding("pairs-unreadable", "warning", message, "Replace or delete them, GT and LQ.", lq.place)
    readable = [pair for pair in sizes if not pair.reason]
    wrong = [_described(pair) for pair in readable if scale and not _fits(pair, scale, section.trains)]
    if wrong:
        deed = "training ends where one is drawn" if section.trains else "the metrics fail or compare what differs"
        message = f"{checked}, {len(wrong):,} are not {scale} x LQ ({listed(wrong, '; ')}): {deed}."
        fix = f"Make the LQ images anew from GT images cropped to multiples of {scale}, or correct `scale`."
        yield Finding("pairs-size", "warning", message, fix, lq.place)


def about_crop(section: DatasetSection, sizes: Sequence[ImageSizes], scale: int | None) -> Iterator[Finding]:
    """Images that are smaller than the crop that training takes of them."""
    crop = section.gt_size
    if crop is None or not section.trains:
        return
    small = [f"{image.name} {_size(image.gt)}" for image in sizes if not image.reason and min(image.gt) < crop]
    if small:
        stated = f"{crop // scale} x scale {scale}" if scale else "gt_size"
        deed = "training ends where one is drawn" if section.lq else "trainers fill them up, so the fill is trained on"
        message = (
            f"{section.name}: the GT crop of {crop} pixels ({stated}) is larger than {len(small):,} of {len(sizes):,} "
            f"images looked at ({listed(small, '; ')}): {deed}."
        )
        yield Finding("crop-larger-than-images", "warning", message, "Take a smaller crop.", section.crop_place)


def listed(names: Sequence[str], joint: str = ", ") -> str:
    """The first few, and how many more."""
    more = f"{joint}and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return joint.join(names[:SHOWN]) + more


def _fits(pair: ImageSizes, scale: int, trains: bool) -> bool:
    """Exactly scale x LQ; validation crops what a GT image has over, up to one LQ pixel of it being usual."""
    over = [high - scale * low for high, low in zip(pair.gt, pair.lq, strict=True)]
    return all(more == 0 if trains else 0 <= more < scale for more in over)


def _described(pair: ImageSizes) -> str:
    return f"{pair.name} GT {_size(pair.gt)}, LQ {_size(pair.lq)}"


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
