"""Whatever a log holds, something is said of it, in ten lines, as JSON and as a page."""

from __future__ import annotations

import math

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from run_logs import run_log

from autocal_cli.diagnose.log_formats import RunTable, TextReader
from autocal_cli.diagnose.model import RunLog, Validation
from autocal_cli.diagnose.verdict import diagnose
from autocal_cli.report.diagnose import diagnosis_page, verdict_texts
from autocal_cli.report.json import diagnosis_json, dump

LABELS = (
    "l_g_pix", "l_g_gan", "l_d_real", "l_d_fake", "out_d_real", "out_d_fake", "scale_g", "lr", "time", "data_time",
    "autocal/cost", "autocal/separation", "grad_norm_g",
)  # fmt: skip
VALUES = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([0.0, 1.0, 0.5, -1.0, 1e300, 5e-324, math.nan])
)
TRACKS = st.dictionaries(st.sampled_from(LABELS), st.lists(VALUES, max_size=60), min_size=1)
METRICS = st.dictionaries(st.sampled_from(["psnr", "ssim", "lpips"]), VALUES, min_size=1)
FACTS = st.fixed_dictionaries(
    {},
    optional={
        "gan_type": st.sampled_from(["vanilla", "hinge", "lsgan", "wgan", ""]),
        "total_iter": st.sampled_from(["100", "1e6", "x", "nan", "inf"]),
        "save_checkpoint_freq": st.sampled_from(["0", "1000", "-5", "1"]),
        "rate:optim_g": st.sampled_from(["0", "1e-4", "nan"]),
        "rate:optim_d": st.sampled_from(["0", "1e-4", "nan"]),
        "pretrain_network_g": st.sampled_from(["None", "x.pth"]),
        "trainer": st.sampled_from(["BasicSR", "neosr"]),
    },
)


@settings(max_examples=30, deadline=None, phases=[Phase.generate])
@given(TRACKS, st.lists(METRICS, max_size=20), FACTS)
def test_something_is_said_of_whatever_was_logged(tracks, metrics, facts):
    validations = tuple(Validation(500 * (i + 1), "val", values) for i, values in enumerate(metrics))
    log = run_log(tracks, facts=facts)
    log = RunLog(log.source, log.files, log.tracks, validations, log.sessions, facts=log.facts, rows=log.rows)
    found = diagnose(log)
    assert 1 <= len(verdict_texts(found)) <= 10
    assert dump(diagnosis_json(found))
    assert diagnosis_page(found, found).endswith("</html>")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=80) | st.sampled_from([
    "[epoch:   0, iter:     100, lr:(1.000e-04)] [performance: 0.000 it/s] l_g_l1: 1.0e-02 \n",
    "[epoch:   0, iter: , lr:()] l_g_l1: \n",
    "[ epoch:   0 ] [ iter:    100 ] [ lr: ] [ l_g_pix: nan ] \n",
    "[epoch:  0, iter:  9,999,999,999,999,999,999, lr:(x)] time (data): a (b)] l_pix: 1e999 \n",
    "Validation \n", "\t # psnr: 28.1\tBest: nan @ 1 iter\n", "\t # : \n",
    "  val_freq: 0\n", "  val_freq: -1\n", "  val_freq: x\n",
    "Start training from epoch: 0, iter: 0\n", "Traceback (most recent call last):\n", "E: \n",
]), max_size=30))  # fmt: skip
def test_no_line_stops_the_reader(lines):
    table, facts = RunTable(), dict[str, str]()
    reader = TextReader(table, facts)
    reader.read(lines)
    assert reader.session() is not None
    assert table.tracks() is not None


@pytest.mark.parametrize("count", [1, 2, 3, 5, 11, 12, 13, 24])
def test_a_run_of_so_many_points_is_told(count):
    values = [0.5 - i * 0.001 for i in range(count)]
    tracks = dict.fromkeys(("l_g_pix", "l_g_gan", "l_d_real", "l_d_fake"), values)
    assert len(diagnose(run_log(tracks, facts={"gan_type": "vanilla"})).lines) <= 10
