"""Storage: files are read or refused in one line, and replaced as a whole or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from autocal_cli.config.files import read_bytes, replace_file
from autocal_cli.errors import AutocalError

posix_only = pytest.mark.skipif(os.name != "posix", reason="links, pipes and modes as POSIX has them")


def refusal(action, *arguments):
    with pytest.raises(AutocalError) as caught:
        action(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "train.yml"
    path.write_bytes(b"old")
    return path


def test_read(config):
    assert read_bytes(config) == b"old"


def test_read_what_is_no_config(tmp_path):
    assert refusal(read_bytes, tmp_path) == f"{tmp_path}: This is a folder, not a config. Name the YAML file in it."
    assert refusal(read_bytes, tmp_path / "no.yml") == f"{tmp_path}/no.yml: There is no such file."
    assert refusal(read_bytes, tmp_path / "no" / "no.yml") == f"{tmp_path}/no/no.yml: There is no such file."


@posix_only
def test_read_of_a_pipe_does_not_wait(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert refusal(read_bytes, pipe) == f"{pipe}: This is not a regular file."


@posix_only
def test_read_of_links(config, tmp_path):
    (tmp_path / "link").symlink_to(config)
    (tmp_path / "broken").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    assert read_bytes(tmp_path / "link") == b"old"
    assert refusal(read_bytes, tmp_path / "broken") == f"{tmp_path}/broken: There is no such file."
    assert "The file cannot be read: " in refusal(read_bytes, tmp_path / "loop")


def test_replace(config):
    replace_file(config, [b"new\r\n\xef\xbb\xbf"])
    assert config.read_bytes() == b"new\r\n\xef\xbb\xbf"
    assert names(config.parent) == ["train.yml"]


def test_replace_what_is_absent_makes_it(tmp_path):
    replace_file(tmp_path / "new.yml", [b"new"])
    assert (tmp_path / "new.yml").read_bytes() == b"new"
    assert names(tmp_path) == ["new.yml"]


def test_name_as_long_as_a_name_may_be(tmp_path):
    path = tmp_path / ("x" * 251 + ".yml")
    replace_file(path, [b"new"])
    assert path.read_bytes() == b"new"


@posix_only
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o640, 0o755])
def test_mode_is_kept(config, mode):
    config.chmod(mode)
    replace_file(config, [b"new"])
    assert stat.S_IMODE(config.stat().st_mode) == mode


@posix_only
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_mode_of_a_new_file_follows_the_umask(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        replace_file(tmp_path / "new.yml", [b"new"])
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new.yml").stat().st_mode) == mode


@posix_only
def test_link_stays_a_link_and_its_target_is_replaced(config, tmp_path):
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "link.yml"
    link.symlink_to("../train.yml")
    replace_file(link, [b"new"])
    assert link.is_symlink()
    assert link.readlink() == Path("../train.yml")
    assert config.read_bytes() == b"new"
    assert names(link.parent) == ["link.yml"]


@posix_only
def test_other_names_of_the_file_keep_the_old_text(config, tmp_path):
    (tmp_path / "hard.yml").hardlink_to(config)
    replace_file(config, [b"new"])
    assert (tmp_path / "hard.yml").read_bytes() == b"old"


def test_folder_is_not_replaced(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    assert refusal(replace_file, folder, b"new") == f"{folder}: This is not a regular file."
    assert names(tmp_path) == ["folder"]


@posix_only
def test_pipe_and_device_are_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    link = tmp_path / "null"
    link.symlink_to(os.devnull)
    for path in (pipe, link):
        assert refusal(replace_file, path, b"new") == f"{path}: This is not a regular file."
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)
    assert names(tmp_path) == ["null", "pipe"]


@posix_only
def test_loop_of_links_is_refused(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    assert "The file cannot be written: " in refusal(replace_file, tmp_path / "loop", b"new")
    assert names(tmp_path) == ["loop"]


def test_folder_that_is_absent(tmp_path):
    message = refusal(replace_file, tmp_path / "no" / "train.yml", b"new")
    assert message == f"{tmp_path}/no/train.yml: The file cannot be written: No such file or directory."


@posix_only
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write everywhere")
def test_folder_that_is_read_only(config):
    config.parent.chmod(0o500)
    try:
        assert "The file cannot be written: Permission denied." in refusal(replace_file, config, b"new")
    finally:
        config.parent.chmod(0o700)
    assert names(config.parent) == ["train.yml"]
    assert config.read_bytes() == b"old"


@pytest.mark.parametrize(("module", "step"), [(tempfile, "mkstemp"), (os, "fsync"), (os, "replace")])
@pytest.mark.parametrize(
    ("error", "raised"),
    [(OSError(28, "No space left on device"), AutocalError), (KeyboardInterrupt(), KeyboardInterrupt)],
)
def test_failure_leaves_the_old_file_and_nothing_else(config, monkeypatch, module, step, error, raised):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(module, step, fail)
    with pytest.raises(raised) as caught:
        replace_file(config, [b"new"])
    monkeypatch.undo()
    if raised is AutocalError:
        assert str(caught.value) == f"{config}: The file cannot be written: No space left on device."
    assert names(config.parent) == ["train.yml"]
    assert config.read_bytes() == b"old"


def test_content_reaches_the_disk_before_the_name(config, monkeypatch):
    order = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (order.append("fsync"), fsync(handle)))
    monkeypatch.setattr(os, "replace", lambda *paths: (order.append("replace"), replace(*paths)))
    replace_file(config, [b"new"])
    assert order == ["fsync", "replace"]


LIMITED = """
import resource, signal, sys
from pathlib import Path
from autocal_cli.config.files import replace_file
from autocal_cli.errors import AutocalError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    replace_file(Path(sys.argv[1]), [b"x" * 5000])
except AutocalError as error:
    print(error)
"""


@posix_only
def test_a_disk_that_fills_up_in_the_middle_leaves_the_old_file_and_nothing_else(config):
    command = [sys.executable, "-c", LIMITED, str(config)]
    ran = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=60)
    assert ran.stdout == f"{config}: The file cannot be written: File too large.\n", ran.stderr
    assert names(config.parent) == ["train.yml"]
    assert config.read_bytes() == b"old"


@posix_only
def test_mode_is_kept_through_a_link_and_the_folder_of_the_target_takes_the_temporary_file(config, tmp_path):
    config.chmod(0o640)
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "link.yml"
    link.symlink_to(config)
    link.parent.chmod(0o500)  # nothing is written beside the link
    try:
        replace_file(link, [b"new"])
    finally:
        link.parent.chmod(0o700)
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    assert config.read_bytes() == b"new"


@posix_only
@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may become somebody else")
def test_folder_that_somebody_else_may_not_write():
    program = LIMITED.replace("try:", "import os, random\nos.setegid(65534)\nos.seteuid(65534)\ntry:")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "train.yml"
        config.write_bytes(b"old")
        folder.chmod(0o755)
        command = [sys.executable, "-c", program, str(config)]
        ran = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=60)
        assert ran.stdout == f"{config}: The file cannot be written: Permission denied.\n", ran.stderr
        assert names(folder) == ["train.yml"]
        assert config.read_bytes() == b"old"
