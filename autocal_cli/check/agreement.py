"""Several keys that must agree: crops, lists and their probabilities, ranges, the model and its data set."""

from __future__ import annotations

import json
import operator
import os
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import PurePath
from typing import Any

from autocal_cli.check.keys import trainer_facts
from autocal_cli.check.model import Checked, numbers_in
from autocal_cli.check.rule import redux, rule, training_set
from autocal_cli.check.trainer_options import options_of
from autocal_cli.config.model import KeyPath, LossTerm, Value
from autocal_cli.errors import Finding, Severity

RANGES = ("_range", "_range2", "blur_sigma", "blur_sigma2")
SECTIONS: tuple[KeyPath, ...] = ((), ("degradations",), ("datasets", "train"))
MANY_WORKERS = 32  # below that a number of workers is nobody's mistake, whatever the machine; chosen
WORKERS_A_CORE = 4  # chosen


@rule(
    "training/crop-conflict [error]: Two sizes of one crop",
    why="The one follows from the other by the scale; traiNNer-redux takes exactly one of them and ends at two.",
    source="traiNNer-redux, train.py: `Exactly one of gt_size or lq_size must be defined in the train dataset`",
    bad=training_set("batch_size_per_gpu: 4\nlq_size: 16\n^gt_size: 32"),
    good=training_set("batch_size_per_gpu: 4\nlq_size: 16"),
)
@rule(
    "training/crop-missing [error]: No size of the crop",
    why="traiNNer-redux takes exactly one of gt_size and lq_size, and ends at none.",
    source="traiNNer-redux, train.py: `Exactly one of gt_size or lq_size must be defined in the train dataset`",
    bad=training_set("batch_size_per_gpu: 4").replace("train:", "^train:", 1),
    good=training_set("batch_size_per_gpu: 4\nlq_size: 16"),
)
@rule(
    "training/crop-not-a-multiple [error]: A crop that is no multiple of the scale",
    why="The crop of the LQ image would not be a whole number of pixels, and the two crops show different parts.",
    source="BasicSR, data/transforms.py: `lq_patch_size = gt_patch_size // scale`; the sizes of output and GT then "
    "differ",
    bad=training_set("batch_size_per_gpu: 4\ngt_size: ^33"),
    good=training_set("batch_size_per_gpu: 4\ngt_size: 32"),
)
def crops(checked: Checked) -> Iterator[Finding]:
    """The side of the training crop."""
    path = ("datasets", "train")
    options, scale = checked.table(*path), checked.config.scale
    gt, lq = checked.amount(*path, "gt_size"), checked.amount(*path, "lq_size")
    if not options or checked.layout.trainer == "neosr":
        return
    if checked.layout.trainer.startswith("traiNNer"):
        if gt is not None and lq is not None:
            message = "`gt_size` and `lq_size` both: traiNNer-redux takes exactly one of them and ends."
            yield checked.finding("crop-conflict", message, "Remove gt_size.", checked.key_at((*path, "gt_size")))
        elif gt is None and lq is None and not {"gt_size", "lq_size", "patch_size", "HR_size"} & set(options):
            message = "The training set says no crop, `lq_size` or `gt_size`: traiNNer-redux ends."
            yield checked.finding("crop-missing", message, "Add `lq_size`, e.g. 64.", checked.key_at(path))
    if scale and gt and gt % scale:
        message, fix = f"`gt_size` is {gt:g}, no multiple of the scale {scale}.", f"Write {int(gt // scale * scale)}."
        yield checked.finding("crop-not-a-multiple", message, fix, (*path, "gt_size"))


@rule(
    "training/augmentations-differ [error]: Augmentations and probabilities that are not as many",
    why="Each augmentation is drawn with its own probability; the trainer ends at the first step where they differ, "
    "also from the default of the other.",
    source="traiNNer-redux, ops/batchaug.py, and neosr, data/augmentations.py: `Length of 'augmentation' and aug_prob "
    "don't match!`",
    bad=redux("use_moa: true", "moa_augs: [none, mixup]", "moa_probs: ^[0.6, 0.2, 0.2]"),
    good=redux("use_moa: true", "moa_augs: [none, mixup]", "moa_probs: [0.6, 0.4]"),
)
@rule(
    "training/augmentations-batch [error]: Augmentations that mix a batch of one image",
    why="They mix the images of a batch with each other.",
    source="traiNNer-redux and neosr: `Augmentations need batch >1 to work.`",
    bad=training_set("batch_size_per_gpu: ^1\nlq_size: 16").replace(
        "  total_iter", "  use_moa: true\n  moa_augs: [none]\n  moa_probs: [1]\n  total_iter"
    ),
    good=training_set("batch_size_per_gpu: 4\nlq_size: 16"),
)
def augmentations(checked: Checked) -> Iterator[Finding]:
    """Mixture of augmentations: as many probabilities, and more than one image."""
    neosr = checked.layout.trainer == "neosr"
    home: KeyPath = ("datasets", "train") if neosr else ("train",)
    names, odds = ((*home, name) for name in (("augmentation", "aug_prob") if neosr else ("moa_augs", "moa_probs")))
    kinds, weights = checked.option(*names), checked.option(*odds)
    if (kinds is None) if neosr else (checked.option("train", "use_moa") is not True):
        return
    augs = kinds if isinstance(kinds, list) else ["none", "mixup", "cutmix", "resizemix"]  # redux_options.py
    number = len(weights) if isinstance(weights, list) else 5
    plain = neosr and augs == ["none"]
    if len(augs) != number and not plain:
        said = "" if isinstance(kinds, list) and isinstance(weights, list) else " (by default)"
        message = f"{len(augs)} augmentations and {number} probabilities{said}: the trainer ends at the first step."
        place = checked.value_at(odds) or checked.value_at(names) or checked.key_at(("train", "use_moa"))
        yield checked.finding("augmentations-differ", message, "Write one for each.", place)
    batches = [(path, value) for path in checked.layout.batch_per_gpu if (value := checked.amount(*path)) is not None]
    if batches and batches[0][1] == 1 and not plain:
        message = "Augmentations mix the images of a batch, and the batch is one image: the trainer ends."
        fix = "Take a larger batch, or no augmentations."
        yield checked.finding("augmentations-batch", message, fix, batches[0][0])


@rule(
    "training/heads-differ [error]: Attention heads that do not fit the network",
    why="Each group of blocks takes its number of heads from the list, and each head an equal part of the width: the "
    "trainer ends where it builds the network, or at the first step.",
    source="the constructors and forward passes of SwinIR, HAT, DAT, SRFormer, RGT, DRCT, HiT-SR, Swin2SR, CRAFT, "
    "FDAT and EMT, tried; it holds for the defaults of all networks in presets/options",
    bad=redux(top="network_d: ~").replace("{type: compact}", "{type: swinir_s, num_heads: ^[6, 6]}"),
    good=redux(top="network_d: ~").replace("{type: compact}", "{type: swinir_s, num_heads: [6, 6, 6, 6]}"),
)
def heads(checked: Checked) -> Iterator[Finding]:
    """Attention heads against the depth and the width of a network, where the config says one of them."""
    network, options = checked.config.network, options_of(checked.layout.trainer)
    entry = options.entry("networks", network.type) if network and options else None
    if entry is None or network is None or "num_heads" not in entry.get("properties", {}):
        return
    usual = {name: one["default"] for name, one in entry["properties"].items() if "default" in one}
    for name in ("num_heads", "depths", "depth"):
        if isinstance(usual.get(name), list) and not isinstance(network.arguments.get(name, []), list):
            message = f"`{name}` should be a list, one number for each group of blocks: the network cannot be built."
            yield checked.finding("heads-differ", message, f"Write a list, e.g. {usual[name]}.", ("network_g", name))
    said = [name for name in ("num_heads", "depths", "depth", "embed_dim", "dim") if name in network.arguments]
    if not said:
        return
    place = next((place for name in said if (place := checked.value_at(("network_g", name)))), None)
    arguments = {**usual, **network.arguments}
    number, groups = arguments["num_heads"], arguments.get("depths", arguments.get("depth"))
    width = arguments.get("embed_dim", arguments.get("dim"))
    if isinstance(number, list) and isinstance(groups, list) and len(number) < len(groups):
        counted = f"`num_heads` has {len(number)} entries and the network {len(groups)} groups of blocks"
        yield checked.finding("heads-differ", f"{counted}: it cannot be built.", f"Write {len(groups)}.", place)
    for one in dict.fromkeys(number if isinstance(number, list) else [number]):
        if isinstance(width, int) and isinstance(one, int) and one > 0 and width % one:
            message = f"{one} heads do not share a width of {width} evenly: the trainer ends at the first step."
            yield checked.finding("heads-differ", message, f"Take a multiple of {one} for the width.", place)


SET = training_set("batch_size_per_gpu: 8\nlq_size: 16")
UNPAIRED = SET.replace("    dataroot_lq: small\n", "").replace("pairedimage", "realesrgan")
OTF = f"high_order_degradation: true\n{UNPAIRED}"


@rule(
    "training/probabilities-differ [error]: A list and its probabilities that are not as many",
    why="Each is drawn with its own weight; Python's random.choices raises where there are more or fewer.",
    source="random.choices: `The number of weights does not match the population`",
    bad="resize_mode_list: [bilinear, bicubic]\nresize_mode_prob: ^[0.5, 0.3, 0.2]\n" + OTF,
    good="resize_mode_list: [bilinear, bicubic]\nresize_mode_prob: [0.5, 0.5]\n" + OTF,
)
@rule(
    "training/range-reversed [error]: A range from high to low",
    why="The low end comes first. numpy's generator, with which traiNNer-redux and neosr draw, raises an error, and so "
    "does torch, which draws the quality of JPEG. BasicSR draws all the same; there it is a warning.",
    source="numpy.random.Generator.uniform: `high - low < 0`; torch.Tensor.uniform_: `expects to return a [from, to)`",
    bad="resize_range: ^[1.5, 0.5]\n" + OTF,
    good="resize_range: [0.5, 1.5]\n" + OTF,
)
@rule(
    "training/kernel-even [error]: Kernels of an even size",
    why="The sizes go up by two from the first of the range, and a blur kernel has a middle: the trainer ends where "
    "it draws the first.",
    source="traiNNer-redux, data/realesrgan_dataset.py and data/degradations.py: `Kernel size must be an odd number.`",
    bad=OTF.replace("lq_size: 16", "lq_size: 16\n    kernel_range: ^[6, 18]"),
    good=OTF.replace("lq_size: 16", "lq_size: 16\n    kernel_range: [5, 17]"),
)
def degradations(checked: Checked) -> Iterator[Finding]:
    """Lists with probabilities and ranges, wherever a trainer keeps its degradations; without them nothing is drawn."""
    for section in SECTIONS if _on_the_fly(checked) else ():
        table = checked.table(*section)
        for key, value in table.items():
            numbers, path = value if isinstance(value, list) else [], (*section, key)
            odds = key.replace("_list", "_prob").replace("_formats", "_weights")  # what goes with a list has its name
            weights = table.get(odds)
            if isinstance(weights, list) and isinstance(value, list) and len(numbers) != len(weights):
                counted = f"`{key}` has {len(numbers)} entries and `{odds}` {len(weights)}"
                message, place = f"{counted}: the trainer ends where it draws.", (*section, odds)
                yield checked.finding("probabilities-differ", message, "Write one for each.", place)
            if "kernel_range" in key and numbers and isinstance(numbers[0], int) and numbers[0] % 2 == 0:
                first = numbers[0]
                message = f"`{key}` begins at {first}, and kernels of an even size have no middle: the trainer ends."
                yield checked.finding("kernel-even", message, f"Begin at {first + 1}.", path)
            low, high = ends if len(ends := numbers_in(value)) == 2 else (1, 1)
            # numpy's Generator, and torch, refuse a range that runs down; numpy's older functions draw all the same.
            refused = not checked.layout.trainer.startswith(("BasicSR", "Real-ESRGAN")) or key.startswith("jpeg_range")
            if key.endswith(RANGES) and low > high:
                message = f"`{key}` runs from high to low{': the trainer ends where it draws' if refused else ''}."
                severity: Severity | None = None if refused else "warning"
                yield checked.finding("range-reversed", message, "Swap the two.", path, severity)
            elif key.startswith("resize_range") and refused:
                up, down, *_ = [*numbers_in(table.get(key.replace("range", "prob"))), 1, 1]
                for way, start, stop, chance in (("enlarging", 1.0, high, up), ("reducing", low, 1.0, down)):
                    if start > stop and chance:
                        message = f"For {way} the trainer draws from {start:g} to {stop:g}, downwards, and ends."
                        fix = f"Write 1 there, or 0 for {way} in `{key.replace('range', 'prob')}`."
                        yield checked.finding("range-reversed", message, fix, path)


@rule(
    "training/queue-not-a-multiple [error]: A queue that is no multiple of the batch",
    why="The pool of training pairs is filled batch by batch; the trainer asserts that it comes out even.",
    source="Real-ESRGAN and traiNNer-redux: `queue size should be divisible by batch size`",
    bad="queue_size: ^100\n" + OTF,
    good="queue_size: 96\n" + OTF,
)
@rule(
    "training/dataset-type-differs [error]: A data set that the model cannot train on",
    why="On-the-fly degradation needs the blur kernels that its own data set draws; other models need the LQ image "
    "that this data set does not give.",
    source="traiNNer-redux, models/__init__.py; Real-ESRGAN, models/realesrgan_model.py; neosr, models/otf.py",
    bad=UNPAIRED.replace("realesrgan", "^realesrgan"),
    good=OTF,
)
def model_and_data(checked: Checked) -> Iterator[Finding]:
    """The model's way of making LQ images, and the type of the training set."""
    path = ("datasets", "train", "type")
    named, trainer = str(checked.option(*path) or ""), checked.layout.trainer
    if not named or ("model_type" not in checked.table() and not trainer.startswith("traiNNer")):
        return
    on_the_fly, kind = _on_the_fly(checked), named.lower()
    if on_the_fly and kind in ("pairedimagedataset", "paired", "singlegtdataset", "realesrganpaireddataset"):
        message = f"The LQ images are to be made from kernels, which {named} does not draw."
        fix = "Write `high_order_degradation: false` if the images are pairs already, or take RealESRGANDataset."
        fix = "Take type otf, or another model." if trainer == "neosr" else fix
        yield checked.finding("dataset-type-differs", message, fix, path)
    elif not on_the_fly and kind in ("realesrgandataset", "otf"):
        message = f"{named} gives no LQ image, and this model makes none."
        fixes = {"neosr": 'Write model_type = "otf".', "BasicSR": "Take a RealESRGANModel."}
        fix = fixes.get(trainer, "Write `high_order_degradation: true`.")
        yield checked.finding("dataset-type-differs", message, fix, path)
    batches = [value for path in checked.layout.batch_per_gpu if (value := checked.amount(*path))]
    queue, per_step = checked.amount("queue_size"), batches[0] if batches else checked.config.batch_size
    if on_the_fly and trainer != "neosr" and queue and per_step and queue % per_step:
        counted = f"queue_size is {queue:g}, no multiple of the batch of {per_step:g}"
        fix = f"Write {int(queue // per_step * per_step) or int(per_step)}."
        message = f"{counted}: the trainer ends at the first step."
        yield checked.finding("queue-not-a-multiple", message, fix, ("queue_size",))


def _on_the_fly(checked: Checked) -> bool:
    """Whether the model makes LQ images itself."""
    model, high_order = str(checked.option("model_type") or ""), checked.option("high_order_degradation")
    if checked.layout.trainer == "neosr":
        return model == "otf"
    if checked.layout.trainer.startswith("traiNNer"):
        return high_order is True
    return model.startswith("RealESR") and high_order is not False


@rule(
    "training/validation-on-training-data [warning]: Validation on what is trained on",
    why="The metric then tells how well the network remembers, and grows while it gets worse on everything else.",
    source="held-out validation, of any textbook",
    bad=SET.replace(
        "\ntrain:", "\n  val: {name: V, type: pairedimagedataset, dataroot_gt: ^images, dataroot_lq: small}\ntrain:"
    ),
    good=SET.replace("\ntrain:", "\n  val: {type: singleimagedataset, name: V, dataroot_lq: small}\ntrain:"),
)
@rule(
    "training/workers-beyond-cores [warning]: Far more loading processes than the machine has cores",
    why="Each holds its own memory and waits for its turn.",
    source="torch.utils.data.DataLoader warns beyond the number of cores; four a core, and 32 in any case, are chosen",
    bad=SET.replace("gpu: 2", "gpu: ^9999"),
    good=SET,
)
def loading(checked: Checked) -> Iterator[Finding]:
    """The sets, and how many processes read them."""

    def folder(path: str) -> str:
        return str(PurePath(path.replace("\\", "/"))).casefold()

    # A list of names, or a partition, may keep images of one folder apart.
    whole = [section for section in checked.config.datasets if section.meta_info is None]
    training = {folder(root.path) for section in whole if section.trains for root in section.gt}
    for section in whole:
        for root in section.gt:
            if not section.trains and folder(root.path) in training:
                message = f"{section.name} validates on {root.path}, which is trained on."
                fix = "Keep a folder of images aside that training never sees."
                yield checked.finding("validation-on-training-data", message, fix, root.place)
    path = ("datasets", "train", "num_worker_per_gpu")
    workers, cores = checked.amount(*path) or 0, os.cpu_count() or 1
    if workers > max(MANY_WORKERS, WORKERS_A_CORE * cores):
        message = f"{workers:,.0f} processes a GPU would load images, on {cores} cores."
        yield checked.finding("workers-beyond-cores", message, f"Write {min(cores, 16)}.", path)


# What stands in presets/trainers.toml as rows.


LOSSES = ("losses", "off")
Term = tuple[KeyPath, str, Any, KeyPath]  # a key, a sign, and a value or another key
COMPARED: dict[str, Any] = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@rule(
    "options/option-conflict [error]: Keys that do not go together",
    why="Each of them may be right by itself; together the trainer ends, or does another thing than they say.",
    source="presets/trainers.toml: the code of each trainer, row by row",
    bad=training_set("batch_size_per_gpu: 4\nlq_size: 16\nprefetch_mode: ^cuda\npin_memory: false"),
    good=training_set("batch_size_per_gpu: 4\nlq_size: 16\nprefetch_mode: cuda\npin_memory: true"),
)
def conflicts(checked: Checked) -> Iterator[Finding]:
    """Every row of the trainer whose terms all hold, for each mapping or loss that its `*` can stand for."""
    read = cache(checked.option)
    for row, terms in _rows(checked.layout.trainer):
        path = terms[0][0]
        stars: Sequence[str | LossTerm] = [""]
        if path[0] in LOSSES:
            stars = [loss for loss in checked.config.losses if loss.active == (path[0] == "losses")]
        elif "*" in path:
            table = _value(read, path[: path.index("*")], "")
            stars = list(table) if isinstance(table, dict) else []
        for star in stars:
            if all(_holds(read, term, star) for term in terms):
                shown = {"value": _value(read, path, star), "name": star}
                keys = tuple(str(star) if one == "*" else one for one in path)
                at = star.place if isinstance(star, LossTerm) else keys
                message, fix = row["message"].format(**shown), row["fix"].format(**shown)
                yield checked.finding("option-conflict", message, fix, at, row.get("severity"))


@cache
def _rows(trainer: str) -> list[tuple[dict[str, Any], list[Term]]]:
    rows = [row for row in trainer_facts()["conflict"] if trainer in row["trainers"]]
    return [(row, [_term(text) for text in row["when"]]) for row in rows]


def _term(text: str) -> Term:
    key, sign, value = text.split(" ", 2)
    if "~" in sign:
        return tuple(key.split(".")), sign, re.compile(value, re.IGNORECASE), ()
    try:
        return tuple(key.split(".")), sign, json.loads(value), ()
    except ValueError:
        return tuple(key.split(".")), sign, None, tuple(value.split("."))


def _value(read: Callable[[str], Value], path: KeyPath, star: str | LossTerm) -> Value:
    if isinstance(star, LossTerm) and path[0] in LOSSES:
        return star.arguments.get(path[-1])
    value = read(path[0])
    for one in path[1:]:
        value = value.get(str(star) if one == "*" else one) if isinstance(value, dict) else None
    return value


def _holds(read: Callable[[str], Value], term: Term, star: str | LossTerm) -> bool:
    """Whether a term holds; words are compared in any case, and two keys only where both are there."""
    path, sign, given, other = term
    value = _value(read, path, star)
    if "~" in sign:
        texts = [str(one) for one in (value if isinstance(value, list) else [value]) if one is not None]
        return any((given.search(text) is not None) == (sign == "~") for text in texts)
    wanted = _value(read, other, star) if other else given
    if other and None in (value, wanted):
        return False
    if sign == "#":
        return isinstance(value, list) and isinstance(wanted, list) and len(value) != len(wanted)
    if sign in COMPARED:
        numbers = numbers_in([value, wanted])
        return len(numbers) == 2 and bool(COMPARED[sign](*numbers))
    alike = type(value) is type(wanted) and str(value).lower() == str(wanted).lower()
    return alike == (sign == "=")
