"""What is said of files that the trainer takes otherwise."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from autocal_cli.dataset.model import Sighting
from autocal_cli.dataset.trainer_view import TRAINER_VIEW, trainer_findings
from autocal_cli.errors import Place

PLACE = Place("train.yml", 3, 5)


@pytest.mark.parametrize("trait", TRAINER_VIEW)
def test_each_trait_names_its_file_and_the_trainer(trait):
    (finding,) = trainer_findings([Sighting(trait, 1, "hr/odd.file")], PLACE)
    assert finding.code == f"trainer-{trait}"
    assert finding.place == PLACE
    assert "(hr/odd.file)" in finding.message
    assert "traiNNer-redux" in finding.message
    assert finding.fix
    assert finding.fix.endswith(".")


@pytest.mark.parametrize("trainer", ["BasicSR", "Real-ESRGAN"])
def test_a_trainer_that_reads_with_opencv_stumbles_over_less(trainer):
    seen = [Sighting(trait, 1, "hr/odd.file") for trait in TRAINER_VIEW]
    findings = trainer_findings(seen, trainer=trainer)
    assert {finding.code for finding in findings} == {
        "trainer-not-an-image", "trainer-floating-point", "trainer-transparent",
    }  # fmt: skip
    assert all(trainer in finding.message and "traiNNer-redux" not in finding.message for finding in findings)


def test_neosr_opens_hidden_files_where_images_are_paired():
    (finding,) = trainer_findings([Sighting("hidden-file", 1, "hr/.DS_Store")], trainer="neosr")
    assert "neosr, where GT and LQ are paired, opens what is hidden" in finding.message


@pytest.mark.parametrize("trainer", ["traiNNer-redux-fork", "another"])
def test_of_others_it_is_said_what_redux_does(trainer):
    seen = [Sighting(trait, 1, "hr/odd.file") for trait in TRAINER_VIEW]
    assert trainer_findings(seen, trainer=trainer) == trainer_findings(seen)


def test_opencv_cannot_read_grey_in_floating_point():
    """What the finding says of trainers that read with it."""
    cv2 = pytest.importorskip("cv2")
    buffer = io.BytesIO()
    Image.new("F", (16, 16), 0.5).save(buffer, "TIFF")
    assert cv2.imdecode(np.frombuffer(buffer.getvalue(), np.uint8), cv2.IMREAD_COLOR) is None


def test_several_are_counted():
    (finding,) = trainer_findings([Sighting("hidden-file", 1_200, "hr/.DS_Store")])
    assert finding.message.startswith("1,200 hidden files (hr/.DS_Store, and others): ")


def test_nothing_seen_nothing_said():
    assert trainer_findings([]) == ()
