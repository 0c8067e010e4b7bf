"""A histogram in one line of text."""

from __future__ import annotations

from collections.abc import Sequence

BLOCKS = " ▁▂▃▄▅▆▇█"
ASCII = " .:-=+*#%"  # as many levels, for terminals without block characters


def sparkline(counts: Sequence[int], width: int, blocks: bool = True) -> str:
    """Counts as `width` characters, neighbours added together; the fullest is as high as can be, none in it is blank.

    >>> sparkline([0, 1, 4, 8], 4)
    ' ▁▄█'
    >>> sparkline([0, 1, 4, 8], 2, blocks=False)
    '.%'
    """
    size = len(counts) // width
    sums = [sum(counts[i * size : (i + 1) * size]) for i in range(width)]
    levels, most = BLOCKS if blocks else ASCII, max(1, *sums)
    return "".join(levels[-(-count * (len(levels) - 1) // most)] for count in sums)  # rounded up: what is there is seen
