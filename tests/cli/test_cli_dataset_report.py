"""`autocal analyze-dataset`: its files, its options, and a golden copy of what it prints of the demo images."""

from __future__ import annotations

import csv
import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from autocal_cli.errors import AutocalError, Place
from autocal_cli.workflow.output import LISTS

CASE = Path(__file__).parent.parent / "cases_dataset"
DEMO = Path(__file__).parents[2] / "sample_configs" / "demo_images"


def test_the_table_of_the_demo_images_is_as_it_was_approved(autocal, monkeypatch):
    """After a wanted change: AUTOCAL_REGENERATE=1, then read the difference."""
    monkeypatch.chdir(DEMO)
    text = re.sub(
        r"^[\d.]+ s on \w+(:\d+)?( \(.*?\))?",
        "SECONDS on DEVICE",
        autocal("analyze-dataset", "hr", "--crop", "224").out.decode(),
        flags=re.M,
    )
    golden = CASE / "demo_images.txt"
    if os.environ.get("AUTOCAL_REGENERATE"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text("utf-8")


def test_page_and_table_are_written_and_replaced(autocal, images, tmp_path):
    (images / "broken.png").write_bytes(b"")
    page, table = tmp_path / "report.html", tmp_path / "report.csv"
    for _ in range(2):  # over one's own files without a word
        ran = autocal("analyze-dataset", images, "--quiet", "--html", page, "--csv", table)
        assert (ran.code, ran.err) == (0, "")
    assert page.read_bytes().startswith(b"<!DOCTYPE html>")
    assert b"broken.png" in page.read_bytes()
    with table.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [(Path(row["path"]).name, row["status"], row["grey"]) for row in rows] == [
        ("broken.png", "failed", ""), ("flat.png", "read", "false"), ("noise.png", "read", "false"),
        ("ramp.png", "read", "true"),
    ]  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == {"hr", "report.html", "report.csv"}


@pytest.mark.parametrize("option", ["--html", "--csv"])
@pytest.mark.parametrize("content", [b"mine", b"", b"<!DOCTYPE html><p>mine", b"path,mine\n"])
def test_a_file_of_somebody_else_is_not_replaced_without_force(autocal, images, tmp_path, option, content):
    out = tmp_path / "out"
    out.write_bytes(content)
    ran = autocal("analyze-dataset", images, option, out)
    assert (ran.code, ran.out) == (2, b"")
    assert "autocal did not write it" in ran.err
    assert out.read_bytes() == content
    assert autocal("analyze-dataset", images, option, out, "--force").code == 0
    assert out.read_bytes() != content


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--html", "x", "--csv", "x"], "--html and --csv name the same file"),
        (["--html", "."], "is a folder"),
        (["--csv", "nowhere/x.csv"], "does not exist"),
        (["--all", "--images", "5"], "--all and --images cannot be used together"),
        (["--images", "0"], "--images"),
        (["--crop", "0"], "--crop"),
        (["--batches", "0"], "--batches"),
        (["--all", "--batches", "1"], "--all and --batches cannot be used together"),
        (["--images", "5", "--batches", "1"], "--images and --batches cannot be used together"),
        (["--batches", "1", "--crop", "16"], "needs the training's batch size"),
        (["--batches", "1", "--batch-size", "4"], "needs the size of the training's crop"),
        (["--config", "missing.yml"], "missing.yml"),
        (["--drop", "x", "--keep", "x"], "Two lists have the same file"),
        (["--meta-info", "nowhere/x.txt"], "does not exist"),
        (["--plan", "--drop", "x"], "cannot be used together"),
        (["--images", "2", "--keep", "x"], "cannot be used together"),
        (["--images", "2", "--choose", "2"], "cannot be used together"),
        (["--lq", "gone"], "gone: no such file"),
        (["--model", "gone.pt"], "gone.pt"),
        (["--like", "theirs"], "bhi, lucid"),
        (["--threshold", "glare=1"], "no reason 'glare'"),
    ],
)
def test_wrong_use_is_said_before_anything_is_read(autocal, images, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    ran = autocal("analyze-dataset", images, *arguments)
    assert ran.code == 2
    assert said in ran.err
    assert sorted(tmp_path.rglob("*")) == before


def test_so_many_images_are_read_and_it_is_said(autocal, images):
    ran = autocal("analyze-dataset", images, "--images", "2")
    assert "2 of 3 images read, 0 failed" in ran.out.decode()
    told = json.loads(autocal("analyze-dataset", images, "--images", "2", "--json").out)
    assert told["images"]["read"] == told["health"]["images"] == 2
    low, high = told["overall_ci95"]
    assert low < high


def test_the_crop_is_measured_against_every_image(autocal, images):
    for crop, count in ((96, 0), (97, 3)):
        told = json.loads(autocal("analyze-dataset", images, "--crop", crop, "--json").out)
        small = told["curation"]["reasons"].get("small", {"drop": {"paths": []}})
        assert (told["health"]["crop"], len(small["drop"]["paths"])) == (crop, count)
    assert "small" not in json.loads(autocal("analyze-dataset", images, "--json").out)["curation"]["reasons"]


def test_lists_of_what_to_drop_and_keep_hold_every_image_once(autocal, images, tmp_path):
    (images / "broken.png").write_bytes(b"")
    (images / "copy.png").write_bytes((images / "noise.png").read_bytes())
    drop, keep, names = (tmp_path / name for name in ("drop.txt", "keep.txt", "meta.txt"))
    ran = autocal("analyze-dataset", images, "--drop", drop, "--keep", keep, "--meta-info", names)
    assert ran.code == 0
    dropped, kept = (path.read_text("utf-8").splitlines() for path in (drop, keep))
    assert sorted(dropped + kept) == sorted(str(path) for path in images.glob("*.png"))
    assert {Path(path).name for path in dropped} == {
        "broken.png", "copy.png", "flat.png", "noise.png",
    }  # fmt: skip
    assert names.read_text("utf-8").splitlines() == [Path(path).name for path in kept] == ["ramp.png"]
    told = json.loads(autocal("analyze-dataset", images, "--json").out)["curation"]
    assert (told["drop"], told["images"]) == (4, 5)


def test_a_list_that_autocal_wrote_is_written_again_and_no_other(autocal, images, tmp_path):
    drop = tmp_path / "drop.txt"
    for bound in ("0.9", "0.001", "0.9"):  # over one's own list without a word
        ran = autocal("analyze-dataset", images, "-q", "--drop", drop, "--threshold", f"noise={bound}")
        assert (ran.code, ran.err) == (0, "")
    drop.write_text("mine.png\n", "utf-8")
    ran = autocal("analyze-dataset", images, "--drop", drop)
    assert ran.code == 2
    assert "no list that autocal is known to have written" in ran.err
    assert drop.read_text("utf-8") == "mine.png\n"
    assert autocal("analyze-dataset", images, "--drop", drop, "--force", "--no-cache").code == 0
    assert autocal("analyze-dataset", images, "--drop", drop, "--threshold", "flat=off", "--no-cache").code == 2


def test_what_was_written_is_told_with_counts(autocal, images, tmp_path):
    names = ("drop", "keep", "meta-info", "csv", "html")
    options = [part for name in names for part in (f"--{name}", tmp_path / name)]
    ran = autocal("analyze-dataset", images, *options)
    counts = ("2 images", "1 image", "1 image", "3 rows", "a page for the browser")
    assert ran.err.splitlines()[-5:] == [f"wrote {tmp_path / name}: {n}" for name, n in zip(names, counts, strict=True)]
    assert autocal("analyze-dataset", images, "--quiet", *options).err == ""


@pytest.mark.parametrize(("option", "name"), [("--html", "page.html"), ("--drop", "drop.txt"), ("--csv", "t.csv")])
def test_a_full_disk_takes_the_file_but_not_the_result(autocal, images, tmp_path, monkeypatch, option, name):
    def full(*_):
        raise AutocalError("The file cannot be written: No space left on device.", place=Place(name))

    monkeypatch.setattr("autocal_cli.workflow.output.replace_file", full)
    ran = autocal("analyze-dataset", images, option, tmp_path / name)
    assert ran.code == 2
    assert "3 of 3 images read" in ran.out.decode()
    assert "No space left on device" in ran.err
    assert "wrote" not in ran.err


def test_an_image_that_nobody_could_judge_is_in_no_list_and_it_is_said(autocal, images, tmp_path):
    drop, keep = tmp_path / "drop.txt", tmp_path / "keep.txt"
    Image.new("RGB", (200, 96)).save(images / "large.png")
    ran = autocal("analyze-dataset", images, "--max-pixels", 128 * 96, "--drop", drop, "--keep", keep)
    assert "warning curation-unread: In no list: 1 image that was not read" in ran.err
    assert "large.png" not in drop.read_text("utf-8") + keep.read_text("utf-8")
    assert "curation-unread" not in autocal("analyze-dataset", images, "--max-pixels", 128 * 96).err


def test_a_choice_of_more_than_there_are_is_told(autocal, images):
    ran = autocal("analyze-dataset", images, "--choose", "2", "--plan")
    assert "info choice-is-all: --choose 2 left nothing out, for only 1 of 3 images are not dropped" in ran.err
    assert "choice-is-all" not in autocal("analyze-dataset", images, "--choose", "1", "--plan").err


def test_paths_stand_in_for_the_folders_of_a_config(autocal, images, config):
    text = config.read_text("utf-8").replace("dataroot_gt: hr,", "dataroot_gt: gone, dataroot_lq: gone_too,")
    config.write_text(text, "utf-8")
    ran = autocal("analyze-dataset", images, "--config", config)
    assert (ran.code, "gone" in ran.err) == (0, False)


def test_folders_given_by_hand_are_no_section_of_a_config(autocal, images, tmp_path):
    (tmp_path / "lq").mkdir()
    Image.new("RGB", (64, 48)).save(tmp_path / "lq" / "ramp.png")
    ran = autocal("analyze-dataset", images, "--lq", tmp_path / "lq")
    assert "pairs-missing-lq: 3 GT and 1 LQ images" in ran.err


@pytest.mark.parametrize("damage", [lambda noted: noted.write_bytes(b"\xff\xfe\n"), Path.mkdir])
def test_damaged_notes_of_lists_stop_no_list(autocal, images, tmp_path, monkeypatch, damage):
    monkeypatch.setenv("AUTOCAL_CACHE", str(tmp_path / "cache"))
    drop = tmp_path / "drop.txt"
    (tmp_path / "cache").mkdir()
    damage(tmp_path / "cache" / LISTS)
    assert autocal("analyze-dataset", images, "-q", "--drop", drop).code == 0
    assert autocal("analyze-dataset", images, "-q", "--drop", drop, "--force").code == 0


@pytest.mark.parametrize("option", ["--drop", "--keep", "--meta-info", "--csv", "--html"])
def test_nothing_is_written_into_a_folder_of_images(autocal, images, config, option):
    before = sorted(images.iterdir())
    for scanned in ([images], ["--config", config]):
        ran = autocal("analyze-dataset", *scanned, option, images / "out")
        assert ran.code == 2
        assert "lies in a folder of images" in ran.err
        ran = autocal("analyze-dataset", *scanned, option, images / "out.png", "--force")
        assert ran.code == 2
        assert "lies in a folder of images" in ran.err
    assert sorted(images.iterdir()) == before


def test_a_page_of_the_folder_that_one_is_in_names_it(autocal, images, tmp_path, monkeypatch):
    monkeypatch.chdir(images)
    assert autocal("analyze-dataset", ".", "-q", "--html", tmp_path / "page.html").code == 0
    page = (tmp_path / "page.html").read_text("utf-8")
    assert f"<h1>{images}</h1>" in page
    assert f'const folder = "{images.as_uri()}/";' in page  # below which links open images
    assert "<a>flat.png</a>" in page


@pytest.mark.parametrize("option", ["--drop", "--csv", "--html"])
def test_what_is_no_image_is_written_among_the_images_where_that_is_wanted(autocal, images, option):
    before = json.loads(autocal("analyze-dataset", images, "--json").out)
    assert autocal("analyze-dataset", images, "-q", option, images / "out.txt", "--force").code == 0
    assert (images / "out.txt").is_file()
    after = json.loads(autocal("analyze-dataset", images, "--json").out)
    assert (after["images"]["found"], after["identity"]) == (before["images"]["found"], before["identity"])


def test_nothing_is_written_into_the_other_folders_of_images_that_a_config_names(autocal, images, config, tmp_path):
    folders = [tmp_path / name for name in ("lq", "val_gt", "val_lq")]
    for folder in folders:
        folder.mkdir()
    val = "datasets:\n  val: {dataroot_gt: val_gt, dataroot_lq: val_lq}\n"
    text = config.read_text("utf-8").replace("datasets:\n", val).replace("gt: hr,", "gt: hr, dataroot_lq: lq,")
    config.write_text(text, "utf-8")
    for folder in folders:
        for scanned in (["--config", config], [images, "--config", config]):
            ran = autocal("analyze-dataset", *scanned, "--drop", folder / "drop.txt")
            assert "lies in a folder of images" in ran.err
            assert not any(folder.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
@pytest.mark.parametrize("name", ["two\nlines.png", os.fsdecode(b"caf\xe9.png"), "back\\slash.png"])
def test_a_name_that_a_list_cannot_hold_is_left_out_and_told(autocal, images, tmp_path, name):
    keep, drop = tmp_path / "keep.txt", tmp_path / "drop.txt"
    (images / name).write_bytes((images / "ramp.png").read_bytes())
    ran = autocal("analyze-dataset", images, "--keep", keep, "--drop", drop)
    assert "warning curation-names: Left out of --drop and --keep: 1 image whose name" in ran.err
    listed = [*keep.read_text("utf-8").splitlines(), *drop.read_text("utf-8").splitlines()]
    assert sorted(listed) == sorted(str(path) for path in images.glob("*.png") if path.name != name)
    assert "\\\\xe9" not in ran.err  # as every other message shows it


def test_a_meta_info_list_is_read_as_the_config_names_it(autocal, images, config, tmp_path):
    names = tmp_path / "meta.txt"
    (images / "with blank.png").write_bytes((images / "ramp.png").read_bytes())
    ran = autocal("analyze-dataset", images, "--meta-info", names, "--threshold", "duplicate=off")
    assert "warning curation-names: Left out of the meta_info file: 1 image whose name" in ran.err
    text = config.read_text("utf-8").replace("batch_size_per_gpu: 16", f"batch_size_per_gpu: 16, meta_info: {names}")
    config.write_text(text, "utf-8")
    told = json.loads(autocal("analyze-dataset", "--config", config, "--json").out)
    assert told["images"]["found"] == len(names.read_text("utf-8").splitlines()) > 0


PAIRED = {
    "": ("info", "looks for LQ images with the ending of GT.", "a.png\nb.png\n"),
    "BasicSR": ("info", "BasicSR reads it as meta_info_file", "a.png\nb.png\n"),
    "Real-ESRGAN": ("info", "Real-ESRGAN reads it as meta_info", "a.png, a.png\nb.png, b.png\n"),
    "traiNNer-redux": ("warning", "KeyError: 'gt_path'", "a.png\nb.png\n"),
}
MODELS = {"BasicSR": "model_type: SRModel", "Real-ESRGAN": "model_type: RealESRNetModel"}


@pytest.mark.parametrize("trainer", PAIRED)
def test_a_meta_info_list_of_pairs_is_what_the_trainer_reads(autocal, tmp_path, trainer):
    severity, told, listed = PAIRED[trainer]
    for name in ("a.png", "b.png", "below/c.png"):
        gt = Image.effect_noise((128, 128), 40)
        for root, image in (("hr", gt), ("lq", gt.reduce(2))):
            path = tmp_path / root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)
    config = tmp_path / "train.yml"
    roots = f"dataroot_gt: {tmp_path / 'hr'}, dataroot_lq: {tmp_path / 'lq'}, gt_size: 32"
    config.write_text(
        f"{MODELS.get(trainer, '')}\nscale: 2\ndatasets: {{train: {{{roots}}}}}\ntrain: {{total_iter: 9}}\n", "utf-8"
    )
    images = ("--config", config) if trainer else (tmp_path / "hr", "--lq", tmp_path / "lq")
    options = ("--meta-info", tmp_path / "meta.txt", "--threshold", "noise=off")
    ran = autocal("analyze-dataset", *images, *options)
    assert (tmp_path / "meta.txt").read_text("utf-8") == listed
    assert "1 image whose name holds a folder ('below/c.png')" in ran.err
    assert f"{severity} pairs-meta-info: A list of pairs: " in ran.err
    assert told in ran.err
    for name in "ab":
        Image.open(tmp_path / "lq" / f"{name}.png").save(tmp_path / "lq" / f"{name}.webp", lossless=True)
        (tmp_path / "lq" / f"{name}.png").unlink()
    ran = autocal("analyze-dataset", *images, *options)
    assert ("with the ending of GT, but 2 of 3 have another." in ran.err) == (trainer in ("", "BasicSR"))
    if trainer == "Real-ESRGAN":
        assert (tmp_path / "meta.txt").read_text("utf-8") == "a.png, a.webp\nb.png, b.webp\n"


def test_a_choice_is_listed_as_what_is_kept(autocal, images, tmp_path):
    colours = (255, 0, 0), (0, 160, 0), (0, 0, 255), (250, 0, 4)
    for name, colour in zip("abcd", colours, strict=True):
        mask = Image.effect_noise((96, 96), 90)
        Image.composite(Image.new("RGB", (96, 96), colour), Image.new("RGB", (96, 96)), mask).save(
            images / f"{name}.png"
        )
    keep, options = tmp_path / "keep.txt", ["--threshold", "noise=off", "--threshold", "near-duplicate=off"]
    assert autocal("analyze-dataset", images, "--choose", "4", "--keep", keep, *options).code == 0
    kept = {Path(path).stem for path in keep.read_text("utf-8").splitlines()}
    assert len(kept) == 4
    assert {"b", "c", "ramp"} < kept  # of the two red ones the one that is more complex
    assert "--choose 3: 3 kinds of image" in autocal("analyze-dataset", images, "--plan", *options).out.decode()


class Brightness(torch.nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image.mean()


def test_a_network_of_ones_own_scores_beside(autocal, images, tmp_path):
    own, table = tmp_path / "own.pt", tmp_path / "t.csv"
    torch.jit.script(Brightness()).save(own)
    ran = autocal("analyze-dataset", images, "--model", own, "--like", "bhi", "--csv", table)
    assert "own.pt" in ran.out.decode()
    assert "IC9600" not in ran.err  # it is measured now
    assert "IC9600" in autocal("analyze-dataset", images, "--like", "bhi").err
    with table.open(newline="", encoding="utf-8") as stream:
        rows = {Path(row["path"]).stem: row for row in csv.DictReader(stream)}
    assert float(rows["ramp"]["model"]) == pytest.approx(np.asarray(Image.open(images / "ramp.png")).mean() / 255)
    told = json.loads(autocal("analyze-dataset", images, "--model", own, "--json").out)
    assert len(told["model"]["sha256"]) == 64
    assert set(told["model_scores"]) == {"mean", "p5", "median", "p95"}


def test_a_plan_writes_nothing(autocal, images, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    ran = autocal("analyze-dataset", images, "--plan", "--no-cache")
    assert ran.out.decode().rstrip().endswith("of 3; nothing was written")
    assert "flat" in ran.out.decode()
    assert sorted(tmp_path.rglob("*")) == before


def test_a_gentle_scan_tells_the_same(autocal, images):
    told, gentle = (
        json.loads(autocal("analyze-dataset", images, "--all", "--no-cache", "--json", *more).out)
        for more in ((), ("--gentle",))
    )
    del told["seconds"], gentle["seconds"]
    assert gentle == told


def test_what_of_a_community_is_not_measured_is_said(autocal, images):
    assert "info curation-unmeasured: Not measured here" in autocal("analyze-dataset", images, "--like", "lucid").err


def test_a_community_of_which_nothing_is_measured_is_refused(autocal, images):
    ran = autocal("analyze-dataset", images, "--like", "bhi", "--plan", "-q")
    assert ran.code == 2
    assert "--like bhi changes nothing" in ran.err


OF_BATCHES = ("--batches", "3", "--batch-size", "4", "--crop", "40")


@pytest.mark.parametrize("options", [(), OF_BATCHES])
def test_json_and_table_do_not_depend_on_workers(autocal, images, tmp_path, options):
    (images / "copy.png").write_bytes((images / "ramp.png").read_bytes())
    seen = set()
    for workers in (1, 2, 4):
        table = tmp_path / f"{workers}.csv"
        told = json.loads(
            autocal("analyze-dataset", images, *options, "--workers", workers, "--csv", table, "--json").out
        )
        del told["seconds"]
        seen.add((json.dumps(told), table.read_bytes()))
    assert len(seen) == 1
    assert len(told["health"]["exact_duplicates"]["groups"]) == 1
    assert told["sharpness"]["crop"] == (40 if options else 128)
    assert 0 < told["sharpness"]["mean"] < 0.5


def test_the_config_takes_the_place_of_paths_crop_and_batch(autocal, config, images):
    text = config.read_text("utf-8").replace("batch_size_per_gpu: 16", "batch_size_per_gpu: 16, lq_size: 20")
    config.write_text(text, "utf-8")
    by_config = json.loads(autocal("analyze-dataset", "--config", config, "--batches", 2, "--json").out)
    by_hand = json.loads(
        autocal("analyze-dataset", images, *OF_BATCHES, "--batch-size", 32, "--batches", 1, "--json").out
    )
    assert by_config["crops"] == by_hand["crops"] == {"count": 32, "side": 40}
    assert by_config["metrics"] == by_hand["metrics"]
    ran = autocal("analyze-dataset", "--config", config, "--batches", 2)
    assert "32 crops of 40 x 40 from 3 of 3 images read" in ran.out.decode()
    assert "info crops-measured" in ran.err


def test_without_paths_and_config_there_is_nothing_to_read(autocal):
    ran = autocal("analyze-dataset")
    assert (ran.code, ran.err) == (2, "autocal: No images are named. Give PATH, or the training's --config FILE.\n")


def test_a_calibration_by_crops_says_so_and_is_told_again_from_its_record(autocal, config, tmp_path):
    text = config.read_text("utf-8").replace("batch_size_per_gpu: 16", "batch_size_per_gpu: 16, lq_size: 20")
    config.write_text(text, "utf-8")
    out = tmp_path / "resolved.yml"
    said = "32 crops of 40 x 40 from 3 of 3 images read"
    ran = autocal("calibrate", config, "--batches", 2, "-o", out)
    assert ran.code == 0
    assert said in ran.err
    assert "info crops-measured" in ran.err
    explained = autocal("explain", out)
    assert said in explained.out.decode()
    assert "info crops-measured" in autocal("explain", out, "--batches", 3).err
    assert said in autocal("explain", config, "--batches", 2).out.decode()


@pytest.mark.parametrize("command", ["calibrate", "explain"])
def test_batches_need_a_crop_and_images(autocal, config, command):
    ran = autocal(command, config, "--batches", 2)
    assert ran.code == 2
    assert "needs the size of the training's crop" in ran.err
    ran = autocal(command, config, "--batches", 2, "--no-dataset")
    assert "--batches and --no-dataset cannot be used together" in ran.err


def test_a_resolved_config_holds_none_of_it(autocal, config):
    resolved = autocal("calibrate", config).out.decode()
    assert "ci95: [" in resolved
    for word in ("sha256", "health", "blockiness", "duplicates", "histogram", "extremes"):
        assert word not in resolved


def test_a_cache_that_cannot_be_used_is_said_and_done_without(autocal, images, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("AUTOCAL_CACHE", str(tmp_path / "file"))
    ran = autocal("analyze-dataset", images, "--json")
    assert ran.code == 0
    assert "warning cache-unusable: The cache" in ran.err
    assert ("Delete it" in ran.err, "AUTOCAL_CACHE" in ran.err, "--no-cache" in ran.err) == (False, True, True)
    assert "cache-unusable" not in autocal("analyze-dataset", images, "--no-cache").err


@pytest.mark.parametrize(
    ("options", "kept"), [([], True), (["--no-cache"], False), (["--batches", "2"], False), (["--batches=2"], False)]
)
def test_what_an_interruption_leaves_is_said(autocal, images, monkeypatch, options, kept):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("autocal_cli.workflow.dataset.survey", interrupted)
    ran = autocal("analyze-dataset", images, "--crop", "32", "--batch-size", "2", *options)
    assert (ran.code, "What was measured is kept" in ran.err) == (130, kept)


def test_no_cache_keeps_nothing(autocal, images, tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOCAL_CACHE", str(tmp_path / "cache"))
    autocal("analyze-dataset", images, "--no-cache")
    assert not (tmp_path / "cache").exists()
    autocal("analyze-dataset", images)
    assert (tmp_path / "cache" / "images.sqlite").exists()
