"""presets/options/<trainer>.json: every key of a trainer's config, and the arguments of what a config names by type.

Facts about the trainers, made by benchmarks/trainer_options.py. JSON Schema, with two words of its own:
`typed: REGISTRY` is a mapping whose `type` names an entry of that registry and whose other keys are the arguments of
that entry; `named: REGISTRY` is such a name alone. `unknown` and `asserted`: what the trainer's code does or demands,
and not its reader, whose words are then not to be quoted; `exact`: it compares with true, so that text is false.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from autocal_cli.check.keys import nearest
from autocal_cli.check.model import Checked
from autocal_cli.check.rule import redux, rule
from autocal_cli.config.model import BLOCK_KEY, KeyPath, TrainingConfig
from autocal_cli.config.trainers import FORK, REDUX, TRAINERS, TrainerLayout
from autocal_cli.errors import AutocalError, Finding, Place
from autocal_cli.packaged import preset_text

Schema = dict[str, Any]

# What one thing is called by different trainers, and was called before: a key from elsewhere has its right name here.
SAME_OPTION: tuple[frozenset[str], ...] = tuple(
    frozenset(names.split())
    for names in (
        "batch_size_per_gpu batch_size",
        "num_worker_per_gpu num_workers n_workers num_worker",
        "lq_size gt_size patch_size HR_size crop_size",
        "ema_decay ema",
        "amp_bf16 bfloat16 use_bf16",
        "total_iter total_iters niter total_iterations max_iter",
        "warmup_iter warmup warm_up warm_up_iter warmup_iters warmup_steps",
        "pretrain_network_g pretrain_model_g pretrained_network_g pretrain_g pretrain_model_G pretrain",
        "pretrain_network_d pretrain_model_d pretrained_network_d pretrain_d pretrain_model_D",
        "accum_iter accumulate accumulation virtual_batch_size",
        "strict_load_g strict_load strict",
        "use_compile compile",
        "perceptual_opt percep_opt feature_opt vgg_opt",
        "mssim_opt ms_ssim_opt ssim_opt msssim_opt",
        "meta_info meta_info_file",
        "num_gpu num_gpus gpus gpu_ids",
        "second_blur_prob blur_prob2 second_blur_probability",
        "moa_augs augmentation augs",
        "moa_probs aug_prob augs_probs",
        "tile_size tile",
        "use_hflip use_flip",
        "milestones steps lr_steps",
        "grad_clip gradclip grad_clip_norm",
        "loss_weight perceptual_weight",
    )
)
# Of those, the names under which the same value means the same.
SAME_VALUE = frozenset(
    {"use_hflip", "use_flip", "ema_decay", "ema", "amp_bf16", "bfloat16", "use_bf16", "use_compile", "compile"}
)


@dataclass(frozen=True, eq=False)
class TrainerOptions:
    """`refuses`: the trainer ends at a key that it does not know, where others pass it by. `case`: types are looked
    up as they are written. `ignored`: keys that published files carry and nothing reads, and why; `earlier`: keys that
    the trainer once had, and the day on which they went."""

    trainer: str
    repository: str
    commit: str
    refuses: bool
    case: bool
    ignored: dict[str, str]
    earlier: dict[str, str]
    root: Schema
    definitions: dict[str, Schema]
    registries: dict[str, dict[str, Schema]]

    def resolved(self, schema: Schema) -> Schema:
        """A schema, or the definition that it refers to."""
        reference = schema.get("$ref")
        return self.definitions[reference.rpartition("/")[2]] if reference else schema

    def entry(self, registry: str, name: str) -> Schema | None:
        """The arguments of what a registry has under a name."""
        return self.registries.get(registry, {}).get(name if self.case else name.lower())

    def others(self) -> Iterator[TrainerOptions]:
        """The options of the other trainers."""
        return (one for layout in TRAINERS if (one := options_of(layout.trainer)) and one is not self)

    @cached_property
    def sections_of(self) -> dict[str, tuple[str, ...]]:
        """Each key, and the paths of the sections in which it is known (`train`, `datasets.train`)."""
        found: dict[str, set[str]] = {}

        def visit(schema: Schema, path: str) -> None:
            schema = self.resolved(schema)
            referred = next((one for one in schema.get("anyOf", ()) if "$ref" in one), None)
            if referred is not None:
                visit(referred, path)
                return
            for key, value in schema.get("properties", {}).items():
                found.setdefault(key, set()).add(path)
                visit(value, f"{path}.{key}".strip("."))

        visit(self.root, "")
        return {key: tuple(sorted(paths)) for key, paths in found.items()}


@cache
def options_of(trainer: str) -> TrainerOptions | None:
    """The options of a trainer, by the name of its layout; None where nothing is known of them."""
    try:
        data = json.loads(preset_text(f"options/{trainer.lower()}.json"))
    except AutocalError:
        return None
    schema = data["schema"]
    definitions = schema["$defs"]
    return TrainerOptions(
        trainer=data["trainer"],
        repository=data["origin"]["repository"],
        commit=data["origin"]["commit"],
        refuses=data["unknown"] == "refused",
        case=data["case"],
        ignored=data["ignored"],
        earlier=data["earlier"],
        root=definitions[schema["$ref"].rpartition("/")[2]],
        definitions=definitions,
        registries=data["registries"],
    )


def config_schema(options: TrainerOptions, block: Schema) -> Schema:
    """JSON Schema (draft 2020-12) of a trainer's config, with the scheduling `block` in its place.

    `typed` and `named` are written out: the arguments of each entry of a registry hold where its type is named. Types
    are completed by an editor; where the trainer looks them up in any case, it takes them in any.
    """
    definitions = {name: _written_out(schema, options) for name, schema in options.definitions.items()}
    for registry, entries in options.registries.items():
        definitions[f"of {registry}"] = _by_type(entries, options)
        definitions[f"name of {registry}"] = _names(entries, options)
    definitions["block"] = {key: value for key, value in block.items() if not key.startswith("$")}
    definitions.update(block.get("$defs", {}))
    train = next(name for name in ("TrainOptions", "train") if name in definitions)
    definitions[train]["properties"][BLOCK_KEY] = {"$ref": "#/$defs/block"}
    for section in definitions.values():
        for key, why in options.ignored.items():
            if section.get("properties") and "io_backend" in section["properties"]:
                section["properties"].setdefault(key, {"deprecated": True, "description": f"No effect: {why}."})
    root = next(name for name, schema in options.definitions.items() if schema is options.root)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A training config of {options.trainer}",
        "$comment": f"From {options.repository}, commit {options.commit}",
        "$ref": f"#/$defs/{root}",
        "$defs": definitions,
    }


def _written_out(schema: Any, options: TrainerOptions) -> Any:
    """A schema without the words of ours."""
    if isinstance(schema, list):
        return [_written_out(one, options) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        key: {name: _written_out(value, options) for name, value in inner.items()}
        if key in ("properties", "patternProperties")
        else _written_out(inner, options)
        for key, inner in schema.items()
        if key not in ("typed", "named", "unknown", "asserted", "exact")
    }
    if "typed" in schema:
        reference = {"$ref": f"#/$defs/of {schema['typed']}"}
        kinds = made.pop("type", "object")
        return {**made, "anyOf": [reference, {"type": "null"}]} if "null" in kinds else {**made, **reference}
    if "named" in schema:
        made["$ref"] = f"#/$defs/name of {schema['named']}"
    return made


def _names(entries: dict[str, Schema], options: TrainerOptions) -> Schema:
    names = {"enum": sorted(entries)}
    return names if options.case else {"anyOf": [names, {"type": "string"}]}


def _by_type(entries: dict[str, Schema], options: TrainerOptions) -> Schema:
    """A mapping with a `type`, and the arguments that each type takes."""
    rules = []
    for name, entry in entries.items():
        one = {"const": name} if options.case else {"pattern": _any_case(name)}
        arguments = {**entry, "properties": {"type": True, **entry.get("properties", {})}}
        arguments.setdefault("additionalProperties", False)
        rules.append({"if": {"properties": {"type": one}, "required": ["type"]}, "then": arguments})
    kinds = _names(entries, options)
    return {"type": "object", "required": ["type"], "properties": {"type": kinds}, "allOf": rules}


def _any_case(name: str) -> str:
    """A pattern for a name in any case.

    >>> _any_case("l1")
    '^[Ll]1$'
    """
    return "^" + "".join(f"[{one.upper()}{one.lower()}]" if one.isalpha() else one for one in name) + "$"


SLIP_OF_MODEL = 0.9  # chosen
# Keys of trainers that are none of these: ESRGAN's and traiNNer's of 2019 to 2022, and what was made of them.
OTHER_TRAINERS: tuple[KeyPath, ...] = (
    ("network_G",),
    ("network_D",),
    ("path", "pretrain_model_G"),
    ("train", "niter"),
    ("train", "lr_steps"),
    ("train", "lr_G"),
    ("datasets", "train", "HR_size"),
    ("datasets", "train", "dataroot_HR"),
)


@rule(
    "options/trainer-unknown [info]: The config of a trainer that autocal does not know",
    why="Only what all trainers share is checked: to judge the keys of one trainer by those of another would be wrong.",
    source="the option files of ESRGAN, victorca25/traiNNer and what was made of them; BasicSR's registry of models",
    bad="^network_G: {type: RRDBNet}\nscale: 4\ntrain:\n  niter: 40000\n  lr_G: 0.0001\n"
    "  losses:\n    - {type: l1loss, loss_weight: 1.0}\n    - {type: mssimloss, loss_weight: 0.5}\n",
    good=redux(),
)
def trainer_unknown(checked: Checked) -> Iterator[Finding]:
    """A config of an older trainer, or of one that was made out of BasicSR and has a model of its own."""
    why = written_for_another(checked)
    if why:
        place, what = why
        message = f"This is written for a trainer that autocal does not know ({what}): its keys were not checked."
        yield Finding("trainer-unknown", "info", message, "--trainer-kind names one that is.", place)


def written_for_another(checked: Checked) -> tuple[Place | None, str] | None:
    """Where a config says that it is for none of the known trainers, and by what; None where it does not."""
    options = options_of(checked.layout.trainer) if checked.layout.language == "yaml" else None
    model, models = str(checked.option("model_type") or ""), options.registries.get("models") if options else None
    for path in OTHER_TRAINERS if not models or model not in models else ():
        if (place := checked.key_at(path)) is not None:
            return place, f"`{'.'.join(path)}`"
    # Many trainers were made out of BasicSR, each with models of its own: RealHATGANModel is no slip.
    if not models or model in ("", *models, *(one.removesuffix("Model") for one in models)):
        return None
    slip = nearest(model, models, SLIP_OF_MODEL) is not None
    return None if slip else (checked.value_at(("model_type",)), f"`model_type: {model}`")


def trainer_of_types(layout: TrainerLayout, config: TrainingConfig) -> TrainerLayout | None:
    """The fork's layout, for a config that is taken for traiNNer-redux' and names what the fork alone has."""
    own = options_of(REDUX.trainer)
    if layout != REDUX or own is None:
        return None
    networks = [one.type for one in (config.network, config.discriminator) if one]
    named = [("losses", loss.type) for loss in config.losses] + [("networks", name) for name in networks]
    foreign = [one for one in named if own.entry(*one) is None]
    fork = options_of(FORK.trainer) if foreign else None
    return FORK if fork and any(fork.entry(*one) is not None for one in foreign) else None
