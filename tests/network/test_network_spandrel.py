"""spandrel's networks by name. The table is always checked; what is built needs spandrel (torchvision isn't needed).

Large networks take a minute together: they are built where AUTOCAL_ALL_NETWORKS is set.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from measured import fingerprint_network

from autocal_cli.config.files import parse_document
from autocal_cli.config.loading import read_training_config
from autocal_cli.config.model import NetworkOptions, Value
from autocal_cli.errors import AutocalError, Place
from autocal_cli.network.fingerprint import ask
from autocal_cli.network.model import NAME_ANOTHER, NetworkFingerprint, Passed
from autocal_cli.network.paragonsr2.family import BuiltIn
from autocal_cli.network.subprocess import client as foreign
from autocal_cli.network.subprocess.client import Foreign, ForeignProcess, spandrel
from autocal_cli.network.subprocess.spandrel import TrainerNames, spandrel_installed, spandrel_types

pytestmark = [pytest.mark.spandrel, pytest.mark.xdist_group("spandrel")]  # one process of it for all
needs_spandrel = pytest.mark.skipif(not spandrel_installed(), reason="spandrel is not installed")

# Parameters at scale 4, as a checkout of traiNNer-redux builds its networks of the same names
# (measured: python benchmarks/network_coverage.py TRAINER_FOLDER); it shares no code with the table.
AS_THE_TRAINER_HAS_THEM = {
    "atd": 20_260_929,
    "compact": 621_424,
    "craft": 753_344,
    "dat": 14_802_051,
    "dat_2": 11_212_131,
    "dat_light": 878_577,
    "dat_s": 11_212_131,
    "dctlsa": 885_328,
    "ditn_real": 444_112,
    "drct": 14_139_579,
    "drct_l": 27_580_719,
    "drct_xl": 32_061_099,
    "esrgan": 16_697_987,
    "esrgan_lite": 5_021_155,
    "fdat_large": 11_121_579,
    "fdat_light": 1_909_467,
    "fdat_medium": 4_030_623,
    "fdat_tiny": 1_009_347,
    "fdat_xl": 23_118_819,
    "grl_b": 20_201_299,
    "grl_s": 3_487_715,
    "grl_t": 906_192,
    "hat_l": 40_846_575,
    "hat_m": 20_772_507,
    "hat_s": 9_621_183,
    "moesr2": 16_547_008,
    "omnisr": 805_376,
    "plksr": 7_386_096,
    "plksr_tiny": 2_370_544,
    "rcan": 15_592_355,
    "realplksr": 7_389_680,
    "realplksr_tiny": 2_372_080,
    "rgt": 13_365_543,
    "rgt_s": 10_198_767,
    "safmn": 239_520,
    "safmn_l": 5_600_816,
    "seemore_t": 231_804,
    "span": 2_621_964,
    "span_s": 2_236_728,
    "superultracompact": 52_968,
    "swin2sr_l": 28_785_859,
    "swin2sr_m": 12_239_283,
    "swin2sr_s": 1_024_824,
    "swinir_l": 28_013_059,
    "swinir_m": 11_900_199,
    "swinir_s": 929_628,
    "ultracompact": 325_488,
}

# With more parameters than this, or slow to count for another reason.
LARGE = 2_000_000
SLOW = {"atd_light", "craft", "dat_light", "dctlsa", "grl_s", "grl_t", "kbnet_l", "rcan_l"}


def _fast_first(types: Iterable[str]) -> list[object]:
    """Types as parameters of a test; the slow ones are skipped unless all are asked for."""
    all_asked = "AUTOCAL_ALL_NETWORKS" in os.environ
    skip = pytest.mark.skip(reason="large; AUTOCAL_ALL_NETWORKS=1 builds it")
    return [pytest.param(type, marks=[] if all_asked or not _is_slow(type) else [skip]) for type in types]


def _is_slow(type: str) -> bool:
    return type in SLOW or AS_THE_TRAINER_HAS_THEM.get(type, 0) > LARGE


def network(type: str, /, **arguments: Value) -> NetworkOptions:
    return NetworkOptions(type, arguments, Place("train.yml", 3, 1), {})


@pytest.fixture(scope="module")
def builder() -> Iterator[Foreign]:
    process = ForeignProcess({"source": "spandrel"}, seconds=300.0)  # the machine may be busy
    found = Foreign("spandrel", process, strict=False, known=tuple(spandrel_types()))
    yield found
    found.close()


def test_no_name_is_known_twice() -> None:
    """So that it doesn't matter which of the two is asked first."""
    assert not set(spandrel_types()) & {type.lower() for type in BuiltIn().types()}


def test_without_spandrel_it_is_said_what_would_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "spandrel_installed", lambda: False)
    found = fingerprint_network(network("SCUNet"), 2)  # which the packaged table has not
    (finding,) = found.findings
    assert finding.fix == "pip install 'autocal-cli[spandrel]' (spandrel has SCUNet)."
    assert fingerprint_network(network("nobody_knows"), 2).findings[0].fix != finding.fix


@needs_spandrel
@pytest.mark.parametrize("type", _fast_first(AS_THE_TRAINER_HAS_THEM))
def test_parameters_are_those_of_the_trainers_network(builder: Foreign, type: str) -> None:
    found = builder.measure(network(type), 4)
    assert isinstance(found, NetworkFingerprint), found
    assert found.parameters == AS_THE_TRAINER_HAS_THEM[type]
    assert found.macs_per_pixel is not None
    assert found.findings == ()


@needs_spandrel
@pytest.mark.parametrize("type", _fast_first(sorted(set(spandrel_types()) - set(AS_THE_TRAINER_HAS_THEM))))
def test_every_other_type_is_built(builder: Foreign, type: str) -> None:
    found = builder.measure(network(type), None)
    assert isinstance(found, NetworkFingerprint), found
    assert found.parameters
    assert found.macs_per_pixel


@needs_spandrel
def test_what_it_does_not_have_starts_no_process() -> None:
    found = spandrel()
    assert isinstance(found, Foreign)
    assert found.measure(network("nobody_knows"), 4) == Passed("spandrel", "has no nobody_knows")
    assert found.process._process is None


@needs_spandrel
def test_the_scale_and_arguments_are_handed_over(builder: Foreign) -> None:
    found = builder.measure(network("Compact", num_feat=8, num_conv=1, scale=3), None)
    assert isinstance(found, NetworkFingerprint)
    assert (found.scale, found.findings) == (3, ())
    # 3 -> 8, one inner convolution, 8 -> 27, and two PReLU of 8
    assert found.parameters == 8 * 28 + 8 * 73 + 27 * 73 + 2 * 8


BASICSR = {"num_in_ch": 3, "num_out_ch": 3}
SIX_BLOCKS = {**BASICSR, "num_feat": 64, "num_block": 6, "num_grow_ch": 32}


@needs_spandrel
@pytest.mark.parametrize(
    ("type", "arguments", "scale", "parameters", "macs_per_pixel"),
    [
        # measured: BasicSR's constructors of a checkout, called with the same arguments
        ("RRDBNet", SIX_BLOCKS, 4, 4_467_779, 5_706_432.0),
        ("RRDBNet", {**BASICSR, "scale": 2}, 2, 16_703_171, 4_483_008.0),
        ("RRDBNet", {**BASICSR, "scale": 1, "num_feat": 32}, 1, 9_601_315, 619_200.0),
        ("RCAN", {**BASICSR, "upscale": 4}, 4, 12_614_915, 12_968_660.0),
        ("RCAN", {**BASICSR, "upscale": 2, "num_feat": 32, "num_block": 3, "num_group": 2, "squeeze_factor": 8},
         2, 179_227, 179_424.4),
        ("SRVGGNetCompact", {**BASICSR, "num_conv": 32, "upscale": 2, "act_type": "prelu"}, 2, 1_192_524, 1_188_288.0),
        # measured: the same of traiNNer-redux
        ("esrgan_lite", {"use_pixel_unshuffle": True}, 4, 5_021_155, None),
        ("esrgan_lite", {"use_pixel_unshuffle": True}, 2, 5_023_747, 1_333_728.0),
        ("esrgan_lite", {}, 1, 5_034_115, 334_080.0),
    ],
)  # fmt: skip
def test_arguments_have_the_trainers_names(
    builder: Foreign, type: str, arguments: dict[str, Value], scale: int, parameters: int, macs_per_pixel: float | None
) -> None:
    found = builder.measure(network(type, **arguments), scale)
    assert isinstance(found, NetworkFingerprint), found
    assert (found.scale, found.parameters, found.findings) == (scale, parameters, ())
    assert macs_per_pixel in (None, found.macs_per_pixel)


@needs_spandrel
@pytest.mark.parametrize(
    ("type", "arguments", "but"),
    [
        ("compact", {"num_feats": 8}, "not its argument 'num_feats' (did you mean 'num_feat'?)"),
        ("swinir_s", {"start_shuffle": 2}, "not its argument 'start_shuffle' (did you mean 'start_unshuffle'?)"),
        ("realplksr", {"mystery": 1}, "not its argument 'mystery'"),
        ("RRDBNet", {**SIX_BLOCKS, "num_grow_ch": 16}, "only with num_grow_ch 32"),
        ("RRDBNet", {**SIX_BLOCKS, "num_blocks": 23}, "not its argument 'num_block'"),
        ("realplksr", {"upsampler": "bilinear"}, "only with upsampler 'pixelshuffle' or 'dysample'"),
        ("span", {"num_blocks": 5, "x": 1}, "only with num_blocks 6 and not its argument 'x'"),
    ],
)
def test_what_it_cannot_follow_it_does_not_measure(
    builder: Foreign, type: str, arguments: dict[str, Value], but: str
) -> None:
    assert builder.measure(network(type, **arguments), 4) == Passed(
        "spandrel", f"has {type}, but {but}", cure=NAME_ANOTHER
    )


@needs_spandrel
def test_what_it_cannot_build_speaks_against_no_config(builder: Foreign) -> None:
    found = builder.measure(network("compact", num_feat="many"), 4)
    assert isinstance(found, Passed)
    assert not found.failed


@needs_spandrel
def test_the_one_finding_names_the_argument_and_the_trainer(builder: Foreign) -> None:
    (finding,) = ask([BuiltIn(), builder], network("realplksr", mystery=1), 4).findings
    assert (finding.code, finding.severity, finding.fix) == ("network-unknown", "info", NAME_ANOTHER)
    assert finding.message == (
        "no builder here can measure the network realplksr, so its parameters and MACs are not known: "
        "spandrel has realplksr, but not its argument 'mystery'."
    )


@needs_spandrel
@pytest.mark.parametrize(
    ("type", "arguments", "without"),
    [
        ("realplksr_tiny", {"upsampler": "pixelshuffle", "layer_norm": True, "in_ch": 3}, {}),
        ("mosr_t", {"upsampler": "pixelshuffle"}, {}),
        ("compact", {"learn_residual": False}, {}),
        ("drct", {"use_checkpoint": True}, {}),
        ("span_s", {"num_blocks": 6}, {}),
        ("RRDBNet", SIX_BLOCKS, {"num_blocks": 6}),
    ],
)
def test_what_is_the_same_here_is_measured_the_same(
    builder: Foreign, type: str, arguments: dict[str, Value], without: dict[str, Value]
) -> None:
    told, plain = (builder.measure(network(type, **given), 4) for given in (arguments, without))
    assert isinstance(told, NetworkFingerprint), told
    assert told == plain


# The smallest type of each class whose arguments the trainers call otherwise.
RENAMED = ["compact", "dat_light", "drct", "esrgan_lite", "mosr_t", "rcan", "realplksr_tiny", "span_s"]


def test_every_class_with_other_names_is_looked_at() -> None:
    renamed = {known.class_name for known in spandrel_types().values() if known.names != TrainerNames()}
    assert renamed == {spandrel_types()[type].class_name for type in RENAMED}


@needs_spandrel
@pytest.mark.parametrize("type", RENAMED)
def test_every_name_of_the_table_is_one_of_spandrels(builder: Foreign, type: str) -> None:
    (signature, *_) = builder.process.measure(type=type, arguments={}, scale=4)
    accepted = set(signature["accepted"])
    names = spandrel_types()[type].names
    meant = [name for values in names.means.values() for means in values.values() for name in means]
    unshuffled = [names.unshuffled.factor, names.unshuffled.channels] if names.unshuffled else []
    assert {*names.renamed.values(), *names.defaults, *meant, *unshuffled} <= accepted
    assert not {*names.renamed, *names.fixed, *names.inert} & accepted  # else they needn't stand there


@needs_spandrel
@pytest.mark.corpus
def test_no_argument_of_a_real_config_stops_it(builder: Foreign, corpus: Path) -> None:
    """What real option files say to a class of spandrel's is measured, and nothing is said of the arguments."""
    networks = {}
    for path in sorted((corpus / "configs").rglob("*.y*ml")):
        with contextlib.suppress(AutocalError):  # no training config
            network = read_training_config(
                parse_document(path.read_bytes(), str(path)), tolerate=lambda *_: None
            ).network
            known = spandrel_types().get(network.type.lower()) if network else None
            if network and network.arguments and known:
                networks[known.class_name, *sorted(network.arguments)] = network
    assert len(networks) >= 5
    for found in (builder.measure(network, None) for network in networks.values()):
        assert isinstance(found, NetworkFingerprint), found
        assert found.findings == ()


def test_a_type_that_only_a_trainer_has_is_no_misspelt_one() -> None:
    assert fingerprint_network(network("lmlt"), 2).findings[0].severity == "info"  # registered, and lacks an argument
    (finding,) = fingerprint_network(network("sccunet"), 2).findings
    assert (finding.code, finding.severity) == ("network-unknown", "warning")
