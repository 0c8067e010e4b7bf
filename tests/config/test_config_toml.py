"""TOML configs: read as tomllib reads them, every node at its place, refused in one line where they cannot be read."""

from __future__ import annotations

import tomllib
from textwrap import dedent

import pytest

from autocal_cli.config.files import parse_document
from autocal_cli.config.loading import read_training_config
from autocal_cli.config.yaml.document import lookup, read_value
from autocal_cli.errors import AutocalError

NEOSR = dedent("""\
    name = "span_x2"   # the experiment
    model_type = "image"
    scale = 2

    [datasets.train]
    type = "paired"
    dataroot_gt = 'D:\\photos\\hr\\'
    dataroot_lq = "~/photos/lr"
    patch_size = 48
    batch_size = 6
    accumulate = 2
    augmentation = [ "none", "mixup" ]

    [datasets.val]
    dataroot_gt = '/data/val'

    [network_g]
    type = "span"
    feature_channels = 48  # as published

    [network_d]
    type = "metagan"

    [train]
    ema = 0.999

    [train.optim_g]
    lr = 8e-4

    [train.pixel_opt]
    type = "L1Loss"
    loss_weight = 0.5

    [train.mssim_opt]
    type = "mssim_loss"

    [train.perceptual_opt]
    type = "vgg_perceptual_loss"
    loss_weight = 0

    [train.gan_opt]
    type = "gan_loss"
    loss_weight = 0.1
    # below the last key

    #[train.ff_opt]
    #type = "ff_loss"

    [logger]
    total_iter = 150_000
    """)


def parsed(text, path="train.toml"):
    return parse_document(text.encode(), path)


def test_the_facts_of_a_neosr_config():
    config = read_training_config(parsed(NEOSR))
    assert (config.trainer, config.scale, config.total_iter, config.batch_size) == ("neosr", 2, 150_000, 12)
    assert [(loss.table, loss.kind, loss.weight, loss.place.line) for loss in config.losses] == [
        ("pixel_opt", "pixel", 0.5, 30),
        ("mssim_opt", "structure", 1.0, 34),
        ("perceptual_opt", "perceptual", 0.0, 37),
        ("gan_opt", "adversarial", 0.1, 41),
    ]
    assert (config.network.type, dict(config.network.arguments)) == ("span", {"feature_channels": 48})
    assert str(config.network.argument_places["feature_channels"]) == "train.toml:19:20"
    assert [(root.path, str(root.place)) for root in config.dataset_roots] == [("D:\\photos\\hr\\", "train.toml:7:15")]
    train, val = config.datasets
    assert (train.gt_size, train.crop_place.line, val.gt_size) == (96, 9, None)
    assert config.block is None


DOCUMENTS = (
    "",
    "# only a comment",
    "a = 1",
    'a.b.c = 1\na.b.d = "x"\n[z]\n',
    "\"a b\".\"c.d\" = 'x'\n'' = 1\n",
    "[[x]]\na = 1\n[x.y]\nb = 2\n[[x]]\na = 3\n[[x.z]]\n[[x.z]]\nq = 1\n",
    "x = \"\"\"a\"\"\"\"\" # c\ny = ''''b'''''\n",
    "x = '''\r\na\\'''\r\ny = 1\r\n",
    "x=[ # c\n 1, 2, # d\n [3,{a=1,b.c=2}], ]\ny=[[],[[]]]\n",
    'x="\\"#" # y\nz="\\\\"\n',
    '[ a . "b" ]\nc=1\n[a]\nd=2\n',
    "x={}\ny=[]\nz={ }\nw={ a = { b = [ {} ] } }\n",
    'x="\\u00e9é😀"\n"\\u0041"=1\n',
    "[t.a]\nx=1\n[u]\n[t]\nb.c=1\n[t.b.d]\ny=1\n",
    "x=0x1F\ny=1_000\nz=+inf\nw=1e-4\nv=-0.0\nu=0b11\n",
    'x = """\\\n  a"""\n',
    "off = 'no'\n'<<' = {a = 1}\n",
)


@pytest.mark.parametrize("text", DOCUMENTS)
def test_read_as_tomllib_reads_it(text):
    document = parsed(text)
    assert repr(read_value(document, document.root)) == repr(tomllib.loads(text))


def test_a_date_stays_text():
    document = parsed("a = 1979-05-27 07:32:00\nb = 07:32:00\n")
    assert read_value(document, document.root) == {"a": "1979-05-27 07:32:00", "b": "07:32:00"}


@pytest.mark.parametrize(
    ("path", "line", "column", "text"),
    [
        (("network_g", "type"), 18, 8, '"span"'),
        (("train", "optim_g", "lr"), 28, 6, "8e-4"),
        (("datasets", "train", "augmentation"), 12, 16, '[ "none", "mixup" ]'),
        (("logger", "total_iter"), 50, 14, "150_000"),
    ],
)
def test_values_know_their_place(path, line, column, text):
    document = parsed(NEOSR)
    node = lookup(document, path).value
    assert (document.place(node.start).line, document.place(node.start).column) == (line, column)
    assert document.text[node.start : node.end] == text


def test_a_table_without_a_header_is_at_its_first_statement():
    document = parsed("a = 1\nb.c.d = 2\n[e]\nf.g = 3\n[h.i.j]\n[h]\n")
    places = {path: document.place(lookup(document, path).key.start).line for path in (("b",), ("b", "c"), ("e", "f"))}
    assert places == {("b",): 2, ("b", "c"): 2, ("e", "f"): 4}
    assert [document.place(lookup(document, ("h", "i")[:depth]).key.start).line for depth in (1, 2)] == [6, 5]


@pytest.mark.parametrize(
    ("path", "text", "language"),
    [
        ("train.toml", "a: 1", None),
        ("train.TOML", "a = 1", "toml"),
        ("train.yml", "a: 1", "yaml"),
        ("train.yml", "a = 1", None),
        ("-", "# a\n\n[train]\nx = 1", "toml"),
        ("-", "  a.'b'=1", "toml"),
        ("-", "\n# x = 1\na: 1", "yaml"),
        ("-", "a: x = 1", "yaml"),
        ("config", '"a": {b: 1}', "yaml"),
        ("config", "---\ntrain: {}", "yaml"),
        ("config", "\ufeff[[a]]\n", "toml"),
    ],
)
def test_the_ending_tells_the_language_or_else_the_first_line(path, text, language):
    if language is None:
        with pytest.raises(AutocalError):
            parsed(text, path)
    else:
        assert parsed(text, path).language == language


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = 1\na = 2\n", "train.toml:2:6: This is not valid TOML: Cannot overwrite a value."),
        ("[a]\n[a]\n", "train.toml:2:3: This is not valid TOML: Cannot declare ('a',) twice."),
        ("a = {b = 1}\n[a.c]\n", "train.toml:2:5: This is not valid TOML: Cannot declare ('a', 'c') twice."),
        ("a = {b = 1,\nc = 2}", "train.toml:1:12: This is not valid TOML: Invalid initial character for a key part."),
        ("a =", "train.toml:1:4: This is not valid TOML: Invalid value."),
        ("a = [1,\n  2", "train.toml:2:4: This is not valid TOML: Unclosed array."),
        ("a: 1\n", "train.toml:1:2: This is not valid TOML: Expected '=' after a key in a key/value pair."),
        ("a = 1\rb = 2\n", "train.toml:1:6: This is not valid TOML: Expected newline or end of document after"),
        ("a = '\x01'", "train.toml:1:6: This is not valid TOML: Found invalid character '\\x01'."),
        ('a = "D:\\data"', "train.toml:1:10: This is not valid TOML: Unescaped '\\' in a string. Put a Windows path"),
        ('a = "C:\\Users"', "train.toml:1:10: This is not valid TOML: Invalid hex value. Put a Windows path between"),
        ("a = " + "[" * 5000, "train.toml: The file nests deeper than 100 levels."),
        ("a = " + "[" * 150 + "]" * 150, "train.toml: The file nests deeper than 100 levels."),
        ("\n" + "a." * 100_000 + "a = 1", "train.toml: A key has more than 100 parts."),
        ("a = " + "9" * 5000, "train.toml: A number has more digits than Python converts."),
        ("a = [" + "9" * 400 + "]", "train.toml: A number has more digits than Python converts."),
        ("train = 5\n", "train.toml:1:1: `train` should be a mapping."),
        ("[[train]]\n", "train.toml:1:3: `train` should be a mapping."),
        (
            "[train]\ndynamic_loss_scheduling = 5\n",
            "train.toml:2:1: `train.dynamic_loss_scheduling` should be",
        ),
        (
            "[train]\n[logger]\ntotal_iter = '5'\n",
            "train.toml:3:14: `logger.total_iter` should be a whole number of at "
            "least 1. Found '5'. TOML reads this as text; write 5.",
        ),
    ],
)
def test_refused_in_one_line_with_its_place(text, message):
    with pytest.raises(AutocalError) as caught:
        read_training_config(parsed(text))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(AutocalError, match="not UTF-8"):
        parse_document("a = 'é'".encode("latin-1"), "train.toml")
