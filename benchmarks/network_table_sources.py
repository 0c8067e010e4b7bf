"""The trainers whose networks stand in the packaged table; see network_table.py."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

REDUX = ("SPANDREL_REGISTRY", "ARCH_REGISTRY", "TESTARCH_REGISTRY")  # in the order in which the trainer looks


@dataclass(frozen=True, slots=True)
class Source:
    """A trainer's repository.

    `trainer` is autocal's name of it; `registry` is the package whose utils.registry holds the networks. `hands_scale`:
    the config's scale is handed to the generator's constructor. `scale_at_import`: it is read from the command line.
    `like`: the source whose lines are not repeated where they are the same.
    """

    trainer: str
    repository: str
    package: str
    registry: str
    registries: tuple[str, ...] = ("ARCH_REGISTRY",)
    hands_scale: bool = False
    scale_at_import: bool = False
    like: str | None = None
    case_matters: bool = True


FORK = "traiNNer-redux-fork"
SOURCES = {
    "trainner-redux": Source(
        "traiNNer-redux", "the-database/traiNNer-redux", "traiNNer", "traiNNer", REDUX, True, case_matters=False
    ),
    "trainner-redux-fork": Source(
        FORK, "delafer/traiNNer-redux", "traiNNer", "traiNNer", REDUX, True, like="trainner-redux", case_matters=False
    ),
    "trainner-redux-phhofm": Source(
        FORK, "Phhofm/traiNNer-redux", "traiNNer", "traiNNer", REDUX, True, like="trainner-redux", case_matters=False
    ),
    "paragonsr2": Source(FORK, "Phhofm/ParagonSR2", "traiNNer", "traiNNer", REDUX, True, case_matters=False),
    # Its first commits (413f361), which registered other networks under the names that the second generation has today.
    "paragonsr2-first": Source(
        "paragonsr2-first", "Phhofm/ParagonSR2", "traiNNer", "traiNNer", REDUX, True, case_matters=False
    ),
    "basicsr": Source("BasicSR", "XPixelGroup/BasicSR", "basicsr", "basicsr"),
    "real-esrgan": Source("Real-ESRGAN", "xinntao/Real-ESRGAN", "realesrgan", "basicsr", like="basicsr"),
    "neosr": Source("neosr", "neosr-project/neosr", "neosr", "neosr", scale_at_import=True),
}


def commit_of(folder: Path) -> str:
    command = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
