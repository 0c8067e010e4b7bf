"""Lines of text logs in the shapes that the trainers print."""

from __future__ import annotations

import math

import pytest
from run_logs import basicsr_line, fork_line, redux_line

from autocal_cli.diagnose.logs import parse_line, parse_lines

VALUES = {
    "l_g_l1": 0.061181,
    "l_g_perceptual_conv3_4": 1.5,
    "l_g_gan": -0.25,
    "l_g_total": 1.3112,
    "scale_g": 65536.0,
}


@pytest.mark.parametrize("line", [redux_line, basicsr_line, fork_line])
@pytest.mark.parametrize("iteration", [1, 100, 1_000, 1_234_567, 123_456_789])
def test_reads_iteration_and_losses_of_every_trainer(line, iteration):
    point = parse_line(line(iteration, VALUES))
    assert (point.iteration, point.values) == (iteration, pytest.approx(VALUES))


@pytest.mark.parametrize(
    ("printed", "values"),
    [
        ("l_pix: 6.1181e-02 l_percep: 1.0000e+00 ", {"l_pix": 0.061181, "l_percep": 1.0}),
        ("l_g_l1: nan l_g_gan: inf ", {"l_g_l1": math.nan, "l_g_gan": math.inf}),
        ("l_g_l1: -inf", {"l_g_l1": -math.inf}),
        ("l_g_l1: 1.0000e-02 l_d_real: 6.0e-01 out_d_real: 1.0e-01 grad_norm_g: 2.0e+00 ", {"l_g_l1": 0.01}),
        ("l_g_l1: 1.0000e-02 dynamic_weight_l_g_l1: 1.0200e+00 ", {"l_g_l1": 0.01, "dynamic_weight_l_g_l1": 1.02}),
        (
            "l_g_a_b: 1.0000e-02 loss_multipliers/l_g_a/b: 5.0000e-01 loss_shares/l_g_a/b: 1.0000e+00 ",
            {"l_g_a_b": 0.01, "loss_multipliers/l_g_a/b": 0.5},
        ),
    ],
)
def test_keeps_what_is_of_use(printed, values):
    found = parse_line(f"2024-07-02 21:41:17,816 INFO: [epoch:   0, iter:     100, lr:(1.000e-04)] {printed}\n")
    assert found.values == pytest.approx(values, nan_ok=True)


@pytest.mark.parametrize(
    "line",
    [
        "2024-07-02 21:41:17,816 INFO: Start training from epoch: 0, iter: 0.\n",
        "2024-07-02 21:41:17,816 INFO: Validation demo\n\t # psnr: 28.1000\tBest: 28.1000 @ 100 iter\n",
        "l_g_l1: 1.0e-02 without a head\n",
        "[epoch:   0, iter:     100, lr:(1.000e-04)] [performance: 4.729 it/s] grad_norm_g: 1.0000e+00 \n",
        "\n",
    ],
)
def test_other_lines_hold_no_point(line):
    assert parse_line(line) is None


def test_a_last_line_without_its_line_break_is_left_out_and_said():
    whole = redux_line(100, VALUES)
    assert [point and point.iteration for point in parse_lines([whole, redux_line(200, VALUES)[:-9]])] == [100, None]
    assert [point and point.iteration for point in parse_lines([whole, redux_line(200, VALUES)])] == [100, 200]
    assert [point and point.iteration for point in parse_lines([whole, "2024-07-02 End of"])] == [100]
