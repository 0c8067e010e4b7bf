"""When the system says no: a path it refuses, a full disk, a reader that has gone. One line each, and never a part."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

COMMAND = [sys.executable, "-m", "autocal_cli"]
TOO_LONG = "a" * 300 + ".yml"
posix = pytest.mark.skipif(os.name != "posix", reason="a device or a mode that only POSIX has")


@pytest.mark.parametrize(
    "arguments",
    [
        ["calibrate", TOO_LONG],
        ["explain", TOO_LONG],
        ["calibrate", "train.yml", "-o", TOO_LONG],
        ["calibrate", "train.yml", "--hr", TOO_LONG],
        ["analyze-dataset", TOO_LONG],
        ["calibrate", "missing.yml", "-o", "train.yml"],
    ],
)
def test_a_path_that_is_refused_is_one_line(autocal, config, monkeypatch, arguments):
    monkeypatch.chdir(config.parent)
    kept = config.read_bytes()
    ran = autocal(*arguments)
    assert (ran.code, ran.out) == (2, b"")
    assert ran.err.startswith("autocal: ")
    assert ran.err.count("\n") == 1
    assert config.read_bytes() == kept
    assert {path.name for path in config.parent.iterdir()} == {"train.yml", "hr"}


def test_a_home_that_nobody_has_is_a_missing_folder(autocal, config):
    config.write_text(config.read_text("utf-8").replace("dataroot_gt: hr", "dataroot_gt: ~nobody-here/hr"), "utf-8")
    ran = autocal("calibrate", config)
    assert ran.code == 0
    assert "dataset-missing: The folder ~nobody-here/hr" in ran.err


def test_control_characters_in_a_config_reach_no_terminal(autocal, config):
    text = config.read_text("utf-8").replace(
        "    auto_calibrate: true\n", '    auto_calibrate: true\n    "a\\x1b[31m\\nb": 1\n'
    )
    config.write_text(text, "utf-8")
    ran = autocal("calibrate", config, "--no-dataset")
    assert ran.code == 0
    assert "\x1b" not in ran.err
    assert "a\\x1b[31m\\nb" in ran.err
    assert b'"a\\x1b[31m\\nb": 1' in ran.out


def test_the_file_is_written_before_anything_is_said(autocal, config, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device", str(config))

    monkeypatch.setattr(os, "fsync", refuse)
    kept = config.read_bytes()
    ran = autocal("calibrate", config, "--in-place", "--no-dataset")
    assert (ran.code, ran.out) == (2, b"")
    assert ran.err == f"autocal: {config}: The file cannot be written: No space left on device.\n"
    assert config.read_bytes() == kept
    assert {path.name for path in config.parent.iterdir()} == {"train.yml", "hr"}


@posix
def test_the_mode_of_a_rewritten_file_and_a_link_to_it_stay(autocal, config):
    config.chmod(0o640)
    link = config.with_name("link.yml")
    link.symlink_to(config.name)
    assert autocal("calibrate", link, "--in-place", "--no-dataset").code == 0
    assert link.is_symlink()
    assert config.stat().st_mode & 0o777 == 0o640
    assert b"momentum: 0.85" in config.read_bytes()


def test_a_config_that_is_right_already_is_not_written_again(autocal, config):
    autocal("calibrate", config, "--in-place", "--no-dataset")
    before = config.stat()
    assert "nothing to change" in autocal("calibrate", config, "--in-place", "--no-dataset").err
    after = config.stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_a_full_disk_behind_standard_output_is_one_line(config):
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        ran = subprocess.run(
            [*COMMAND, "calibrate", str(config), "-q", "--no-dataset"], stdout=full, stderr=subprocess.PIPE, timeout=60
        )
    assert ran.returncode == 2
    assert ran.stderr == b"autocal: Standard output cannot be written: No space left on device.\n"


@posix
def test_a_reader_that_has_gone_away_is_no_trouble(config):
    reading, writing = os.pipe()
    os.close(reading)
    command = [*COMMAND, "calibrate", str(config), "-q", "--no-dataset"]
    ran = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, timeout=60)
    os.close(writing)
    assert (ran.returncode, ran.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["calibrate"], "Missing argument 'CONFIG'. See autocal calibrate --help."),
        (["calibrate", "train.yml", "--bogus"], "--bogus"),
        (["calibrate", "train.yml", "--seed", "many"], "--seed"),
        (["calibrate", "train.yml", "--set"], "--set"),
        (["calibrate", "train.yml", "--set", "momentum=high"], "--set momentum=high: `momentum` should be a number"),
        (["calibrate", "train.yml", "--device", "abacus"], "abacus"),
        (["calibrate", "train.yml", "--hr", "hr", "--no-dataset"], "--hr and --no-dataset cannot be used together."),
        (["calibrate", "train.yml", "-o", "x.yml", "--in-place"], "cannot be used together."),
        (["calibrate", "train.yml", "--json", "-o", "-"], "--json and -o - cannot be used together."),
        (["calibrate", "train.yml", "--json", "--diff"], "--json and --diff cannot be used together."),
        (["explain", "train.yml", "other.yml"], "other.yml"),
        (["analyze-dataset"], "No images are named. Give PATH, or the training's --config FILE."),
        (["analyze-dataset", "hr", "--workers", "0"], "--workers"),
        (["calibrate", "train.yml", "--write", "natve"], "'natve' is not one of 'block', 'sidecar', 'native'. See"),
        (["calibrate", "train.yml", "--weights", "none.pth"], "none.pth: There is no such checkpoint."),
        (["check", "train.yml", "--json", "--format", "github"], "--json and --format github cannot be used together."),
        (["networks", "paragonsr2_nano", "--scale", "7"], "autocal: the network paragonsr2_nano is made for scale"),
        (["calib"], "No such command 'calib'. Did you mean 'calibrate'? See autocal --help."),
        (["zzz"], "No such command 'zzz'. See autocal --help."),
    ],
)
def test_a_wrong_command_line_is_one_line_that_says_where_help_is(autocal, config, monkeypatch, arguments, said):
    monkeypatch.chdir(config.parent)
    ran = autocal(*arguments)
    assert (ran.code, ran.out) == (2, b"")
    assert ran.err.startswith("autocal: ")
    assert ran.err.count("\n") == 1
    assert said in ran.err


def test_without_a_command_there_is_help(autocal):
    ran = autocal()
    assert ran.code == 0
    assert all(command in ran.out.decode() for command in ("calibrate", "explain", "analyze-dataset"))


def test_both_a_file_and_a_diff_or_json_can_be_had(autocal, config):
    out = config.with_name("out.yml")
    assert autocal("calibrate", config, "-o", out, "--diff", "--no-dataset").out.startswith(b"--- ")
    assert out.is_file()
    assert autocal("calibrate", config, "-o", out, "--json", "--no-dataset").out.startswith(b"{")


def test_the_diff_is_one_that_patch_would_take(autocal, config):
    config.write_bytes(config.read_bytes().replace(b"\n", b"\r\n").removesuffix(b"\r\n"))
    resolved = autocal("calibrate", config, "--no-dataset", "-q").out
    lines = autocal("calibrate", config, "--no-dataset", "-q", "--diff").out.decode().split("\n")
    kept = [line[1:] for line in lines[2:] if line[:1] in ("+", " ")]
    assert "\n".join(kept).encode() in resolved
