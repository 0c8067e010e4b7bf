"""The examples in docstrings are what the functions answer."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import autocal_cli

HOME = Path(autocal_cli.__file__).parent
WITH_EXAMPLES = sorted(
    ".".join(file.relative_to(HOME.parent).with_suffix("").parts)
    for file in HOME.rglob("*.py")
    if ">>> " in file.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_hold(name):
    ran = doctest.testmod(import_module(name), optionflags=doctest.ELLIPSIS)
    assert ran.attempted
    assert not ran.failed
