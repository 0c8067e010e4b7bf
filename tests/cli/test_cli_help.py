"""What a person reads who asks for help: nothing that stands in the source is lost on the way to the terminal."""

from __future__ import annotations

import pytest
import typer.main

from autocal_cli.cli import app

COMMANDS = typer.main.get_command(app).commands


def words(text: str) -> str:
    """Text without line breaks, boxes and the marks of code, which the terminal shows in another way."""
    return " ".join(text.replace("│", " ").replace("`", "").split())


@pytest.mark.parametrize("name", COMMANDS)
def test_the_terminal_shows_every_word_of_the_help(autocal, name):
    shown = words(autocal(name, "--help").out.decode())
    for paragraph in COMMANDS[name].help.split("\n\n"):
        assert words(paragraph) in shown


def test_what_stands_in_brackets_is_shown(autocal):
    assert "by the file's shape]" in autocal("check", "--help").out.decode()


@pytest.mark.parametrize("name", [[], *([name] for name in COMMANDS)])
def test_h_is_help(autocal, name):
    short, long = autocal(*name, "-h"), autocal(*name, "--help")
    assert (short.code, short.out) == (0, long.out)
    assert b"Usage: autocal" in short.out


def test_the_shell_can_complete(autocal, monkeypatch):
    monkeypatch.setenv("_AUTOCAL_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "autocal calib")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert autocal().out.decode().split() == ["calibrate"]
    monkeypatch.delenv("_AUTOCAL_COMPLETE")
    assert b"--install-completion" in autocal("--help").out
