"""What the detectors of `analyze-dataset` catch, on photographs that are spoilt in known ways, and what not.

    python benchmarks/curation.py FOLDER... [--photographs 100] [--seed 0] [--folder OUT]

FOLDERs hold good photographs: PNGs count as they are, JPEGs are shrunk first. Prints, for each way of spoiling, the
share of images that are dropped, and dropped or to be looked at, for the reasons that it should give (recall), for
other reasons, and the same for good photographs and for what must not be taken for anything; the precision of each
reason over all sets; then what near duplicates are found. With --folder the images of eighteen kinds, about 350, are
written there as PNG instead, named by their kind, for a look at the page.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import curation_images as kinds
import numpy as np
from curation_images import Kind
from PIL import Image

from autocal_cli.dataset.curation import load_policy, measured_reasons
from autocal_cli.dataset.detectors import find_traces
from autocal_cli.dataset.duplicates import NEAR_BITS, near_groups, turned
from autocal_cli.dataset.facts import perceptual_hash, spread_of
from autocal_cli.dataset.model import ImageFacts, ImageRow

IN_FOLDER = 20  # of each kind


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--photographs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, metavar="OUT")
    arguments = parser.parse_args()
    photos = kinds.photographs(arguments.folders, arguments.photographs, arguments.seed)
    if arguments.folder:
        write_folder(arguments.folder, photos)
        return
    print(f"{len(photos)} photographs, seed {arguments.seed}\n")
    judge_kinds(photos)
    print()
    near_table(photos)


def judge_kinds(photos: Sequence[Image.Image]) -> None:
    print("| images | dropped rightly | dropped or to look at, rightly | dropped for another reason | which |")
    print("|---|---|---|---|---|")
    drops: defaultdict[str, Counter[bool]] = defaultdict(Counter)
    for kind in all_kinds(photos):
        right = some = wrong = 0
        others: Counter[str] = Counter()
        for image in kind.images:
            found = {reason.code: reason.severity for reason in measured_reasons(row_of(image), RULES)}
            dropped = {code for code, severity in found.items() if severity == "drop"}
            right += bool(dropped & kind.expected)
            some += bool(found.keys() & kind.expected)
            wrong += bool(dropped - kind.expected)
            others.update(dropped - kind.expected)
            for code in dropped:
                drops[code][code in kind.expected] += 1
        count = len(kind.images)
        told = ", ".join(f"{code} {number}" for code, number in others.most_common())
        hits = (f"{right / count:.2f}", f"{some / count:.2f}") if kind.expected else ("", "")
        print(f"| {kind.name} ({count}) | {hits[0]} | {hits[1]} | {wrong / count:.2f} | {told} |", flush=True)
    print("\n| reason | dropped rightly | dropped in all | precision |\n|---|---|---|---|")
    for code, counted in sorted(drops.items()):
        total = counted[True] + counted[False]
        print(f"| {code} | {counted[True]} | {total} | {counted[True] / total:.3f} |")


def all_kinds(photos: Sequence[Image.Image]) -> Iterable[Kind]:
    yield Kind("good photographs", frozenset(), photos)
    yield from kinds.never(photos)
    for name, (expected, spoil) in kinds.spoilings().items():
        yield Kind(name, expected, [spoil(photo) for photo in photos])


RULES = load_policy().rules


def row_of(image: Image.Image) -> ImageRow:
    """A row as a scan makes it, as far as measured reasons go."""
    deviation, entropy = spread_of(image.convert("L"))
    facts = ImageFacts("", "", False, False, deviation, entropy, 0, 0.0, find_traces(image))
    return ImageRow(facts, *image.size, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0.0)


def near_table(photos: Sequence[Image.Image]) -> None:
    """How far the hash of a changed picture lies from that of the picture, in its best position."""
    whole = np.array([hash_of(photo) for photo in photos], dtype=np.uint64)
    apart = np.bitwise_count(whole[:, None] ^ whole)[np.triu_indices(len(whole), 1)]
    found = sum(len(group) - 1 for group in near_groups(whole))
    print(f"different photographs: {apart.min()} bits apart or more; {found} of {len(photos)} taken for another one\n")
    print(f"| near duplicates | within {NEAR_BITS} bits |\n|---|---|")
    for name, change in {
        "half size": lambda image: image.resize((image.width // 2, image.height // 2), kinds.Filters.BICUBIC),
        "JPEG 50": lambda image: kinds.jpeg(image, 50),
        "JPEG 10": lambda image: kinds.jpeg(image, 10),
        "flipped": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        "turned by 90 degrees": lambda image: image.transpose(Image.Transpose.ROTATE_90),
        "flipped, turned, half size, JPEG 50": lambda image: kinds.jpeg(
            image.transpose(Image.Transpose.TRANSVERSE).reduce(2), 50
        ),
        "brighter by a fifth": lambda image: image.point(lambda level: min(255, round(level * 1.2))),
        "cropped to 98%": lambda image: kinds.cropped(image, 0.98),
        "cropped to 95%": lambda image: kinds.cropped(image, 0.95),
        "cropped to 90%": lambda image: kinds.cropped(image, 0.90),
    }.items():
        hashes = np.array([hash_of(change(photo)) for photo in photos], dtype=np.uint64)
        bits = np.min([np.bitwise_count(turned(hashes, position) ^ whole) for position in range(8)], axis=0)
        print(f"| {name} | {(bits <= NEAR_BITS).mean():.2f} |", flush=True)


def hash_of(image: Image.Image) -> int:
    longest = max(image.size)
    size = tuple(max(1, round(side * min(1.0, 256 / longest))) for side in image.size)
    return perceptual_hash(image.resize(size, kinds.Filters.BOX).convert("L"))


CHOSEN = (  # of the spoilings, for the folder
    "JPEG 10", "JPEG 30, shifted", "JPEG 50", "x1.5 bicubic", "x2 lanczos", "x3 bilinear", "x4 nearest", "blur 1",
    "blur 2", "noise 12", "noise 20", "sharpened 200%",
)  # fmt: skip


def write_folder(out: Path, photos: Sequence[Image.Image]) -> None:
    """Eighteen kinds: good, twelve spoilt, near duplicates, framed skies, interfaces, pixel art, cut-outs."""
    out.mkdir(parents=True)
    ways = kinds.spoilings()
    shares = [photos[i::18] for i in range(18)]  # of different photographs each, so that no kind doubles another
    for number, name in enumerate(CHOSEN):
        save(out, name, [ways[name][1](photo) for photo in shares[number][:IN_FOLDER]])
    save(out, "good", photos[12::18][:IN_FOLDER])
    copies = photos[13::18][: IN_FOLDER // 2]
    save(out, "near", [*copies, *(photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT).reduce(2) for photo in copies)])
    save(out, "sky", [kinds.framed_sky(seed) for seed in range(IN_FOLDER)])
    save(out, "interface", [kinds.interface(seed) for seed in range(IN_FOLDER)])
    save(out, "pixels", [kinds.pixel_art(seed, 4 + 4 * (seed % 3)) for seed in range(IN_FOLDER)])
    save(out, "cutout", [kinds.cut_out(photo) for photo in shares[17][:IN_FOLDER]])


def save(out: Path, name: str, images: Iterable[Image.Image]) -> None:
    for number, image in enumerate(images):
        image.save(out / f"{name.replace(' ', '_').replace(',', '').replace('%', '')}-{number:02}.png")


if __name__ == "__main__":
    main()
