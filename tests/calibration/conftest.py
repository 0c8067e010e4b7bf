"""Inputs of a calibration, built from the few facts that a test is about."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from autocal_cli.calibration.calibrate import calibrate
from autocal_cli.calibration.model import Calibration, DatasetScores, Presets
from autocal_cli.calibration.presets import load_presets
from autocal_cli.config.model import KeyPath, LossTerm, SchedulingBlock, TrainingConfig, Value
from autocal_cli.dataset.model import METRIC_NAMES
from autocal_cli.errors import Place
from autocal_cli.network.model import NetworkFingerprint

PLACE = Place("train.yml", 1, 1)
ADVERSARIAL = LossTerm("GANLoss", "adversarial", 0.1, PLACE)


@pytest.fixture(scope="session")
def presets() -> Presets:
    return load_presets()


@pytest.fixture(scope="session")
def measured() -> Callable[..., DatasetScores]:
    """A dataset whose three metrics all have one score, known to +- `half_width`."""

    def make(score: float, half_width: float = 0.0, failed: int = 0) -> DatasetScores:
        interval = (max(0.0, score - half_width), min(1.0, score + half_width))
        return DatasetScores(
            found=10 + failed,
            read=10,
            failed=failed,
            scores=dict.fromkeys(METRIC_NAMES, score),
            overall_complexity=score,
            overall_ci95=interval,
            identity="abcdefghijkl",
            metric_version=1,
        )

    return make


@pytest.fixture(scope="session")
def block() -> Callable[..., SchedulingBlock]:
    """A block with these values, each in a line of its own from 21 on."""

    def make(values: dict[str, Value]) -> SchedulingBlock:
        places: dict[KeyPath, Place] = {}

        def visit(mapping: dict[str, Value], path: KeyPath) -> None:
            for key, value in mapping.items():
                places[(*path, key)] = Place("train.yml", 21 + len(places), 5)
                if isinstance(value, dict):
                    visit(value, (*path, key))

        visit(values, ())
        return SchedulingBlock(values, places, Place("train.yml", 20, 3))

    return make


@pytest.fixture(scope="session")
def calibrated(presets: Presets, block: Callable[..., SchedulingBlock]) -> Callable[..., Calibration]:
    """Calibrates a registered variant, or a network with so many parameters."""

    def make(
        variant: str | None = "nano",
        parameters: int | None = 10_595,
        *,
        dataset: DatasetScores | None = None,
        total_iter: int | None = 40_000,
        batch_size: int | None = 16,
        adversarial: bool = False,
        values: dict[str, Value] | None = None,
        settings: dict[KeyPath, Value] | None = None,
    ) -> Calibration:
        config = TrainingConfig(
            path="train.yml",
            trainer="traiNNer-redux",
            scale=2,
            total_iter=total_iter,
            batch_size=batch_size,
            losses=(ADVERSARIAL,) if adversarial else (),
            block=None if values is None else block(values),
            place=PLACE,
        )
        network = NetworkFingerprint(f"paragonsr2_{variant}", "paragonsr2", variant, 2, parameters, 26822.0, "built-in")
        return calibrate(config, network, dataset, presets, settings)

    return make
