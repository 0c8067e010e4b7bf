"""GT and LQ folders that do and do not belong together, and what is said of them."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from autocal_cli.config.files import parse_document
from autocal_cli.config.loading import read_training_config
from autocal_cli.errors import Finding
from autocal_cli.workflow.images import check_pairs

TEXT = """\
scale: 2
datasets:
  train:
    dataroot_gt: {gt}
    dataroot_lq: {lq}
    lq_size: 8
{more}
  val:
    dataroot_gt: [{val_gt}]
    dataroot_lq: [{val_lq}]
train: {{total_iter: 1000}}
"""


def plant(folder: Path, *names: str, size: tuple[int, int] = (32, 16)) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size).save(folder / name)
    return folder


Check = Callable[..., tuple[Finding, ...]]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Plants two sets that fit, does something to them, and checks."""
    for phase in ("", "val_"):
        plant(tmp_path / f"{phase}gt", "a.png", "b.png", "sub/c.png")
        plant(tmp_path / f"{phase}lq", "a.png", "b.jpg", "sub/c.png", size=(16, 8))

    def run(
        spoil: Callable[[Path], object] = lambda _: None, more: str = "", trainer: str | None = None, **roots: str
    ) -> tuple[Finding, ...]:
        spoil(tmp_path)
        named = {"gt": "gt", "lq": "lq", "val_gt": "val_gt", "val_lq": "val_lq"} | roots
        text = TEXT.format(**named, more=more)
        config = read_training_config(parse_document(text.encode(), str(tmp_path / "train.yml")))
        return check_pairs(replace(config, trainer=trainer or config.trainer))

    return run


def told(findings: tuple[Finding, ...]) -> list[tuple[str, int | None]]:
    return [(finding.code, finding.place.line if finding.place else None) for finding in findings]


def test_sets_that_fit_are_passed_over(check):
    assert check() == ()


def test_sets_that_are_not_here_are_passed_over(check):
    assert check(gt="no", lq="no", val_gt="no", val_lq="no") == ()


LQ = (16, 8)
SPOILED = {
    "gt without lq": (lambda at: plant(at / "gt", "z.png"), "pairs-missing-lq", 5, "train: 4 GT and 3 LQ images; 1 GT"),
    "lq without gt": (lambda at: plant(at / "lq", "z.png"), "pairs-missing-gt", 5, "1 LQ in lq has no GT image (z."),
    "in val": (lambda at: (at / "val_lq/a.png").unlink(), "pairs-missing-lq", 10, "val: 3 GT and 2 LQ images"),
    "size": (lambda at: plant(at / "gt", "a.png", size=(33, 16)), "pairs-size", 5, "a.png GT 33 x 16, LQ 16 x 8"),
    "turned": (lambda at: plant(at / "lq", "a.png", size=(8, 16)), "pairs-size", 5, "a.png GT 32 x 16, LQ 8 x 16"),
    "val far too big": (lambda at: plant(at / "val_gt", "a.png", size=(64, 32)), "pairs-size", 10, "GT 64 x 32"),
    "val too small": (lambda at: plant(at / "val_gt", "a.png", size=(31, 16)), "pairs-size", 10, "GT 31 x 16"),
    "no image": (lambda at: (at / "lq/a.png").write_bytes(b"x"), "pairs-unreadable", 5, "cannot be identified"),
    "lq gone": (lambda at: (at / "lq").rename(at / "elsewhere"), "dataset-missing", 5, "The folder lq ("),
    "val gone": (lambda at: (at / "val_gt").rename(at / "elsewhere"), "dataset-missing", 9, "The folder val_gt ("),
    "lq empty": (lambda at: [file.unlink() for file in (at / "lq").rglob("*.*")], "dataset-unreadable", 5, "no image"),
}


@pytest.mark.parametrize("case", SPOILED)
def test_one_fault_is_one_finding_at_the_line_of_its_folder(check, case):
    spoil, code, line, words = SPOILED[case]
    (finding,) = check(spoil)
    assert told((finding,)) == [(code, line)]
    assert words in finding.message
    assert finding.severity == "warning"


def test_validation_may_have_a_rest_below_one_lq_pixel(check):
    assert check(lambda at: plant(at / "val_gt", "a.png", size=(33, 17))) == ()


def test_a_rest_in_one_direction_is_no_scale(check):
    """All have the width of the config's scale, and a height far over it: not "x2, and the config says x2"."""
    (finding,) = check(lambda at: plant(at / "val_gt", "a.png", "b.png", "sub/c.png", size=(32, 21)))
    assert finding.code == "pairs-size"


def test_many_are_named_up_to_five_and_then_counted(check):
    (finding,) = check(lambda at: plant(at / "gt", *(f"z{number}.png" for number in range(8))))
    assert "8 GT have no LQ image in lq (z0.png, z1.png, z2.png, z3.png, z4.png and 3 more)" in finding.message


def test_template_names_the_lq_images(check):
    def rename(at: Path) -> None:
        for file in list((at / "lq").rglob("*.*")):
            file.rename(file.with_stem(f"{file.stem}x2"))
        plant(at / "lq", "sparex2.png", size=LQ)

    assert check(rename, "    filename_tmpl: '{}x2'") == ()
    (finding,) = check(lambda at: (at / "lq/ax2.png").unlink(), "    filename_tmpl: '{}x2'")
    assert "without a word" in finding.message


OTHERS = ["BasicSR", "Real-ESRGAN", "neosr", "traiNNer-redux-fork"]


@pytest.mark.parametrize("trainer", OTHERS)
def test_trainers_that_look_for_whole_names_miss_another_ending(check, trainer):
    findings = check(trainer=trainer)
    assert told(findings) == [("pairs-endings", 5), ("pairs-endings", 10)]
    assert f"in 1 of 3 pairs looked at LQ has another ending than GT (b.png, b.jpg): {trainer} " in findings[0].message


@pytest.mark.parametrize("trainer", ["traiNNer-redux", *OTHERS])
def test_two_lq_images_of_one_gt_image(check, trainer):
    def plant_more(at: Path) -> None:
        for phase in ("", "val_"):
            (at / f"{phase}lq/b.jpg").unlink()
            plant(at / f"{phase}lq", "b.png", "a.webp", size=LQ)
            plant(at / f"{phase}gt", "b.bmp")

    finding, _ = (one for one in check(plant_more, trainer=trainer) if one.code == "pairs-doubled")
    assert "2 beside one of the same name and another ending (a.png, b.bmp)" in finding.message
    assert ("counts both folders" in finding.message) == (trainer != "traiNNer-redux")


@pytest.mark.parametrize("trainer", ["traiNNer-redux", *OTHERS])
def test_with_a_template_all_but_one_count_the_images(check, trainer):
    def rename(at: Path) -> None:
        for file in list((at / "lq").rglob("*.*")):
            file.rename(file.with_stem(f"{file.stem}x2").with_suffix(".png"))
        plant(at / "lq", "sparex2.png", size=LQ)

    codes = [code for code, line in told(check(rename, "    filename_tmpl: '{}x2'", trainer)) if line == 5]
    assert codes == ([] if trainer == "traiNNer-redux" else ["pairs-missing-gt"])


@pytest.mark.parametrize("template", ["{}{", "{name}", "fixed", "{0[x]}", "{:>999999999999}"])
def test_template_that_makes_no_name_is_said(check, template):
    assert told(check(more=f"    filename_tmpl: '{template}'")) == [("pairs-template", 5)]


def test_lists_of_roots_pair_one_by_one(check, tmp_path):
    plant(tmp_path / "gt2", "n.png")
    plant(tmp_path / "lq2", "n.png", size=LQ)
    assert check(gt="[gt, gt2]", lq="[lq, lq2]") == ()
    assert told(check(gt="[gt, gt2]", lq="[lq2, lq]"))[0] == ("pairs-missing-lq", 5)
    assert told(check(gt="[gt, gt2]", lq="[lq]")) == [("pairs-roots-differ", 5)]


def test_crop_larger_than_images(check):
    (finding,) = check(more="    gt_size: 18")
    assert told((finding,)) == [("crop-larger-than-images", 7)]
    assert "the GT crop of 18 pixels (9 x scale 2) is larger than 3 of 3 images" in finding.message
    assert "training ends" in finding.message
    assert check(more="    gt_size: 16") == ()


def test_gt_alone_is_checked_for_the_crop_only(check):
    assert check(lq="~") == ()
    (finding,) = check(lq="~", more="    gt_size: 18")
    assert "trainers fill them up" in finding.message


def test_meta_info_restricts_both(check, tmp_path):
    plant(tmp_path / "gt", "spare.png")
    (tmp_path / "meta.txt").write_text("a.png (16,32,3)\n\n", encoding="utf-8")
    assert check(more="    meta_info: meta.txt") == ()
    (tmp_path / "meta.txt").write_text("a.png (16,32,3)\nspare.png\n", encoding="utf-8")
    assert told(check(more="    meta_info: meta.txt")) == [("pairs-missing-lq", 5)]
    assert told(check(more="    meta_info: none.txt")) == [("dataset-unreadable", 7)]


def test_meta_info_may_name_both(check, tmp_path):
    plant(tmp_path / "lq", "else/where.png", size=LQ)
    (tmp_path / "meta.txt").write_text("a.png, else/where.png\n", encoding="utf-8")
    assert check(more="    meta_info: meta.txt") == ()


def test_lmdb_folders_pair_by_key(check, tmp_path):
    lmdb = pytest.importorskip("lmdb")
    for name, keys, size in (("gt.lmdb", "ab", (32, 16)), ("lq.lmdb", "bc", LQ)):
        with lmdb.open(str(tmp_path / name), map_size=1 << 20) as made, made.begin(write=True) as transaction:
            for key in keys:
                content = io.BytesIO()
                Image.new("RGB", size).save(content, "PNG")
                transaction.put(key.encode(), content.getvalue())
        lines = "".join(f"{key}.png ({size[1]},{size[0]},3) 1\n" for key in keys)
        (tmp_path / name / "meta_info.txt").write_text(lines, encoding="utf-8")
    findings = check(gt="gt.lmdb", lq="lq.lmdb")
    assert told(findings) == [("pairs-missing-lq", 5), ("pairs-missing-gt", 5)]
    assert ["(a)" in findings[0].message, "(c)" in findings[1].message] == [True, True]
