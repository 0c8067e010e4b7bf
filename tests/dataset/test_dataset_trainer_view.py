"""What is said of files that the trainer takes otherwise."""

from __future__ import annotations

import pytest

from autocal_cli.dataset.record import Sighting
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


def test_several_are_counted():
    (finding,) = trainer_findings([Sighting("hidden-file", 1_200, "hr/.DS_Store")])
    assert finding.message.startswith("1,200 hidden files (hr/.DS_Store, and others): ")


def test_nothing_seen_nothing_said():
    assert trainer_findings([]) == ()
