"""The harness of the law: runs repeat themselves, are kept and found again, and tables say what is missed."""

from __future__ import annotations

import math
from dataclasses import replace

import controller
import on_gpu
import pytest
import torch
from controller_methods import METHODS
from controller_parts import PARTS, without
from controller_run import one_run
from controller_training import Outcome, Setting
from PIL import Image
from small_photographs import Photographs
from torch.nn import functional as F  # noqa: N812

from autocal_cli.runtime.controller import Controller
from autocal_cli.runtime.settings import SchedulerSettings

SHORT = Setting(start="scratch", steps=4)


@pytest.fixture(scope="module")
def photographs() -> Photographs:
    noise = torch.Generator().manual_seed(0)
    images = [torch.randint(256, (3, 64, 64), generator=noise, dtype=torch.uint8) for _ in range(3)]
    return Photographs(images, [images[0].unsqueeze(0) / 255.0])


@pytest.mark.parametrize(
    "changes", [{}, {"losses": "msssim"}, {"gan": "relativistic"}, {"discriminator": "strong"}, {"scale": 4}]
)
def test_a_run_repeats_itself_and_static_weights_stay(changes, photographs, tmp_path):
    setting = replace(SHORT, method="static", factor=10.0, **changes)
    one, other = (one_run(setting, photographs, tmp_path) for _ in range(2))
    assert (one.psnr, one.trace) == (other.psnr, other.trace)
    assert one.multiplier == 1.0


@pytest.mark.parametrize("method", METHODS)
def test_other_methods_make_one_training_of_two_wrong_weights(method, photographs, tmp_path):
    """Both scale the adversarial loss by the size of its gradient: what it was before does not matter."""
    one, other = (one_run(replace(SHORT, method=method, factor=factor), photographs, tmp_path) for factor in (1e3, 1e5))
    static = one_run(replace(SHORT, factor=1e3), photographs, tmp_path)
    assert one.psnr == pytest.approx(other.psnr, abs=1e-3)
    assert one.psnr != pytest.approx(static.psnr, abs=1e-3)


@pytest.mark.parametrize("recipe", controller.RECIPES, ids=lambda recipe: recipe.losses)
def test_a_recipe_trains(recipe, photographs, tmp_path, monkeypatch):
    monkeypatch.setattr("controller_training.perceptual", lambda *images: F.l1_loss(images[1], images[2]))
    monkeypatch.setattr("controller_training.vgg", lambda: None)
    found = one_run(replace(recipe, start="scratch", steps=3, method="law"), photographs, tmp_path)
    assert found.multiplier == 1.0
    assert -1.0 <= found.separation <= 1.0
    assert math.isfinite(found.psnr)


def moves(budget: float) -> list[float]:
    """The multiplier in a made-up run: cheap and clear, dear, blind, and cheap and clear again."""
    noise = torch.Generator().manual_seed(0)
    block = {"momentum": 0.85, "adaptation_rate": 0.015, "baseline_iterations": 20, "fidelity_budget": 1.0}
    law = Controller(replace(SchedulerSettings.from_block(block, 2000, 2), fidelity_budget=budget), 2000)
    path = []
    for step in range(2000):
        loud = torch.randn(2, generator=noise).tolist()
        fidelity = 1.0 if 400 < step < 800 else 1.4 + (step - 1000) / 5000 if step > 1000 else 2.0
        separation = 0.1 if step < 60 or 800 < step < 1000 else 0.7
        path.append(law.advance(fidelity + 0.3 * loud[0], separation + 0.1 * loud[1], step))
    return path


@pytest.mark.parametrize("part", PARTS)
def test_every_part_of_the_law_can_be_taken_away(part):
    whole = moves(1.0)
    with without(part, 1.0) as budget:
        assert moves(budget) != pytest.approx(whole)
    assert moves(1.0) == whole


@pytest.mark.parametrize(
    ("options", "field", "expected"),
    [
        (("--perceptual", "100", "--cells", "random"), "perceptual_factor", {100.0}),
        (("--without", "raise", "--cells", "vgg"), "method", {"law", "without raise"}),
    ],
)
def test_options_reach_every_run_of_the_plan(options, field, expected, monkeypatch):
    monkeypatch.setattr("sys.argv", ["controller.py", "FOLDER", *options])
    assert {getattr(setting, field) for setting in controller.planned(controller.parsed_arguments())} == expected


def test_a_run_is_kept_by_its_settings(tmp_path):
    outcome = Outcome(30.0, 0.1, 1.5, 0.6, 1.0, 2.0, [[1, 0.5, 0.1, 1.0]])
    assert controller.claimed(SHORT, tmp_path)
    assert not controller.claimed(SHORT, tmp_path)
    controller.keep(SHORT, outcome, tmp_path)
    assert controller.kept(SHORT, tmp_path) == outcome
    assert controller.kept(replace(SHORT, seed=1), tmp_path) is None
    assert controller.claimed(SHORT, tmp_path)  # the claim went with the run


def test_a_table_says_what_is_missed(tmp_path):
    found = {
        Setting(): (30.0, 0.08), Setting(factor=0.0): (30.5, 0.10), Setting(method="law"): (29.8, 0.081),
        Setting(method="law", factor=100.0): (28.0, 0.087),
    }  # fmt: skip
    for setting, (psnr, lpips) in found.items():
        controller.keep(setting, Outcome(psnr, lpips, 1.0, 0.5, 1.0, 1.0), tmp_path)
    right, wrong = (row for row in controller.table(Setting(), list(found), tmp_path) if row.startswith("| law"))
    assert "missed" not in right
    assert "collapsed" not in right
    assert "+0.0070 **missed** **collapsed**" in wrong


def test_the_script_for_accelerators_runs_on_the_cpu(tmp_path, monkeypatch, capsys):
    for number in range(3):
        noise = torch.randint(256, (64, 64, 3), generator=torch.Generator().manual_seed(number), dtype=torch.uint8)
        Image.fromarray(noise.numpy()).save(tmp_path / f"{number}.png")
    monkeypatch.setattr("sys.argv", ["on_gpu.py", str(tmp_path), "--device", "cpu", "--tiny"])
    on_gpu.main()
    told = capsys.readouterr().out
    assert told.count("| law |") == 5
    assert "images a second" in told
