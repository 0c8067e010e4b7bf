"""`calibrate --write`, `--trainer-kind`, and TOML: where the block goes, so that its reader takes it."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from blocks import BLOCK, KEY, block_of, rewrite, wrote

from autocal_cli.calibration.block import key_mark
from autocal_cli.workflow.run import read_source

NEOSR_GAN = """\
scale = 4
[network_g]
type = "span"
[network_d]
type = "unet"
[train.gan_opt]
type = "gan_loss"
loss_weight = 0.1
[logger]
total_iter = 40000
"""


@pytest.mark.parametrize("form", ["sidecar", "block"])
def test_edits_that_were_calibrated_in_place_are_not_replaced_without_force(autocal, vanilla, tmp_path, form):
    """As the refusal advises: `--in-place` keeps them, and what it kept is kept from the next `-o` too."""
    out = tmp_path / "resolved.yml"
    holder = out.with_suffix(".autocal.yml") if form == "sidecar" else out
    again = ("calibrate", vanilla, "--write", form, "-o", out)
    assert autocal(*again).code == 0
    rewrite(out, ("total_iter: 40000", "total_iter: 30000"))
    rewrite(holder, ("max_weight: 5.0", "max_weight: 5.5"))
    refused = autocal(*again)
    assert (refused.code, f"autocal calibrate {out} --in-place" in refused.err) == (2, True)
    assert autocal("calibrate", out, "--in-place").code == 0
    edited = out.read_bytes(), holder.read_bytes()
    assert autocal("calibrate", out, "--in-place").code == 0
    assert autocal(*again).code == 2
    assert (out.read_bytes(), holder.read_bytes()) == edited
    assert b"max_weight: 5.5" in edited[1]
    assert autocal(*again, "--force").code == 0
    assert autocal("calibrate", out, "--in-place").code == 0  # untouched: still autocal's own
    assert autocal(*again).code == 0


@pytest.mark.parametrize("form", ["sidecar", "block", "native"])
def test_what_was_calibrated_in_place_has_no_changes_left_to_print(autocal, config, form):
    config.write_text(config.read_text("utf-8").replace(BLOCK, ""), "utf-8")
    assert autocal("calibrate", config, "--write", form, "--in-place").code == 0
    ran = autocal("calibrate", config, "--diff")
    assert (ran.code, ran.out, "nothing to change" in ran.err) == (0, b"", True)


def test_the_users_own_config_stays_theirs_when_it_has_been_calibrated_in_place(autocal, vanilla, tmp_path):
    other = tmp_path / "other.yml"
    other.write_bytes(vanilla.read_bytes().replace(b"40000", b"50000"))
    before = vanilla.read_bytes()
    assert autocal("calibrate", vanilla, "--in-place").code == 0
    assert autocal("calibrate", other, "-o", vanilla).code == 2
    assert vanilla.read_bytes() == before


def test_an_edited_sidecar_without_its_config_is_refused_without_advice_that_fails(autocal, vanilla, tmp_path):
    out = tmp_path / "resolved.yml"
    autocal("calibrate", vanilla, "-o", out)
    rewrite(out.with_suffix(".autocal.yml"), ("max_weight: 5.0", "max_weight: 5.5"))
    out.unlink()
    ran = autocal("calibrate", vanilla, "-o", out)
    assert (ran.code, "--in-place" in ran.err, "--force" in ran.err) == (2, False, True)


def test_what_is_said_names_the_files_that_are_written(autocal, vanilla, tmp_path):
    out, other = tmp_path / "resolved.yml", tmp_path / "other.yml"
    ran = autocal("calibrate", vanilla, "-o", out)
    assert "one goes into resolved.autocal.yml." in ran.err
    assert "The loss schedule of resolved.yml" in out.with_suffix(".autocal.yml").read_text("utf-8")
    assert "train.autocal.yml" not in ran.err
    assert "train.autocal.yml" not in autocal("explain", vanilla).err
    ran = autocal("calibrate", out, "-o", other)
    assert f"resolved: {other} and {other.with_suffix('.autocal.yml')}\n" in ran.err
    assert f"nothing to change: {other} and" in autocal("calibrate", out, "-o", other).err


def test_the_last_lines_for_the_fork_say_what_its_scheduler_lacks(autocal, config):
    without, start = autocal("calibrate", config, "--in-place").err.splitlines()[-2:]
    assert ("fidelity_budget" in without, start) == (True, f"start    python train.py -opt {config}")


def test_neosr_is_not_said_to_start_with_autocal_run(autocal, tmp_path):
    path = tmp_path / "train.toml"
    path.write_text(NEOSR_GAN, "utf-8")
    ran = autocal("calibrate", path, "--in-place", "--no-dataset")
    assert (ran.code, "autocal run train.py" in ran.err, "warning adversarial-inert" in ran.err) == (0, False, True)
    assert "`autocal run` finds it here" not in path.with_suffix(".autocal.yml").read_text("utf-8")
    path.write_text(f"{NEOSR_GAN}[train.{KEY}]\nauto_calibrate = true\n", "utf-8")
    path.with_suffix(".autocal.yml").unlink()
    told = autocal("check", path, "--verbose").out.decode()
    assert ("block-ignored" in told, "autocal run train.py" in told) == (True, False)


@pytest.mark.parametrize("text", ["", "- a list\n", "other: 1\n"])
@pytest.mark.parametrize("command", ["calibrate", "check", "explain"])
def test_a_broken_sidecar_is_told_as_one_with_its_cure(autocal, vanilla, command, text):
    vanilla.with_suffix(".autocal.yml").write_text(text, "utf-8")
    told = autocal(command, vanilla).err
    assert ("train.autocal.yml" in told, "idecar" in told, "Delete it, and calibrate again" in told) == (True,) * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--trainer-kind", "BasicSR", "--write", "native"], "BasicSR has no scheduler of its own"),
        (["--trainer-kind", "redux"], "There is no trainer kind redux. Known: traiNNer-redux, "),
        (["--trainer-kind", "neosr"], "neosr reads TOML; this is YAML."),
        (["--write", "sidecar"], "This config holds a `dynamic_loss_scheduling` block; a sidecar would be a second."),
    ],
)
def test_refused(autocal, config, arguments, message):
    ran = autocal("calibrate", config, *arguments)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert message in ran.err


# --- what the trainer makes of the block


@pytest.mark.parametrize(
    ("kind", "block", "codes"),
    [
        (None, "", {"block-added"}),
        (None, BLOCK, set()),
        ("traiNNer-redux", BLOCK, {"block-rejected"}),
        ("traiNNer-redux-fork", BLOCK, set()),
        ("traiNNer-redux-fork", BLOCK + "    phases: {}\n", {"block-not-native"}),
        ("BasicSR", BLOCK, {"block-ignored"}),
        ("Real-ESRGAN", "", {"block-added"}),
    ],
)
def test_what_the_trainer_makes_of_the_block_is_said(autocal, config, kind, block, codes):
    rewrite(config, (BLOCK, block))
    ran = autocal("calibrate", config, "--no-dataset", *(["--trainer-kind", kind] if kind else []))
    assert ran.code == 0
    assert set(re.findall(r"\bblock-[a-z-]+", ran.err)) == codes


def test_a_trainer_that_rejects_the_block_is_told_with_how_to_start(autocal, config):
    told = " ".join(autocal("calibrate", config, "--trainer-kind", "traiNNer-redux").err.split())
    assert "info block-rejected: traiNNer-redux by itself refuses a config with a" in told
    assert "Start it with `autocal run train.py -opt" in told


# --- sidecar


@pytest.mark.parametrize("written", [[], ["--write", "sidecar"]])
def test_a_copy_of_an_upstream_config_is_the_same_to_the_byte_and_has_a_sidecar(autocal, vanilla, tmp_path, written):
    out, sidecar = tmp_path / "resolved.yml", tmp_path / "resolved.autocal.yml"
    before = vanilla.read_bytes()
    ran = autocal("calibrate", vanilla, "-o", out, *written)
    assert ran.code == 0
    assert out.read_bytes() == vanilla.read_bytes() == before
    assert ran.err.splitlines()[-2:] == [
        f"resolved: {out} and {sidecar}",
        f"start    autocal run train.py -opt {out}",
    ]
    assert not (tmp_path / "train.autocal.yml").exists()
    kept = sidecar.read_bytes()
    assert autocal("calibrate", out, "--in-place").code == 0
    assert (out.read_bytes(), sidecar.read_bytes()) == (before, kept)
    assert read_source(out).block == yaml.safe_load(kept)[KEY]


def test_a_sidecar_leaves_the_config_alone_and_is_found_by_the_runtime(autocal, vanilla, tmp_path):
    before = vanilla.read_bytes()
    ran = autocal("calibrate", vanilla, "--in-place")
    sidecar = tmp_path / "train.autocal.yml"
    assert ran.code == 0
    assert f"resolved: {sidecar}\n" in ran.err
    assert "block-rejected" not in ran.err
    assert vanilla.read_bytes() == before
    block = yaml.safe_load(sidecar.read_text("utf-8"))[KEY]
    assert list(block["calibration"]["made"])[-1] == "config"
    source = read_source(vanilla)
    assert (source.holder, source.block, source.text_for_trainer) == (sidecar, block, before.decode())
    written = sidecar.read_bytes()
    assert autocal("calibrate", vanilla, "--in-place").code == 0
    assert sidecar.read_bytes() == written


def test_hand_edits_in_the_sidecar_are_kept_and_the_rest_is_resolved_anew(autocal, vanilla, tmp_path):
    sidecar = tmp_path / "train.autocal.yml"
    autocal("calibrate", vanilla, "--in-place")
    block = yaml.safe_load(sidecar.read_text("utf-8"))[KEY]
    assert "edited-since" not in autocal("explain", vanilla).err
    rewrite(sidecar, (f"momentum: {block['momentum']}", "momentum: 0.7  # mine"))
    assert "edited-since" in autocal("explain", vanilla).err
    rewrite(vanilla, ("iter: 40000", "iter: 10000"))
    ran = autocal("explain", vanilla, "--json")
    told = json.loads(ran.out)["parameters"]
    assert "chosen-before" in ran.err
    assert told["momentum"]["trail"][-1]["code"] == "manual"
    assert told["adaptation_rate"]["value"] == block["adaptation_rate"]  # as it stands in the sidecar
    autocal("calibrate", vanilla, "--in-place")
    again = yaml.safe_load(sidecar.read_text("utf-8"))[KEY]
    assert again["momentum"] == 0.7
    assert again["adaptation_rate"] > block["adaptation_rate"]
    assert "momentum: 0.7  # mine" in sidecar.read_text("utf-8")
    assert "edited-since" not in autocal("explain", vanilla).err


@pytest.mark.parametrize(
    "text",
    [f"# mine\n{KEY}: {{momentum: 0.7}}\n", f"# mine\n{KEY}:\n  momentum: 0.7\n", f"# mine\n{KEY}:  # beside\n"],
)
def test_a_sidecar_written_by_hand_is_completed(autocal, vanilla, tmp_path, text):
    sidecar = tmp_path / "train.autocal.yml"
    sidecar.write_text(text, "utf-8")
    assert autocal("calibrate", vanilla, "--in-place").code == 0
    after = sidecar.read_text("utf-8")
    assert after.startswith("# mine\n#: autocal ")
    assert yaml.safe_load(after)[KEY]["momentum"] == (0.7 if "0.7" in text else 0.838)
    assert autocal("calibrate", vanilla, "--in-place").code == 0
    assert sidecar.read_text("utf-8") == after


def test_a_sidecar_may_be_a_whole_config(autocal, vanilla, tmp_path):
    sidecar = tmp_path / "train.autocal.yml"
    sidecar.write_text(f"train:\n  {KEY}: {{auto_calibrate: true}}\n", "utf-8")
    assert autocal("calibrate", vanilla, "--in-place").code == 0
    assert "calibration" in block_of(sidecar)


def test_a_diff_and_standard_output_write_no_sidecar(autocal, vanilla, tmp_path):
    for option in (["--diff"], [], ["--json"]):
        ran = autocal("calibrate", vanilla, *option)
        assert ran.code == 0
        assert not (tmp_path / "train.autocal.yml").exists()
    assert b"+dynamic_loss_scheduling:" in autocal("calibrate", vanilla, "--diff").out


def test_a_sidecar_that_holds_no_block_is_refused(autocal, vanilla, tmp_path):
    (tmp_path / "train.autocal.yml").write_text("notes: mine\n", "utf-8")
    ran = autocal("calibrate", vanilla, "--in-place")
    assert ran.code == 2
    assert "train.autocal.yml: The sidecar holds no `dynamic_loss_scheduling` mapping." in ran.err


def test_a_block_beside_a_sidecar_is_refused(autocal, vanilla):
    autocal("calibrate", vanilla, "--in-place")
    vanilla.write_bytes(vanilla.read_bytes().replace(b"# the end", BLOCK.encode() + b"# the end"))
    for command in ("explain", "calibrate"):
        ran = autocal(command, vanilla)
        assert ran.code == 2
        assert "Both this config and train.autocal.yml hold a `dynamic_loss_scheduling` block. Remove one." in ran.err


def test_a_block_is_not_written_beside_a_sidecar(autocal, vanilla, tmp_path):
    autocal("calibrate", vanilla, "--in-place")
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.yml")}
    ran = autocal("calibrate", vanilla, "--write", "block", "--in-place")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "There is a sidecar train.autocal.yml beside it: with a block in both, neither would count." in ran.err
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.yml")} == before
    other = tmp_path / "other.yml"
    assert autocal("calibrate", vanilla, "--write", "block", "-o", other).code == 0  # which has no sidecar
    assert autocal("explain", other).code == 0


# --- TOML


TOML = """\
# a comment above
scale = 2   # and beside
[datasets.train]
dataroot_gt = 'hr'
batch_size = 16
patch_size = 32

[network_g]
type = "paragonsr2_nano"

[train]
ema = 0.999

[train.pixel_opt]
type = "L1Loss"
loss_weight = 1.0
[logger]
total_iter = 40_000
# the end"""


@pytest.fixture
def toml_config(tmp_path, images):
    assert images.is_dir()
    path = tmp_path / "train.toml"
    path.write_bytes(TOML.encode())
    return path


def test_a_toml_config_is_calibrated_as_the_same_yaml_would_be(autocal, toml_config, config, tmp_path):
    out, other = tmp_path / "resolved.toml", tmp_path / "resolved.yml"
    ran = autocal("calibrate", toml_config, "-o", out, "--write", "block")
    assert ran.code == 0
    assert ran.err.splitlines()[-1].startswith("start    by hand: `autocal run` does not know neosr")
    autocal("calibrate", config, "-o", other, "--write", "block")
    found = tomllib.loads(out.read_text("utf-8"))["train"][KEY]
    wanted = block_of(other)
    names = ("momentum", "adaptation_rate", "max_weight", "baseline_iterations", "phases", "fidelity_budget")
    assert [found[name] for name in names] == [wanted[name] for name in names]
    before, after = TOML.splitlines(), out.read_text("utf-8").splitlines()
    at = after.index(f"[train.{KEY}]")
    assert after[at - 1].startswith("#: autocal ")
    assert before == after[: at - 2] + after[at - 2 + len(after) - len(before) :]
    assert re.search(r"^momentum = [0-9.]+ +#: nano", out.read_text("utf-8"), re.MULTILINE)
    assert not out.read_bytes().endswith(b"\n")


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("block", ["", f"{KEY} = {{auto_calibrate = true}}\n", f"{KEY}.momentum = 0.7\n"])
def test_toml_again_changes_no_byte_and_hand_edits_stay(autocal, toml_config, tmp_path, newline, block):
    text = TOML.replace("ema = 0.999\n", f"ema = 0.999\n{block}").replace("\n", newline)
    toml_config.write_bytes(b"\xef\xbb\xbf" + text.encode())
    out = tmp_path / "resolved.toml"
    assert autocal("calibrate", toml_config, "-o", out, "--write", "block").code == 0
    written = out.read_bytes()
    assert written.startswith(b"\xef\xbb\xbf")
    assert autocal("calibrate", out, "-q").out == written
    assert autocal("calibrate", toml_config, "-o", out, "--write", "block").code == 0  # its own file, untouched
    assert "edited-since" not in autocal("explain", out).err
    value = tomllib.loads(written.decode("utf-8-sig"))["train"][KEY]["max_weight"]
    rewrite(out, (f"max_weight = {value}", "max_weight = 8"))
    assert "edited-since" in autocal("explain", out).err
    autocal("calibrate", out, "--in-place")
    found = tomllib.loads(out.read_bytes().decode("utf-8-sig"))["train"][KEY]
    assert found["max_weight"] == 8
    assert key_mark(("max_weight",)) not in wrote(found)


@pytest.mark.parametrize(
    "edit",
    [
        ("0.999", "0.9990"),
        ("40_000", "40000"),
        ("[logger]\ntotal_iter = 40_000\n# the end", "# the end\n[logger]\ntotal_iter = 40_000"),
    ],
)
def test_a_toml_file_that_was_only_laid_out_anew_is_not_replaced(autocal, toml_config, tmp_path, edit):
    out = tmp_path / "resolved.toml"
    assert autocal("calibrate", toml_config, "-o", out, "--write", "block").code == 0
    rewrite(out, edit)
    before = out.read_bytes()
    ran = autocal("calibrate", toml_config, "-o", out, "--write", "block")
    assert (ran.code, out.read_bytes()) == (2, before)
    assert "edited by hand since autocal wrote it" in ran.err


@pytest.mark.parametrize("dotted", [("[train]\n", KEY), ("", f"train.{KEY}")])
def test_the_line_above_dotted_keys_of_a_toml_block_is_written_once(autocal, toml_config, dotted):
    header, block = dotted
    table = f"{header}{block}.momentum = 0.7\n{block}.mine = 1\n"
    text = TOML.replace("[train]\nema = 0.999\n", header and table)
    toml_config.write_text(text if header else table + text, "utf-8")
    assert autocal("calibrate", toml_config, "--in-place").code == 0
    lines = toml_config.read_text("utf-8").splitlines()
    at = lines.index(f"{block}.momentum = 0.7")
    assert [n for n, line in enumerate(lines) if line.startswith("#: ")] == [at - 1]


def test_toml_with_a_sidecar_and_without_a_native_scheduler(autocal, toml_config, tmp_path):
    before = toml_config.read_bytes()
    assert autocal("calibrate", toml_config, "-o", tmp_path / "copy.toml").code == 0
    assert toml_config.read_bytes() == (tmp_path / "copy.toml").read_bytes() == before
    assert KEY in yaml.safe_load((tmp_path / "copy.autocal.yml").read_text("utf-8"))
    ran = autocal("calibrate", toml_config, "-o", tmp_path / "resolved.yml")
    assert ran.code == 2
    assert "The config is .toml, and stays what it is; the output would end in .yml. Name it resolved.toml." in ran.err
    ran = autocal("calibrate", toml_config, "--write", "native")
    assert ran.code == 2
    assert "neosr has no scheduler of its own" in ran.err


def test_diff_takes_the_block_from_a_sidecar(autocal, vanilla, tmp_path):
    autocal("calibrate", vanilla, "--in-place")
    other = tmp_path / "other.yml"
    other.write_bytes(vanilla.read_bytes())
    autocal("calibrate", other, "--set", "momentum=0.5", "--in-place", "--no-dataset")
    ran = autocal("diff", vanilla, other, "--json")
    assert ran.code == 0
    assert (json.loads(ran.out)["a"]["origin"], json.loads(ran.out)["b"]["origin"]) == ("record", "record")


# --- what `check` says of it

TRAINERS = ["traiNNer-redux", "traiNNer-redux-fork", "BasicSR", "Real-ESRGAN"]


@pytest.mark.parametrize(
    ("kind", "form"),
    [(kind, form) for kind in TRAINERS for form in ("block", "sidecar", None)]
    + [(kind, "native") for kind in TRAINERS if kind.startswith("traiNNer")],
)
def test_check_finds_nothing_in_the_output_that_the_input_did_not_have(autocal, vanilla, tmp_path, kind, form):
    """Above `info`: what is written is what its reader accepts."""
    out = tmp_path / "resolved.yml"
    told = ("--trainer-kind", kind)
    written = ("--write", form) if form else ()
    assert autocal("calibrate", vanilla, "-o", out, "--no-dataset", *told, *written).code == 0
    before, after = (serious(autocal, path, told) for path in (vanilla, out))
    assert after == before


def serious(autocal, path: Path, told: tuple[str, ...]) -> list[tuple[str, str]]:
    found = json.loads(autocal("check", path, "--no-dataset", "--json", *told).out)
    return sorted(
        (finding["code"], finding["message"])
        for file in found["files"]
        for finding in file["findings"]
        if finding["severity"] != "info"
    )


def test_check_finds_nothing_in_a_toml_output_either(autocal, toml_config, tmp_path):
    for form in ("block", "sidecar"):
        out = tmp_path / f"{form}.toml"
        assert autocal("calibrate", toml_config, "-o", out, "--no-dataset", "--write", form).code == 0
        assert serious(autocal, out, ()) == serious(autocal, toml_config, ())


@pytest.mark.parametrize("kind", [None, "traiNNer-redux", "traiNNer-redux-fork", "BasicSR"])
def test_the_output_is_taken_for_the_trainer_that_it_was_made_for(autocal, tmp_path, kind):
    """The block that autocal itself writes must not make a config of the fork out of another trainer's."""
    config, out = tmp_path / "train.yml", tmp_path / "resolved.yml"
    config.write_text(
        "scale: 2\nnetwork_g: {type: paragonsr2_nano}\ntrain:\n  total_iter: 40000\n  grad_clip: true\n"
        "  losses:\n    - {type: l1loss, loss_weight: 1.0}\n",
        encoding="utf-8",
    )
    told = () if kind is None else ("--trainer-kind", kind)
    assert autocal("calibrate", config, "--no-dataset", "-o", out, "--write", "block", *told).code == 0
    assert block_of(out)["calibration"]["made"]["trainer"] == (kind or "traiNNer-redux")
    found = autocal("check", out, "--no-dataset", "--json")
    codes = {finding["code"] for file in json.loads(found.out)["files"] for finding in file["findings"]}
    assert ("block-rejected" in codes) is (kind in (None, "traiNNer-redux"))
    assert ("block-ignored" in codes) is (kind == "BasicSR")
    assert autocal("calibrate", out, "--no-dataset").out == out.read_bytes()
