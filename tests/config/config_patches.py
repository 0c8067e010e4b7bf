"""What the tests of patches share."""

from __future__ import annotations

from textwrap import dedent

from autocal_cli.config.files import parse_document, plan_patch, verify_patch
from autocal_cli.config.yaml.edit import splice

PATH = ("train", "sched")
WANTED = {"rate": 0.5, "early": {"until": 0.1}}


def patched(text, wanted=WANTED, path=PATH, units=()):
    """The patched text, verified, and read by PyYAML to say what is wanted and nothing else new."""
    document = parse_document(text.encode(), "train.yml")
    patch = plan_patch(document, path, wanted, units)
    if not patch.edits:
        return text
    after = verify_patch(document, splice(document.text, patch.edits), patch)
    assert not plan_patch(after, path, wanted, units).edits, "patching again changes it again"
    return after.encode(after.text).decode()


def before_and_after(difference):
    lines = dedent(difference).lstrip("\n").splitlines(keepends=True)
    assert {line[0] for line in lines} <= set(" +-\n")
    before = "".join(line[2:] or "\n" for line in lines if line[0] != "+")
    after = "".join(line[2:] or "\n" for line in lines if line[0] != "-")
    return before, after
