"""Networks out of a trainer's registry and out of a user's own callable, built in processes of their own."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from autocal_cli.config.model import NetworkOptions, Value
from autocal_cli.errors import AutocalError, Place
from autocal_cli.network.fingerprint import ask, builders_for
from autocal_cli.network.model import NetworkFingerprint, Passed
from autocal_cli.network.paragonsr2.family import BuiltIn
from autocal_cli.network.sources import NetworkSources, find_checkout
from autocal_cli.network.subprocess.client import Foreign, ForeignProcess, trainer

pytestmark = pytest.mark.xdist_group("foreign networks")  # one worker, so that their processes are started once

SAME_SCALE = "Write the same scale in both places, or remove it from the network plain."
TRAINER = Path(__file__).parents[1] / "trainer"
PLAIN = 16 * (3 * 9 + 1) + 48 * (16 * 9 + 1)  # two 3x3 convolutions with biases: 3 -> 16 -> 48


def network(type: str, /, **arguments: Value) -> NetworkOptions:
    return NetworkOptions(type, arguments, Place("train.yml", 10, 1), {})


@pytest.fixture(scope="module")
def archs() -> Iterator[Foreign]:
    checkout = find_checkout(TRAINER)
    assert checkout is not None
    builder = trainer(checkout, 4)
    yield builder
    builder.close()


def measured(builder: Foreign, type: str, scale: int | None = 4, /, **arguments: Value) -> NetworkFingerprint:
    found = builder.measure(network(type, **arguments), scale)
    assert isinstance(found, NetworkFingerprint), found
    return found


def told(found: NetworkFingerprint) -> list[tuple[str, str, str | None]]:
    return [(finding.code, finding.severity, finding.fix) for finding in found.findings]


@pytest.mark.parametrize("type", ["plain", "Plain", "PLAIN"])
def test_a_trainers_network_is_built_and_measured(archs: Foreign, type: str) -> None:
    found = measured(archs, type)
    assert (found.type, found.parameters, found.macs_per_pixel) == (type, PLAIN, 16 * 27 + 48 * 144)
    assert (found.builder, found.scale, found.findings) == ("traiNNer-redux (--trainer)", 4, ())


@pytest.mark.parametrize(("scale", "out"), [(2, 12), (3, 27)])
def test_the_trainers_scale_is_handed_over(archs: Foreign, scale: int, out: int) -> None:
    assert measured(archs, "plain", scale).parameters == 16 * 28 + out * 145


def test_an_architecture_that_cannot_be_imported_takes_no_other_with_it(archs: Foreign) -> None:
    found = archs.measure(network("nowhere"), 4)
    assert isinstance(found, Passed)
    assert (found.builder, found.failed) == ("traiNNer-redux (--trainer)", True)
    assert found.reason.startswith("has no nowhere that could be imported: ")
    assert "the package a_package_that_nobody_has is not installed" in found.reason
    assert "run autocal" in str(found.cure) or "python" in str(found.cure)


@pytest.mark.parametrize(
    ("type", "arguments", "expected"),
    [
        ("plain", {"dim": 8, "act": "gelu", "bias": False, "drop": 0, "scale": 4}, []),
        ("plain_passes_on", {"dim": 8, "act": "gelu"}, []),
        ("plain_swallows", {"dim": 8}, []),
        ("plain", {"dims": 8}, [("network-argument-unknown", "error", "Did you mean 'dim'?")]),
        ("plain_passes_on", {"dims": 8}, [("network-argument-unknown", "error", "Did you mean 'dim'?")]),
        ("plain_swallows", {"dims": 8}, [("network-argument-unknown", "warning", "Did you mean 'dim'?")]),
        (
            "plain",
            {"depth": 1},
            [("network-argument-unknown", "error", "Remove it. plain takes scale, dim, act, bias, drop.")],
        ),
        ("plain", {"act": "tanh"}, [("network-argument-type", "warning", None)]),
        ("plain", {"drop": 0.5, "bias": 1}, [("network-argument-type", "warning", None)]),
        ("plain", {"scale": 2}, [("network-scale-mismatch", "warning", SAME_SCALE)]),
        ("plain_without_scale", {}, [("network-scale-refused", "error", None)]),
    ],
)  # fmt: skip
def test_arguments(
    archs: Foreign, type: str, arguments: dict[str, Value], expected: list[tuple[str, str, str | None]]
) -> None:
    assert told(measured(archs, type, **arguments)) == expected


def test_an_argument_of_a_wrong_type_that_the_constructor_chokes_on(archs: Foreign) -> None:
    found = archs.measure(network("plain", dim="16"), 4)
    assert isinstance(found, Passed)
    assert found.failed


@pytest.mark.parametrize(
    ("type", "reason"),
    [
        ("raises", "could not build raises: RuntimeError: no scale 4"),
        ("exits", "could not build exits: SystemExit: enough"),
        ("asks", "could not build asks: EOFError: EOF when reading a line"),
        ("no_module", "could not build no_module: TypeError: it returned int, which is no torch.nn.Module"),
        (
            "plain_needs_dim",
            "could not build plain_needs_dim: TypeError: plain_needs_dim() missing 1 required positional argument: "
            "'dim'",
        ),
    ],
)
def test_constructors_that_fail(archs: Foreign, type: str, reason: str) -> None:
    found = archs.measure(network(type), 4)
    assert isinstance(found, Passed)
    assert (found.builder, found.reason, found.failed) == (archs.name, reason, True)


@pytest.mark.parametrize(
    ("type", "more", "finding"),
    [
        ("prints", 0, None),
        ("readsvalues", -8 * 28 - 48 * 8 * 9, None),
        ("readsvaluesforward", 0, None),
        ("windows", 0, "windows refuses 64 x 64 pixels: its MACs were counted at 48."),
        ("clips", 0, "clips takes clips: its MACs were counted for 5 frames, one of them made."),
        ("pairs", 6, None),
    ],
)
def test_networks_that_need_something_else(archs: Foreign, type: str, more: int, finding: str | None) -> None:
    found = measured(archs, type)
    assert found.parameters == PLAIN + more
    assert found.macs_per_pixel == (16 * 27 + 48 * 144) / (2 if type == "readsvalues" else 1)
    assert [f.message for f in found.findings] == ([finding] if finding else [])


def test_a_network_that_never_runs_keeps_its_parameters(archs: Foreign) -> None:
    found = measured(archs, "neverruns")
    assert (found.parameters, found.macs_per_pixel) == (PLAIN, None)
    (finding,) = found.findings
    assert finding.message == "the MACs of neverruns could not be counted: RuntimeError: not for images."


@pytest.fixture(scope="module")
def hurried() -> Iterator[Foreign]:
    """With little time and memory."""
    checkout = find_checkout(TRAINER)
    assert checkout is not None
    spec = trainer(checkout, 4).process._spec
    builder = Foreign("trainer", ForeignProcess(spec, seconds=3.0, memory=200 * 1024**2))
    yield builder
    builder.close()


@pytest.mark.parametrize(
    ("type", "reason"),
    [
        ("quits", "could not build quits: it ended its process (exit code 3)"),
        ("hangs", "could not build hangs: it took more than 3 seconds"),
        pytest.param(
            "eats",
            "could not build eats: it took more than 0.2 GB of memory",
            marks=pytest.mark.skipif(os.name == "nt", reason="no memory limit there"),
        ),
    ],
)
def test_a_process_that_ends_costs_one_network_only(hurried: Foreign, type: str, reason: str) -> None:
    hurried.process._seconds = 3.0 if type == "hangs" else 60.0  # a busy machine takes long to eat
    assert hurried.measure(network(type), 4) == Passed("trainer", reason, failed=True)
    if type == "quits":  # the others start anew, too
        assert isinstance(hurried.measure(network("plain"), 4), NetworkFingerprint)


def test_a_trainer_that_ends_the_process_as_it_is_imported_leaves_the_word_to_the_next(tmp_path: Path) -> None:
    shutil.copytree(TRAINER, tmp_path / "trainer")
    (tmp_path / "trainer/traiNNer/archs/a_quits_arch.py").write_text("import os\nos._exit(5)\n", encoding="utf-8")
    with builders_for(NetworkSources(trainer=tmp_path / "trainer")) as builders:
        found = ask(builders, network("paragonsr2_tiny"), 4)
    assert (found.builder, found.variant) == ("built-in", "tiny")
    assert "importing it ended its process (exit code 5)" in found.findings[0].message


def test_a_name_known_here_for_another_network_is_not_trusted(archs: Foreign) -> None:
    found = ask((archs, BuiltIn()), network("paragonsr2_nano"), 4)
    assert (found.parameters, found.family, found.variant) == (PLAIN, None, None)
    assert [finding.code for finding in found.findings] == ["network-differs-from-name"]


def test_the_next_builder_speaks_and_the_first_ones_trouble_is_told(archs: Foreign) -> None:
    found = ask((archs, BuiltIn()), network("paragonsr2_tiny"), 4)
    assert (found.builder, found.variant) == ("built-in", "tiny")
    assert [who.builder for who in found.passed] == [archs.name]
    assert [finding.code for finding in found.findings] == ["network-not-built"]


def test_a_callable_that_cannot_be_imported_is_told_with_what_to_do_about_it() -> None:
    with builders_for(NetworkSources(own="no_such_module:net")) as builders:
        found = ask(builders, network("paragonsr2_tiny"), 4)
    (finding,) = found.findings
    assert (found.builder, finding.code) == ("built-in", "network-not-built")
    assert finding.fix is not None
    assert "--network" in finding.fix


def test_a_callable_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_archs.py").write_text(
        "from torch import nn\n\n\ndef mine(dim, upscale):\n    return nn.Conv2d(3, dim * upscale, 1)\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    with builders_for(NetworkSources(own="my_archs:mine")) as builders:
        found = ask(builders, network("whatever", dim=5), 2)
    assert (found.builder, found.parameters, found.macs_per_pixel) == ("my_archs:mine", 40, 30)


@pytest.mark.parametrize("own", ["", "my_archs", ":mine", "my_archs:"])
def test_a_callable_that_is_not_written_as_one(own: str) -> None:
    with (
        pytest.raises(AutocalError, match="--network should be module:callable"),
        builders_for(NetworkSources(own=own)),
    ):
        pass


REGISTRY = """
class Registry(dict):
    def register(self):
        return lambda made: self.setdefault(made.__name__, made)
    def get(self, name):
        return self[name]

ARCH_REGISTRY = Registry()
"""
ARCH = """
from torch import nn
from basicsr.utils.registry import ARCH_REGISTRY

@ARCH_REGISTRY.register()
class {name}(nn.Conv2d):
    def __init__(self, num_in_ch=3, width=1):
        super().__init__(num_in_ch, width, 3, padding=1)
"""


def test_real_esrgan_stands_on_the_basicsr_that_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "installed/basicsr/__init__.py": "raise ImportError('its __init__ wants an older torchvision')",
        "installed/basicsr/utils/__init__.py": "",
        "installed/basicsr/utils/registry.py": REGISTRY,
        "installed/basicsr/archs/theirs_arch.py": ARCH.format(name="Theirs"),
        "checkout/realesrgan/__init__.py": "from .version import *",  # which setup.py makes
        "checkout/realesrgan/archs/__init__.py": "",
        "checkout/realesrgan/archs/own_arch.py": ARCH.format(name="Own"),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    checkout = find_checkout(tmp_path / "checkout")
    assert checkout is not None
    with contextlib.closing(trainer(checkout, 4)) as lacking:
        assert "the package basicsr is not installed beside autocal" in (lacking.trouble() or "")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "installed"))
    with contextlib.closing(trainer(checkout, 4)) as found:
        assert [measured(found, type, 4, width=2).parameters for type in ("Theirs", "Own")] == [56, 56]
        assert found.name == "Real-ESRGAN (--trainer)"


def test_which_trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_checkout(None) is None
    monkeypatch.chdir(TRAINER)
    found = find_checkout(None)
    assert found is not None
    assert (found.kind.name, found.named_by) == ("traiNNer-redux", "the working directory")
    monkeypatch.setenv("AUTOCAL_TRAINER", str(tmp_path))
    with pytest.raises(AutocalError, match=r"AUTOCAL_TRAINER: .* is no checkout of a trainer known here"):
        find_checkout(None)
    found = find_checkout(TRAINER / "train.py")
    assert found is not None
    assert (found.folder, found.named_by) == (TRAINER, "--trainer")
