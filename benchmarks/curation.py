"""What the detectors of `analyze-dataset` catch, on photographs that are spoilt in known ways, and what not.

    python benchmarks/curation.py FOLDER... [--photographs 100] [--seed 0] [--shrunk 0.7] [--folder OUT]

FOLDERs hold good photographs: PNGs count as they are, JPEGs are shrunk first to a share of their sides. Prints, for
each way of spoiling, the share of images that are dropped, and dropped or to be looked at, for the reasons that it
should give (recall), for other reasons, and the same for good photographs and for what must not be taken for anything;
the precision of each reason over all sets; then drops and recall among square tiles, as trainings have them; then what
near duplicates are found, what is caught of pairs of GT and LQ images that one in ten is spoilt of, and which kernels
are named. With --only the one table. With --folder the images of eighteen kinds, about 350, are written there as PNG
instead, named by their kind, for a look at the page.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path

import curation_images as kinds
import numpy as np
from curation_images import Kind
from PIL import Image

from autocal_cli.dataset.alignment import measure_pair
from autocal_cli.dataset.curation import judge, load_policy, measured_reasons
from autocal_cli.dataset.duplicates import NEAR_BITS, near_groups, turned
from autocal_cli.dataset.facts import NATIVE_CROP, find_traces, native_sharpness, perceptual_hash, spread_of
from autocal_cli.dataset.model import ImageFacts, ImageRow, Severity, Traces

IN_FOLDER = 20  # of each kind


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--photographs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shrunk", type=float, default=kinds.SHRUNK)
    parser.add_argument("--folder", type=Path, metavar="OUT")
    parser.add_argument("--only", choices=TABLES, action="append")
    arguments = parser.parse_args()
    photos = kinds.photographs(arguments.folders, arguments.photographs, arguments.seed, arguments.shrunk)
    if arguments.folder:
        write_folder(arguments.folder, photos)
        return
    print(f"{len(photos)} photographs, seed {arguments.seed}")
    for name in arguments.only or TABLES:
        print()
        TABLES[name](photos)


def judge_kinds(photos: Sequence[Image.Image]) -> None:
    print("| images | dropped rightly | dropped or to look at, rightly | dropped for another reason | which |")
    print("|---|---|---|---|---|")
    drops: defaultdict[str, Counter[bool]] = defaultdict(Counter)
    for kind in all_kinds(photos):
        right = some = wrong = 0
        others: Counter[str] = Counter()
        for image in kind.images:
            found = judged(image)
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


SIDES = (128, 256, 512)
OF_EACH = 4  # tiles at most, of each photograph and side
TILED = (
    "JPEG 30", "JPEG 50", "JPEG 50, shifted", "JPEG 70", "x1.5 nearest", "x2 nearest", "x1.5 bicubic", "x1.5 lanczos",
    "x2 bicubic", "x2 lanczos", "x3 bicubic", "blur 1", "blur 2", "noise 12", "noise 20", "sharpened 200%",
)  # fmt: skip


def tile_table(photos: Sequence[Image.Image]) -> None:
    """Of good photographs and drawings the tiles that are dropped, with the reasons; of spoilt ones those dropped
    rightly / dropped or to be looked at.
    """
    print(f"| tiles of | {' | '.join(map(str, SIDES))} |\n|---{'|---' * len(SIDES)}|")
    for kind in (Kind("good photographs", frozenset(), photos), *kinds.drawings()):
        print(f"| {kind.name} | {' | '.join(wrong_drops(kind.images, side) for side in SIDES)} |", flush=True)
    for name in TILED:
        expected, spoil = kinds.spoilings()[name]
        spoilt = [spoil(photo) for photo in photos]
        print(f"| {name} | {' | '.join(right_drops(spoilt, side, expected) for side in SIDES)} |", flush=True)


def wrong_drops(images: Sequence[Image.Image], side: int) -> str:
    found = [judged(tile) for image in images for tile in kinds.tiles(image, side, OF_EACH)]
    if not found:
        return ""
    counts = Counter(code for reasons in found for code, severity in reasons.items() if severity == "drop")
    told = "".join(f", {code} {number}" for code, number in counts.most_common())
    return f"{np.mean(['drop' in reasons.values() for reasons in found]):.3f} of {len(found)}{told}"


def right_drops(images: Sequence[Image.Image], side: int, expected: frozenset[str]) -> str:
    tiles = (judged(tile) for image in images for tile in kinds.tiles(image, side, OF_EACH))
    found = [{reasons.get(code) for code in expected} for reasons in tiles]
    if not found:
        return ""
    dropped, some = (np.mean([bool(one & levels) for one in found]) for levels in ({"drop"}, {"drop", "look"}))
    return f"{dropped:.2f} / {some:.2f}"


POLICY = load_policy()
RULES = POLICY.rules


def row_of(image: Image.Image) -> ImageRow:
    """A row as a scan makes it, as far as measured reasons go."""
    deviation, entropy = spread_of(image.convert("L"))
    sharpness = native_sharpness(image, NATIVE_CROP)
    facts = ImageFacts("", "", False, False, deviation, entropy, 0, sharpness, find_traces(image))
    return ImageRow(facts, *image.size, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0.0)


def judged(image: Image.Image) -> dict[str, Severity]:
    return {reason.code: reason.severity for reason in measured_reasons(row_of(image), RULES)}


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


def kept_table(photos: Sequence[Image.Image]) -> None:
    """How often the original stays beside one copy of it, as `judge` chooses; JPEGs as the files that they are."""
    lossy = {"JPEG 95": 95, "JPEG 75": 75, "JPEG 50": 50}
    copies: dict[str, Callable[[Image.Image], Image.Image]] = {
        f"of {times:g} times the size, {how}": partial(scaled, times=times, how=kinds.RESAMPLING[how])
        for times in (2.0, 1.5, 1.25, 1.1, 0.9, 0.75, 0.5)
        for how in ("bilinear", "bicubic", "lanczos")
    }
    copies |= {name: partial(kinds.jpeg, quality=quality) for name, quality in lossy.items()}
    copies |= {
        "JPEG 75, saved losslessly": copies["JPEG 75"],
        "blurred by 1": lambda image: kinds.blurred(image, 1.0),
        "noise of 3 levels": lambda image: kinds.noisy(image, 3.0),
        "noise of 6 levels": lambda image: kinds.noisy(image, 6.0),
        "sharpened by 100%": lambda image: kinds.sharpened(image, 100),
        "grey": lambda image: image.convert("L").convert("RGB"),
        "of 16 colours": lambda image: image.quantize(16).convert("RGB"),
        "black and white dots": lambda image: image.convert("1").convert("RGB"),
    }
    rows = map(row_of, photos)
    originals = [replace(row, facts=replace(row.facts, path="b")) for row in rows]  # "a" would stay if all were equal
    print("| copy | the original stays |\n|---|---|")
    for name, change in copies.items():
        stays = 0
        for photo, original in zip(photos, originals, strict=True):
            copy = row_of(image := change(photo))
            loss = image.width * image.height / size_as_jpeg(photo, lossy[name]) if name in lossy else 0.0
            grey = name in ("grey", "black and white dots")
            named = replace(copy, facts=replace(copy.facts, path="a", loss=loss, grey=grey))
            judged = judge([named, original], (), {"duplicate": [[0, 1]]}, None, POLICY)
            stays += judged.same["duplicate"][0][0] == 1
        print(f"| {name} | {stays / len(photos):.2f} |", flush=True)


def scaled(image: Image.Image, times: float, how: kinds.Filters) -> Image.Image:
    return image.resize((round(image.width * times), round(image.height * times)), how)


def size_as_jpeg(image: Image.Image, quality: int) -> int:
    """In bytes."""
    file = BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.tell()


def hash_of(image: Image.Image) -> int:
    longest = max(image.size)
    size = tuple(max(1, round(side * min(1.0, 256 / longest))) for side in image.size)
    return perceptual_hash(image.resize(size, kinds.Filters.BOX).convert("L"))


SETS: dict[str, tuple[int, kinds.Reducing]] = {
    "x2, bicubic": (2, kinds.REDUCINGS["bicubic"]),
    "x4, bicubic": (4, kinds.REDUCINGS["bicubic"]),
    "x4, upper left pixel": (4, kinds.REDUCINGS["nearest, upper left"]),
    "x4, bicubic, JPEG 75": (4, lambda image, scale: kinds.jpeg(kinds.REDUCINGS["bicubic"](image, scale), 75)),
}
PAIR_REASONS = frozenset({"pair-size", "pair-shift", "pair-stretch", "pair-content", "pair-colour", "pair-kernel"})


def pair_table(photos: Sequence[Image.Image]) -> None:
    """Sets of pairs, one in ten spoilt in one way: the spoilt caught, and the sound ones suspected."""
    found = {name: pair_counts(photos, *made) for name, made in SETS.items()}
    print("of the spoilt: dropped / dropped or to look at, for the reason that it should give")
    print(f"| one in ten is | {' | '.join(SETS)} |\n|---{'|---' * len(SETS)}|")
    for fault in kinds.PAIR_FAULTS:
        print(f"| {fault} | {' | '.join(found[name][fault] for name in SETS)} |")
    print(
        "\nof the sound ones in all these sets: dropped / dropped or to look at, for any reason of pairs\n"
        f"| {' | '.join(SETS)} |"
    )
    print(f"{'|---' * len(SETS)}|\n| {' | '.join(found[name]['sound'] for name in SETS)} |")


def pair_counts(photos: Sequence[Image.Image], scale: int, reduce: kinds.Reducing) -> dict[str, str]:
    gts = [photo.crop((0, 0, photo.width // scale * scale, photo.height // scale * scale)) for photo in photos]
    sound = [pair_row(number, gt, reduce(gt, scale), scale) for number, gt in enumerate(gts)]
    told, wrong = {}, np.zeros(3)
    for fault, (code, spoil) in kinds.PAIR_FAULTS.items():
        spoilt = [
            pair_row(number, gt, spoil(gt, gts[number - 1], scale, reduce), scale)
            for number, gt in enumerate(gts)
            if number % 10 == 0
        ]
        rows = [spoilt[number // 10] if number % 10 == 0 else row for number, row in enumerate(sound)]
        judged = judge(rows, (), {}, None, POLICY).reasons
        caught = [{one.severity for one in judged.get(row.facts.path, ()) if one.code == code} for row in spoilt]
        told[fault] = f"{np.mean(['drop' in one for one in caught]):.2f} / {np.mean([bool(one) for one in caught]):.2f}"
        for number, row in enumerate(sound):
            if number % 10:
                reasons = {one.severity for one in judged.get(row.facts.path, ()) if one.code in PAIR_REASONS}
                wrong += ("drop" in reasons, bool(reasons), 1)
    told["sound"] = f"{wrong[0] / wrong[2]:.4f} / {wrong[1] / wrong[2]:.4f}"
    return told


def pair_row(number: int, gt: Image.Image, lq: Image.Image, scale: int) -> ImageRow:
    pair = measure_pair(gt, lq, "lq", scale)
    facts = ImageFacts(str(number), "", False, False, 0.2, 7.0, 0, 0.1, Traces(), pair=pair)
    return ImageRow(facts, *gt.size, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0.0)


AFTERWARDS: dict[str, kinds.Spoiling] = {
    "nothing": lambda image: image,
    "JPEG 90": lambda image: kinds.jpeg(image, 90),
    "JPEG 75": lambda image: kinds.jpeg(image, 75),
    "noise 5": lambda image: kinds.noisy(image, 5),
    "blur 1": lambda image: kinds.blurred(image, 1),
}


def kernel_table(photos: Sequence[Image.Image]) -> None:
    """How often the kernel that reduced an image is named, rightly and wrongly, over all kernels and x2 to x4."""
    print("| done to LQ afterwards | kernel named rightly | wrongly |\n|---|---|---|")
    for done, change in AFTERWARDS.items():
        named = Counter[str]()
        for kernel, reduce in kinds.REDUCINGS.items():
            for scale in (2, 3, 4):
                for photo in photos:
                    gt = photo.crop((0, 0, photo.width // scale * scale, photo.height // scale * scale))
                    found = measure_pair(gt, change(reduce(gt, scale)), "").kernel
                    named["right" if found == kernel else "wrong" if found else "none"] += 1
        print(f"| {done} | {named['right'] / named.total():.3f} | {named['wrong'] / named.total():.4f} |", flush=True)


TABLES = {
    "kinds": judge_kinds,
    "tiles": tile_table,
    "near": near_table,
    "kept": kept_table,
    "pairs": pair_table,
    "kernels": kernel_table,
}


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
