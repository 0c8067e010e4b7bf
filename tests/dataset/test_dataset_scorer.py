"""A user's own network beside the metrics: what it gets, what it may return, and what is said where it is none."""

from __future__ import annotations

import hashlib

import pytest
import torch
from PIL import Image

from autocal_cli.dataset.curation import judge, load_policy
from autocal_cli.dataset.health import Ledger
from autocal_cli.dataset.scan import scan
from autocal_cli.dataset.scorer import Scorer
from autocal_cli.errors import AutocalError


class Redness(torch.nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image[:, 0] - image[:, 2]  # a map


class Size(torch.nn.Module):
    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.tensor(image.shape[3] + image.shape[2] / 1000), image  # a number, and features beside it


class Fixed(torch.nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image.reshape(1, 3, 64, 64)


class FixedAtOneOfOurs(torch.nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image.reshape(1, 3, 96, 128)


class Endless(torch.nn.Module):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return 1.0 / image.mean() - image.mean() * 0.0


def saved(folder, network: torch.nn.Module):
    path = folder / "network.pt"
    torch.jit.script(network).save(path)
    return path


def plain(size, colour):
    return Image.new("RGB", size, colour)


def test_it_gets_rgb_in_0_to_1_and_the_mean_of_its_map_counts(tmp_path):
    scorer = Scorer(saved(tmp_path, Redness()))
    assert scorer.score(plain((40, 30), (255, 7, 51))) == pytest.approx(0.8)
    assert scorer.file.sha256 == hashlib.sha256((tmp_path / "network.pt").read_bytes()).hexdigest()


@pytest.mark.parametrize(("size", "seen"), [((40, 30), 40.030), ((1024, 512), 512.256), ((300, 900), 171.512)])
def test_the_long_side_is_512_at_most(tmp_path, size, seen):
    assert Scorer(saved(tmp_path, Size())).score(plain(size, "red")) == pytest.approx(seen)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: folder / "gone.pt", "No such file"),
        (lambda folder: written(folder / "text.pt", b"no network"), "no TorchScript file"),
        (lambda folder: saved(folder, Fixed()), r"cannot score an image of shape \(1, 3, 96, 128\)"),
    ],
)
def test_what_is_no_network_for_images_is_refused(tmp_path, make, said):
    with pytest.raises(AutocalError, match=said):
        Scorer(make(tmp_path))


def test_a_network_of_one_size_is_refused_before_the_scan(tmp_path):
    with pytest.raises(AutocalError, match=r"cannot score an image of shape \(1, 3, 160, 96\)"):
        Scorer(saved(tmp_path, FixedAtOneOfOurs()))


def written(path, content):
    path.write_bytes(content)
    return path


def surveyed(folder, scorer, **options):
    ledger = Ledger()
    fingerprint = scan([folder], tolerance=None, on_measured=ledger.take, device="cpu", scorer=scorer, **options)
    return ledger.report(fingerprint)


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "hr"
    folder.mkdir()
    for name, colour in (("blue", (51, 0, 255)), ("red", (255, 0, 51)), ("black", (0, 0, 0))):
        plain((48, 32), colour).save(folder / f"{name}.png")
    return folder


def test_its_scores_stand_beside_ours_with_its_digest(tmp_path, images):
    scorer = Scorer(saved(tmp_path, Redness()))
    report = surveyed(images, scorer)
    assert [row.facts.model for row in report.rows] == pytest.approx([0.0, -0.8, 0.8])
    assert report.fingerprint.model == scorer.file
    assert report.model_scores is not None
    assert (report.model_scores.mean, report.model_scores.median) == pytest.approx((0.0, 0.0), abs=1e-6)
    assert surveyed(images, None).model_scores is None


def test_an_image_that_it_cannot_score_fails_alone(tmp_path, images):
    report = surveyed(images, Scorer(saved(tmp_path, Endless())))
    assert [issue.reason for issue in report.fingerprint.failures] == ["network.pt scores it as inf"]
    assert report.fingerprint.read == 2


def test_what_is_known_of_another_network_is_not_taken(tmp_path, images):
    cache = tmp_path / "cache"
    first = surveyed(images, Scorer(saved(tmp_path, Redness())), cache_folder=cache)
    other = surveyed(images, Scorer(saved(tmp_path, Size())), cache_folder=cache)
    assert [row.facts.model for row in other.rows] == pytest.approx([48.032] * 3)
    assert [row.facts.model for row in first.rows] == pytest.approx([0.0, -0.8, 0.8])


@pytest.mark.parametrize(
    ("like", "thresholds", "simple"),
    [(None, (), []), (None, ("simple=-0.5",), ["blue"]), ("bhi", (), ["black", "blue"])],
)
def test_an_image_is_simple_below_a_bound_of_its_unit(tmp_path, images, like, thresholds, simple):
    report = surveyed(images, Scorer(saved(tmp_path, Redness())))
    found = judge(report.rows, (), {}, None, load_policy(like, thresholds)).by_reason()
    named = found["simple"]["drop"].paths if "simple" in found else ()
    assert list(named) == [str(images / f"{name}.png") for name in simple]


def test_an_onnx_file_scores_alike(tmp_path):
    pytest.importorskip("onnxruntime")
    path = written(tmp_path / "mean.onnx", onnx_mean())
    assert Scorer(path).score(plain((40, 30), (255, 51, 0))) == pytest.approx(0.4, abs=1e-5)
    with pytest.raises(AutocalError, match="cannot be loaded"):
        Scorer(written(tmp_path / "text.onnx", b"no network"))


def onnx_mean() -> bytes:
    """An ONNX network (opset 13) that returns the mean of its input, as protocol buffers."""

    def message(*fields: tuple[int, int | str | bytes]) -> bytes:
        encoded = b""
        for number, value in fields:
            if isinstance(value, int):
                encoded += bytes([number << 3, value])
            else:
                content = value.encode() if isinstance(value, str) else value
                encoded += bytes([number << 3 | 2, len(content)]) + content
        return encoded

    def value(name: str, *sides: int | str) -> bytes:
        shape = message(*((1, message((1 if isinstance(side, int) else 2, side))) for side in sides))
        return message((1, name), (2, message((1, message((1, 1), (2, shape))))))

    keep = message((1, "keepdims"), (3, 0)) + bytes([20 << 3 & 0x7F | 0x80, 20 >> 4, 2])
    node = message((1, "image"), (2, "score"), (4, "ReduceMean"), (5, keep))
    graph = message((1, node), (2, "mean"), (11, value("image", 1, 3, "height", "width")), (12, value("score")))
    return message((1, 8), (7, graph), (8, message((2, 13))))
