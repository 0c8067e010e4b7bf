"""The folder of real configs and images: tests marked `corpus` are skipped where it is absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# One thread a process, here and in the processes that tests start: the tests themselves run side by side.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# What is built must not depend on where the tests run.
os.environ.pop("AUTOCAL_TRAINER", None)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing is kept in the user's own cache, and nothing taken from it."""
    os.environ["AUTOCAL_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def _without_spandrel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor on whether spandrel is installed: the tests that are marked so ask for it."""
    if request.node.get_closest_marker("spandrel") is None:
        monkeypatch.setattr("autocal_cli.network.subprocess.client.spandrel_installed", lambda: False)


# Where a change is judged (CI=true) the properties run on the same examples every time; elsewhere they explore.
settings.register_profile("explore", deadline=None)
settings.register_profile("same", deadline=None, derandomize=True)
settings.load_profile("same" if os.environ.get("CI") else "explore")


@pytest.fixture(scope="session")
def corpus() -> Path:
    folder = Path(os.environ.get("AUTOCAL_CORPUS") or Path(__file__).parents[2] / "shared")
    if not folder.is_dir():
        pytest.skip(f"no corpus at {folder}: set AUTOCAL_CORPUS")
    return folder
