from __future__ import annotations

import pytest


@pytest.fixture(params=["host", "device"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)
