"""Several processes: who takes what, and the same numbers as from one."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from autocal_cli.cli import main
from autocal_cli.dataset.workers import Ranks


@pytest.mark.parametrize(
    ("items", "block", "count"), [(0, 4, 2), (3, 4, 2), (10, 4, 3), (64, 64, 2), (130, 64, 3), (7, 64, 8)]
)
def test_every_item_is_taken_once_and_comes_back_in_its_place(items, block, count, monkeypatch):
    """The exchange itself is stood in for: what each rank gave for a block is handed to all."""
    shares = [list(Ranks(rank, count).share(range(items), block)) for rank in range(count)]
    assert sorted(item for share in shares for item in share) == list(range(items))

    streams = [iter(share) for share in shares]

    def gather(target, mine):
        start = gather.block * block
        size = min(block, items - start)
        target[0] = mine
        for rank in range(1, count):
            target[rank] = [next(streams[rank]) for _ in range(rank, size, count)]
        gather.block += 1

    gather.block = 0
    monkeypatch.setattr("torch.distributed.all_gather_object", gather)
    assert list(Ranks(0, count).together(streams[0], items, block)) == list(range(items))


def test_alone_nothing_is_exchanged():
    assert list(Ranks().share("abc", 2)) == ["a", "b", "c"]
    assert list(Ranks().together(iter("abc"), 3, 2)) == ["a", "b", "c"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder, noise = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for number in range(150):
        pixels = noise.integers(0, 2 + 1.7 * number, (24, 32, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03}.png")
    (folder / "broken.png").write_bytes(b"\x89PNG")
    return folder


def by_two(folder, *options):
    """What two processes say, started by torchrun."""
    starter = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "autocal_cli"]
    command = [*starter, "analyze-dataset", str(folder), "--json", "--quiet", *options]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=300)


def by_one(folder, *options):
    """What this process says."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "argv", ["autocal", "analyze-dataset", str(folder), "--json", "--quiet", *options])
        with pytest.raises(SystemExit) as ended:
            main()
    out.flush()
    assert not ended.value.code
    return out.buffer.getvalue().decode()


def numbers(text):
    told = json.loads(text)
    del told["seconds"], told["device_reason"]  # two ranks ask torch for devices, one does not import it
    return told


OF_BATCHES = ("--batches", "10", "--batch-size", "20", "--crop", "16")


SAMPLED = ("--images", "100", "--seed", "3")


@pytest.mark.parametrize("options", [("--all",), OF_BATCHES, pytest.param(SAMPLED, marks=pytest.mark.slow)])
def test_two_ranks_tell_what_one_does(folder, options):
    alone, ran = numbers(by_one(folder, *options)), by_two(folder, *options)
    assert ran.returncode == 0
    assert numbers(ran.stdout) == alone
    assert alone["sharpness"]["mean"] > 0
    if options == OF_BATCHES:  # 151 files and 49 of them again, one of which cannot be read, twice
        assert (alone["images"]["read"], alone["crops"]) == (150, {"count": 198, "side": 16})
    else:
        assert (alone["images"]["read"], alone["crops"]) == (150 if "--all" in options else 100, None)


def errors(ran):
    return [line for line in ran.stderr.splitlines() if line.startswith("autocal: ")]


def test_what_is_wrong_ends_all_ranks_and_is_told_by_each_once(tmp_path):
    ran = by_two(tmp_path / "missing")
    assert ran.returncode != 0
    told = errors(ran)
    assert 1 <= len(told) == len(set(told)) <= 2  # torchrun may end one before it has spoken
    assert all("no such file or directory. Check the path of the dataset." in line for line in told)
    assert sum("rank 1: " in line for line in told) <= 1


ONE_OF_THEM = """
import os, sys
from autocal_cli.cli import main
sys.argv = ["autocal", "analyze-dataset", sys.argv[1 + int(os.environ["RANK"])], "--all", "--json"]
main()
"""


def test_what_is_wrong_on_one_rank_alone_ends_all_and_is_told(folder, tmp_path):
    (tmp_path / "one.py").write_text(ONE_OF_THEM, "utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", str(tmp_path / "one.py")]
    folders = [str(folder), str(tmp_path / "missing")]
    ran = subprocess.run([*command, *folders], capture_output=True, text=True, encoding="utf-8", timeout=300)
    assert ran.returncode != 0
    assert errors(ran)[0].startswith(f"autocal: rank 1: {tmp_path / 'missing'}: no such file or directory.")
    assert ran.stdout == ""
