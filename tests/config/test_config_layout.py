"""Layout: the facts that a training config states, wherever its trainer keeps them."""

from __future__ import annotations

from textwrap import dedent

import pytest
import yaml

from autocal_cli.config.files import parse_document
from autocal_cli.config.loading import read_training_config
from autocal_cli.config.losses import loss_kind
from autocal_cli.config.yaml.document import lookup, read_value
from autocal_cli.errors import AutocalError


def facts(text):
    return read_training_config(parse_document(dedent(text).encode(), "train.yml"))


def refusal(text):
    with pytest.raises(AutocalError) as caught:
        facts(text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("train", "total_iter"),
    [
        ("{}", None),
        ("", None),
        ("~", None),
        ("{total_iter: 400000}", 400_000),
        ("{total_iter: 400_000}", 400_000),
        ("{niter: 5}", 5),
        ("{niter: 5, total_iter: 6}", 6),
        ("{total_iter: !!float 5e3}", 5000),
        ("{total_iter: 5.0e+3}", 5000),
        ("{total_iter: !!int '7'}", 7),
        ("{total_iter: 0x10}", 16),
        ("{total_iter: auto}", None),
        ("{total_iter: ~}", None),
        ("{total_iter: 5, total_iter: 6}", 6),
    ],
)
def test_total_iter(train, total_iter):
    assert facts(f"train: {train}\n").total_iter == total_iter


WHOLE = "should be a whole number of at least 1. Found"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: {total_iter: 4e4}", f"1:21: `train.total_iter` {WHOLE} '4e4'. YAML reads this as text; write 40000."),
        ("train: {total_iter: '300'}", f"1:21: `train.total_iter` {WHOLE} '300'. YAML reads this as text; write 300."),
        ("train: {total_iter: many}", f"1:21: `train.total_iter` {WHOLE} 'many'."),
        ("train: {total_iter: inf}", f"1:21: `train.total_iter` {WHOLE} 'inf'."),
        ("train: {total_iter: nan}", f"1:21: `train.total_iter` {WHOLE} 'nan'."),
        ("train: {total_iter: 1e-4}", f"1:21: `train.total_iter` {WHOLE} '1e-4'."),
        ("train: {total_iter: 0}", f"1:21: `train.total_iter` {WHOLE} 0."),
        ("train: {total_iter: -5}", f"1:21: `train.total_iter` {WHOLE} -5."),
        ("train: {total_iter: 2.5}", f"1:21: `train.total_iter` {WHOLE} 2.5."),
        ("train: {total_iter: .inf}", f"1:21: `train.total_iter` {WHOLE} inf."),
        ("train: {total_iter: yes}", f"1:21: `train.total_iter` {WHOLE} True."),
        ("train: {total_iter: [1, 2]}", f"1:21: `train.total_iter` {WHOLE} list."),
        ("train: {total_iter: {a: 1}}", f"1:21: `train.total_iter` {WHOLE} dict."),
        ("train: {total_iter: 'two\n  \n\n  lines'}", f"1:21: `train.total_iter` {WHOLE} 'two lines'."),
        ("train: {total_iter: !!int many}", "1:21: 'many' cannot be read as int."),
        ("train: {total_iter: !!float 1" + ":1" * 300 + "}", f"1:21: '{'1:' * 30}...' cannot be read as float."),
        ("scale: 2.5\ntrain: {}", f"1:8: `scale` {WHOLE} 2.5."),
        (
            "datasets: {train: {batch_size_per_gpu: none}}\ntrain: {}",
            f"1:40: `datasets.train.batch_size_per_gpu` {WHOLE} 'none'.",
        ),
    ],
)
def test_what_is_no_count_is_refused(text, message):
    assert refusal(text) == f"train.yml:{message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\n", "train.yml: There is no `train` mapping, so this is not a training config."),
        ("train: 5\n", "train.yml:1:1: `train` should be a mapping."),
        ("train: [a]\n", "train.yml:1:1: `train` should be a mapping."),
        ("train: ''\n", "train.yml:1:1: `train` should be a mapping."),
        (
            "train: {}\nname: x\ntrain: {}\n",
            "train.yml:3:1: `train` stands twice (first in line 1); the trainer would read only the last. Remove one.",
        ),
        (
            "train:\n  dynamic_loss_scheduling: {}\n  x: 1\n  dynamic_loss_scheduling: {}\n",
            "train.yml:4:3: `train.dynamic_loss_scheduling` stands twice (first in line 2); "
            "the trainer would read only the last. Remove one.",
        ),
        (
            "train:\n  dynamic_loss_scheduling:\n    momentum: 0.9\n    momentum: 0.8\n",
            "train.yml:4:5: `dynamic_loss_scheduling.momentum` stands twice; the trainer would read only the last. "
            "Remove one.",
        ),
        (
            "train:\n  dynamic_loss_scheduling: {phases: {early: {rate: 1, rate: 2}}}\n",
            "train.yml:2:55: `dynamic_loss_scheduling.phases.early.rate` stands twice; "
            "the trainer would read only the last. Remove one.",
        ),
        (
            "train:\n  dynamic_loss_scheduling: [a]\n",
            "train.yml:2:3: `train.dynamic_loss_scheduling` should be a mapping. Found a list.",
        ),
        (
            "train:\n  dynamic_loss_scheduling: on\n",
            "train.yml:2:3: `train.dynamic_loss_scheduling` should be a mapping. Found a single value.",
        ),
        ("train: {}\nnetwork_g: {scale: 4}\n", "train.yml:2:1: `network_g.type` should name a network."),
        ("train: {}\nnetwork_g: {type: 5}\n", "train.yml:2:1: `network_g.type` should name a network."),
    ],
)
def test_refused_in_one_line_with_its_place(text, message):
    assert refusal(text) == message


@pytest.mark.parametrize(
    ("text", "batch_size"),
    [
        ("", None),
        ("datasets: {train: {batch_size_per_gpu: 8}}", 8),
        ("datasets: {train: {batch_size: 8}}", 8),
        ("datasets: {train: {batch_size_per_gpu: 8, accum_iter: 3}}", 24),
        ("datasets: {train: {batch_size_per_gpu: 8, accum_iter: 3}}\nnum_gpu: 2", 48),
        ("datasets: {train: {batch_size_per_gpu: 8}}\nnum_gpu: auto", 8),
        ("datasets: {train: {batch_size_per_gpu: 8}}\nnum_gpu: 0", 8),
        ("datasets: {train: {batch_size_per_gpu: 8}}\nnum_gpu: ~", 8),
        ("datasets: {train: {batch_size_per_gpu: 8}}\nnum_gpu: yes", 8),
        ("datasets: {train: {accum_iter: 3}}\nnum_gpu: 2", None),
        ("datasets: {val: {batch_size_per_gpu: 8}}", None),
    ],
)
def test_batch_is_what_one_optimiser_step_sees(text, batch_size):
    assert facts(f"{text}\ntrain: {{}}\n").batch_size == batch_size


def test_accumulation_under_train():
    assert facts("datasets: {train: {batch_size: 8}}\ntrain: {accum_iter: 2}\n").batch_size == 16


def losses(text):
    return [(loss.type, loss.kind, loss.weight, loss.active) for loss in facts(text).losses]


def test_losses_as_a_list():
    text = """
        train:
          losses:
            - type: l1loss
              loss_weight: 1.0
            - {type: GANLoss, loss_weight: 0.05, gan_type: vanilla}
            - type: mssimloss
            - {type: perceptualloss, loss_weight: 0}
            - {type: newloss, loss_weight: -0.5}
            - {type: mseloss, loss_weight: off}
        """
    assert losses(text) == [
        ("l1loss", "pixel", 1.0, True),
        ("GANLoss", "adversarial", 0.05, True),
        ("mssimloss", "structure", 1.0, True),
        ("perceptualloss", "perceptual", 0.0, False),
        ("newloss", "unknown", -0.5, True),
        ("mseloss", "pixel", 1.0, True),
    ]
    config = facts(text)
    assert [str(loss.place) for loss in config.losses] == [
        f"train.yml:{at}" for at in ("4:7", "6:7", "7:7", "8:7", "9:7", "10:7")
    ]
    assert config.adversarial


def test_losses_as_mappings():
    text = """
        train:
          optim_g: {type: AdamW}
          pixel_opt: {type: L1Loss, loss_weight: !!float 1e-2, reduction: mean}
          perceptual_opt: {type: PerceptualLoss, perceptual_weight: 0.5, style_weight: 0}
          gan_opt: {type: GANLoss, loss_weight: 0}
          ldl_opt: ~
        """
    assert losses(text) == [
        ("L1Loss", "pixel", 0.01, True),
        ("PerceptualLoss", "perceptual", 0.5, True),
        ("GANLoss", "adversarial", 0.0, False),
    ]
    assert not facts(text).adversarial


def test_list_of_losses_comes_before_mappings():
    text = "train: {losses: [{type: l1loss}], gan_opt: {type: GANLoss}}\n"
    assert losses(text) == [("l1loss", "pixel", 1.0, True)]


def test_losses_through_aliases_and_merges():
    text = """
        gan: &gan {type: GANLoss, loss_weight: 0.1}
        base: &base
          pixel_opt: {type: L1Loss}
          gan_opt: *gan
        train:
          <<: *base
          pixel_opt: {type: MSELoss}
          feature_opt: {<<: *gan, type: PerceptualLoss}
        """
    assert sorted(losses(text)) == [
        ("GANLoss", "adversarial", 0.1, True),
        ("MSELoss", "pixel", 1.0, True),
        ("PerceptualLoss", "perceptual", 0.1, True),
    ]


@pytest.mark.parametrize(
    ("type_name", "kind"),
    [
        ("L1Loss", "pixel"),
        ("l1loss", "pixel"),
        ("charbonnierloss", "pixel"),
        ("mssimloss", "structure"),
        ("mssim_loss", "structure"),
        ("fftloss", "frequency"),
        ("hsluvloss", "colour"),
        ("vgg_perceptual_loss", "perceptual"),
        ("distsloss", "perceptual"),
        ("GANLoss", "adversarial"),
        ("r3ganloss", "adversarial"),
        ("GANFeatLoss", "feature matching"),
        ("gan_like", "unknown"),
        ("lossl1", "unknown"),
        ("", "unknown"),
    ],
)
def test_loss_kind(type_name, kind):
    assert loss_kind(type_name) == kind


def test_network():
    network = facts("""
        base: &base {dim: 64, scale: 3}
        scale: 4
        network_g:
          <<: *base
          type: paragonsr2  # note
          scale: 4
          depths: [1, 2]
          extra: {a: off}
        train: {}
        """).network
    assert network.type == "paragonsr2"
    assert network.arguments == {"dim": 64, "scale": 4, "depths": [1, 2], "extra": {"a": False}}
    assert str(network.place) == "train.yml:6:9"
    assert {key: str(place) for key, place in network.argument_places.items()} == {
        "dim": "train.yml:2:19",
        "scale": "train.yml:7:10",
        "depths": "train.yml:8:11",
        "extra": "train.yml:9:10",
        "dim:": "train.yml:2:14",
        "scale:": "train.yml:7:3",
        "depths:": "train.yml:8:3",
        "extra:": "train.yml:9:3",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("train:\n  losses:\n    - {loss_weight: 1.0}\n", "train.yml:3:7: A loss in `train.losses` should be"),
        ("train:\n  losses:\n    - just text\n", "train.yml:3:7: A loss in `train.losses` should be"),
        ("train:\n  losses: 5\n", "train.yml:2:11: `train.losses` should be a list of losses."),
        ("network_g: paragonsr2\ntrain: {}\n", "train.yml:1:12: `network_g` should be a mapping with a `type`."),
        ("network_d: dunet\ntrain: {}\n", "train.yml:1:12: `network_d` should be a mapping with a `type`."),
    ],
)
def test_what_no_trainer_could_build_is_refused(text, said):
    with pytest.raises(AutocalError) as refused:
        facts(text)
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize("network", ["", "network_g: ~\n"])
def test_no_network(network):
    assert facts(f"{network}train: {{}}\n").network is None


@pytest.mark.parametrize(
    ("roots", "found"),
    [
        ("hr", [("hr", "4:18")]),
        ("~/hr", [("~/hr", "4:18")]),
        ("[a, 'b c', ~, 5]", [("a", "4:19"), ("b c", "4:22")]),
        ("\n    - C:\\hr\n    - *name", [("C:\\hr", "5:7"), ("set", "6:7")]),
        ("~", []),
        ("[]", []),
        ("{a: b}", []),
    ],
)
def test_dataset_roots(roots, found):
    config = facts(f"train: {{x: &name set}}\ndatasets:\n  train:\n    dataroot_gt: {roots}\n")
    assert [(root.path, str(root.place).removeprefix("train.yml:")) for root in config.dataset_roots] == found
    assert {root.key for root in config.dataset_roots} <= {"datasets.train.dataroot_gt"}


def test_only_training_targets_are_dataset_roots():
    text = "datasets: {train: {dataroot_lq: lr}, val: {dataroot_gt: val}}\ntrain: {}\n"
    assert facts(text).dataset_roots == ()


@pytest.mark.parametrize("train", ["", " ~", " {}", "\n  total_iter: 5"])
def test_no_block(train):
    assert facts(f"train:{train}\n").block is None


@pytest.mark.parametrize("block", ["", " ~", " null  # note", " {}", " !!null ''"])
def test_block_without_values(block):
    found = facts(f"train:\n  dynamic_loss_scheduling:{block}\n").block
    assert found.values == {}
    assert str(found.place) == "train.yml:2:3"


def test_block_with_values_and_places():
    block = facts("""
        train:
          dynamic_loss_scheduling:
            momentum: 0.9
            max_weight:
            mine: {a: [1, off]}
        """).block
    assert block.values == {"momentum": 0.9, "max_weight": None, "mine": {"a": [1, False]}}
    assert {".".join(path): str(place) for path, place in block.places.items()} == {
        "momentum": "train.yml:4:15",
        "max_weight": "train.yml:5:5",
        "mine": "train.yml:6:11",
        "mine.a": "train.yml:6:15",
    }
    assert block.place_of(("absent",)) == block.place


def test_block_and_train_through_aliases_and_merges():
    config = facts("""
        common: &common
          total_iter: 7
          dynamic_loss_scheduling: &block {momentum: 0.9}
        other: &other
          <<: *common
          total_iter: 8
        train: *other
        """)
    assert (config.total_iter, config.block.values) == (8, {"momentum": 0.9})


MERGES = [
    "a: &a {x: 1, y: 1}\nb: {<<: *a, y: 2}\n",
    "a: &a {x: 1, y: 1}\nb: {y: 2, <<: *a}\n",
    "a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*a, *b]}\n",
    "a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: [*b, *a], z: 1}\n",
    "a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc: {<<: *a, <<: *b}\n",
    "a: &a {long: 1}\nb: &b {long: 2, y: 2}\nc: {<<: *a, <<: *b}\n",
    "a: &a {long: 1}\nb: &b {long: 2, y: 2}\nc: {<<: [*a, *b], <<: *a}\n",
    "a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: &c {<<: *a, x: 3}\nd: {<<: [*b, *c]}\n",
    "a: &a {x: 1}\nb: &b {<<: *a}\nc: {<<: [*b, {x: 5, w: 1}, *a]}\n",
    "a: &a [1, 2]\nb: [*a, *a]\n",
    "a: &a {x: &x 1}\nb: *a\nc: *x\n",
    'a: &a {x: 1}\nb: {"<<": *a}\n',
    "a: {<<: {x: 1}, y: 2}\n",
    "a: &a {}\nb: {<<: *a}\n",
    "a: &a {x: 1}\nb: {<<: *a, <<: [], y: 2}\n",
    "k: &k x\nb: {*k : 1, y: 2}\n",
]


@pytest.mark.parametrize("text", MERGES)
def test_merges_and_aliases_read_as_pyyaml_reads_them(text):
    document = parse_document(text.encode(), "train.yml")
    expected = yaml.safe_load(text)
    assert read_value(document, document.root) == expected
    for name, mapping in expected.items():
        for key in mapping if isinstance(mapping, dict) else ():
            pair = lookup(document, (name, key))
            assert read_value(document, document.follow(pair.value)) == mapping[key]


@pytest.mark.parametrize(
    ("path", "line"),
    [(("a",), 1), (("a", "b"), 2), (("a", "b", "c"), 2), (("m", "b", "c"), 2), (("n", "c"), 2), (("m", "x"), 4)],
)
def test_lookup_finds_the_pair_where_it_is_written(path, line):
    text = "a: &a\n  b: &b {c: 1}\n  d: x\nm: {<<: *a, x: 1}\nn: *b\n"
    document = parse_document(text.encode(), "train.yml")
    assert document.place(lookup(document, path).key.start).line == line


@pytest.mark.parametrize(
    "path", [("x",), ("a", "x"), ("a", "d", "x"), ("a", "l", "0"), ("m", "<<"), ("a", "b", "c", "d")]
)
def test_lookup_of_what_is_absent(path):
    document = parse_document(b"a: &a {b: {c: 1}, d: x, l: [1]}\nm: {<<: *a}\n", "train.yml")
    assert lookup(document, path) is None


def test_facts_of_a_whole_config():
    config = facts("""
        name: x
        scale: 2
        datasets: {train: {dataroot_gt: hr, batch_size_per_gpu: 4}}
        network_g: {type: paragonsr2_nano}
        train: {total_iter: 100, losses: [{type: l1loss}]}
        """)
    assert (config.path, config.trainer, config.scale) == ("train.yml", "traiNNer-redux", 2)
    assert (config.total_iter, config.batch_size, str(config.place)) == (100, 4, "train.yml:6:1")
