"""The health of a dataset in words, for the terminal and the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autocal_cli.dataset.report_record import Duplicates, Health, Named, SizedImage

SHOWN_FAILURES = 20
_FEW = 3  # names shown on a line
INSTALL_HASH = "not looked for; pip install 'autocal-cli[health]'"


@dataclass(frozen=True, slots=True)
class HealthLine:
    """One thing that was looked at, what was seen, and the first of the `count` images, or groups, it was seen in."""

    label: str
    text: str
    names: tuple[str, ...] = ()
    count: int = 0

    def named(self) -> str:
        """The first few names, and how many more there are."""
        return and_more(self.names, self.count, _FEW)


def health_lines(health: Health, roots: Sequence[str]) -> list[HealthLine]:
    """What there is to say, names shortened by the root that they stand under."""
    named = [("grey", health.grey, health.images), ("flat", health.flat, health.images)]
    named.append(("JPEG blocks", health.blocky, health.blockiness_known))
    lines = [HealthLine("size", _sizes(health))]
    if health.below_crop is not None:
        lines.append(_named(f"under {health.crop} pixels", health.below_crop, health.images, roots))
    lines += [_named(label, images, of, roots) for label, images, of in named]
    return [
        *lines,
        _duplicates("copies", health.exact_duplicates, roots),
        _duplicates("look alike", health.near_duplicates, roots),
    ]


def short_name(path: str, roots: Sequence[str]) -> str:
    """A path without the one root that all images stand under; whole where there are several.

    >>> short_name("hr/a/1.png", ["hr"]), short_name("hr/1.png", ["hr", "more"]), short_name("1.png", ["1.png"])
    ('a/1.png', 'hr/1.png', '1.png')
    """
    root = roots[0].rstrip("/\\") if len(roots) == 1 else ""
    inside = root and path.startswith(root) and path[len(root) : len(root) + 1] in ("/", "\\")
    return path[len(root) + 1 :] if inside else path


def and_more(names: Sequence[str], count: int, most: int, between: str = ", ") -> str:
    """The first names, and how many more there are.

    >>> and_more(["a", "b", "c"], 7, 2)
    'a, b and 5 more'
    """
    shown = list(names[:most])
    more = f" and {count - len(shown):,} more" if count > len(shown) else ""
    return between.join(shown) + more


def share(count: int, of: int) -> str:
    """A share as a person says it; never 0% or 100% unless it is.

    >>> share(0, 9), share(1, 3), share(1, 5000), share(4999, 5000), share(9, 9)
    ('0%', '33%', 'under 1%', 'over 99%', '100%')
    """
    if 0 < count < of:
        percent = 100 * count / of
        return "under 1%" if percent < 1 else "over 99%" if percent > 99 else f"{percent:.0f}%"
    return "100%" if count else "0%"


def _sizes(health: Health) -> str:
    smallest, median, largest = map(_size, (health.smallest, health.median, health.largest))
    return f"all {smallest}" if smallest == largest else f"{smallest} to {largest}, median {median}"


def _size(image: SizedImage) -> str:
    return f"{image.width} x {image.height}"


def _named(label: str, images: Named, of: int, roots: Sequence[str]) -> HealthLine:
    if not of:
        return HealthLine(label, "could not be measured")
    if not images.count:
        return HealthLine(label, "none")
    text = f"{images.count:,} of {of:,} ({share(images.count, of)})"
    return HealthLine(label, text, _short(images.paths, roots), images.count)


def _duplicates(label: str, found: Duplicates | None, roots: Sequence[str]) -> HealthLine:
    if found is None:
        return HealthLine(label, INSTALL_HASH)
    if not found.groups:
        return HealthLine(label, "none")
    groups = "1 group" if found.groups == 1 else f"{found.groups:,} groups"
    listed = tuple(and_more(_short(group.paths, roots), group.count, _FEW, " = ") for group in found.listed)
    return HealthLine(label, f"{groups}, {found.surplus:,} more than one of each", listed, found.groups)


def _short(paths: Iterable[str], roots: Sequence[str]) -> tuple[str, ...]:
    return tuple(short_name(path, roots) for path in paths)
