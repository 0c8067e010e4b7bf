"""The figure."""

from __future__ import annotations

import io
import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from run_logs import course, run_log, settings
from test_replay_run import LOSSES

from autocal_cli.errors import AutocalError
from autocal_cli.replay.drawing import GENERATOR, draw, figure_as_png, figure_as_svg, thinned
from autocal_cli.replay.run import replay

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def run():
    rows = course(100)
    rows[60]["l_g_gan"] *= 10.0
    rows[70]["l_g_l1"] = math.nan
    return replay(run_log(rows, 100), LOSSES, settings(), 10_000)


def test_the_png_shows_something_and_bears_our_mark(run):
    picture = Image.open(io.BytesIO(figure_as_png(run)))
    assert picture.width > 1000
    assert picture.info["Software"] == GENERATOR
    pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    for colour in ("0072B2", "D55E00", "009E73"):  # every loss is to be seen
        assert (pixels == list(bytes.fromhex(colour))).all(axis=1).sum() > 500, colour


def test_the_same_run_gives_the_same_bytes(run):
    assert figure_as_png(run) == figure_as_png(run)
    assert figure_as_svg(run) == figure_as_svg(run)


def test_the_svg_can_stand_in_a_page(run):
    text = figure_as_svg(run)
    assert text.startswith("<svg ")
    assert text.rstrip().endswith("</svg>")
    assert "http" not in text


def test_losses_whose_multipliers_coincide_are_all_to_be_seen():
    still = replay(run_log(course(60), 100), LOSSES[1:], settings(), 10_000)  # both stay at 1
    pixels = np.asarray(Image.open(io.BytesIO(figure_as_png(still))).convert("RGB"))
    lower = pixels[pixels.shape[0] // 2 :, : pixels.shape[1] * 3 // 4].reshape(-1, 3)  # the multipliers, no legend
    for colour in ("0072B2", "D55E00"):
        assert (lower == list(bytes.fromhex(colour))).all(axis=1).sum() > 200, colour


def test_every_loss_event_and_phase_is_named(run):
    figure = draw(run)
    above, below = figure.axes
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "l_g_mse", "l_g_l1", "l_g_gan", "spike", "not finite",
    ]  # fmt: skip
    assert {text.get_text() for text in above.texts} == {"early", "middle", "late"}
    assert (above.get_yscale(), below.get_yscale()) == ("log", "log")
    assert (above.get_ylabel(), below.get_ylabel(), below.get_xlabel()) == (
        "raw loss / its first value", "multiplier", "iteration",
    )  # fmt: skip


@given(st.lists(st.floats(0.1, 10.0) | st.just(math.nan), min_size=1, max_size=300), st.integers(10, 50))
def test_thinning_keeps_ends_and_extremes(curve, most):
    kept = thinned(curve, most)
    assert kept == sorted(set(kept))
    assert {0, len(curve) - 1} <= set(kept)
    assert len(kept) <= most + 4
    finite = [value for value in curve if math.isfinite(value)]
    if finite:
        shown = [curve[i] for i in kept if math.isfinite(curve[i])]
        assert (min(shown), max(shown)) == (min(finite), max(finite))


def test_without_matplotlib_one_line_says_what_to_install(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(AutocalError, match=r"pip install 'autocal-cli\[replay\]'"):
        figure_as_png(run)
