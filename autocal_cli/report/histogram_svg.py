"""A histogram of scores as an inline SVG that takes its colours from the page."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH, HEIGHT, FOOT = 300, 84, 16  # units of the drawing; the foot holds the axis
GAP = 2.0


def histogram_svg(counts: Sequence[int], mean: float, ci95: tuple[float, float], label: str, end: float = 1.0) -> str:
    """Bars over 0..`end`, the mean as a line, its interval as a band. `label`, plain ASCII words, names it."""
    step, most = WIDTH / len(counts), max(1, *counts)
    told = [_told(end / len(counts), end * i / len(counts), count) for i, count in enumerate(counts)]
    bars = [_bar(i * step, step, HEIGHT * count / most, told[i]) for i, count in enumerate(counts)]
    low, high = (WIDTH * min(bound, end) / end for bound in ci95)
    middle = WIDTH * min(mean, end) / end
    ticks = [
        f'<text x="{x}" y="{HEIGHT + FOOT - 2}" text-anchor="{anchor}">{value}</text>'
        for x, anchor, value in ((0, "start", "0"), (WIDTH // 2, "middle", f"{end / 2:g}"), (WIDTH, "end", f"{end:g}"))
    ]
    return "\n".join([
        f'<svg viewBox="0 -4 {WIDTH} {HEIGHT + FOOT + 4}" role="img" aria-label="{label}">',
        f'<rect class="band" x="{low:.1f}" y="-4" width="{high - low:.1f}" height="{HEIGHT + 4}"/>',
        *bars,
        f'<line class="axis" x1="0" y1="{HEIGHT}" x2="{WIDTH}" y2="{HEIGHT}"/>',
        f'<line class="mean" x1="{middle:.1f}" y1="-4" x2="{middle:.1f}" y2="{HEIGHT}"/>',
        *ticks,
        "</svg>",
    ])  # fmt: skip


def _bar(left: float, step: float, height: float, told: str) -> str:
    size = f'width="{step - GAP:.1f}" height="{height:.1f}"'
    return f'<rect class="bar" x="{left + GAP / 2:.1f}" y="{HEIGHT - height:.1f}" {size}><title>{told}</title></rect>'


def _told(step: float, first: float, count: int) -> str:
    digits = 2 if step >= 0.05 else 3
    return f"{first:.{digits}f} to {first + step:.{digits}f}: {count:,}"
