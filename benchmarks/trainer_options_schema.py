"""How the options of a trainer are written down by hand, in `trainer_options_basicsr.py` and its like.

One line a key: `key: TYPES`, where TYPES is words divided by `|`: int, float, bool, exact (a bool that the code
compares with true, so that text is false), str, null, list, map, kernel, `"choice"`, `[int]` for a list of them
(`[float 2]` with its length; bounds hold for its items), `@section`, `@registry/NAME` for a mapping with a `type` of
that registry. `!` after the key: the trainer ends without it. `=VALUE` at the end: the default. `<` and `>` bounds:
`>=0`, `>0`, `<=1`, `<1`. A line `if KEY A B: c d` says which keys are needed beside others.
"""

from __future__ import annotations

import json
import re
from typing import Any

Schema = dict[str, Any]
KINDS = {"int": "integer", "float": "number", "bool": "boolean", "str": "string", "null": "null", "map": "object"}
# data/degradations.py of all of them: any other name gives no kernel at all
KERNEL = {"enum": ["iso", "aniso", "generalized_iso", "generalized_aniso", "plateau_iso", "plateau_aniso"]}
BOUNDS = {">=": "minimum", ">": "exclusiveMinimum", "<=": "maximum", "<": "exclusiveMaximum"}
LINE = re.compile(
    r"(?P<key>[\w.*$^()|\\+?]+)(?P<needed>!?): (?P<types>[^=<>]+?)"
    r"(?P<bounds>(?: [<>]=?[-\d.]+)*)(?: =(?P<default>.+))?$"
)


def section(text: str) -> Schema:
    """The lines of a section as a JSON Schema of one mapping."""
    properties: Schema = {}
    patterns: Schema = {}
    required = []
    rules = []
    for line in filter(None, (one.split("#")[0].rstrip() for one in text.strip().splitlines())):
        if line.startswith("if "):
            rules.append(rule(line))
            continue
        found = LINE.match(line.strip())
        if found is None:
            raise ValueError(line)
        key = found["key"]
        made = _types(found["types"].strip())
        for sign, number in re.findall(r"([<>]=?)([-\d.]+)", found["bounds"] or ""):
            made.get("items", made)[BOUNDS[sign]] = json.loads(number)
        if found["default"] is not None:
            made["default"] = json.loads(found["default"])
        if key.startswith("^"):
            patterns[key] = made
        else:
            properties[key] = made
        if found["needed"]:
            required.append(key)
    schema: Schema = {"type": "object", "properties": properties}
    if patterns:
        schema["patternProperties"] = patterns
    schema["additionalProperties"] = False
    if required:
        schema["required"] = required
    if rules:
        schema["allOf"] = rules
    return schema


def rule(line: str) -> Schema:
    """`if KEY A B and OTHER true: c d e`: where KEY is A or B, and OTHER, if it is there at all, is true, the trainer
    ends without c, d and e."""
    head, _, needed = line.removeprefix("if ").partition(":")
    first, *others = (clause.split() for clause in head.split(" and "))
    conditions = {key: {"enum": values} for key, *values in [first]}
    conditions |= {key: {"enum": [json.loads(value) for value in values]} for key, *values in others}
    return {"if": {"properties": conditions, "required": [first[0]]}, "then": {"required": needed.split()}}


def _types(text: str) -> Schema:
    kinds: list[str] = []
    made: Schema = {}
    choices: list[Any] = []
    for word in (one.strip() for one in text.split("|")):
        if word.startswith("@"):
            place = word[1:]
            registry, _, name = place.partition("/")
            if registry != "registry":
                made["$ref"] = f"#/$defs/{place}"
            elif name in ("models", "datasets"):
                made.update({"type": "string", "named": name})
            else:
                made["typed"] = name
        elif word.startswith('"'):
            choices.append(json.loads(word))
        elif word.startswith("["):
            inner = word.strip("[]").split()
            kinds.append("array")
            made["items"] = _types(inner[0]) if len(inner) > 0 and inner[0] else {}
            if len(inner) > 1:
                made["minItems"] = made["maxItems"] = int(inner[1])
        elif word == "list":
            kinds.append("array")
        elif word == "exact":
            kinds.append("boolean")
            made["exact"] = True
        elif word == "kernel":
            made.update(KERNEL)
        else:
            kinds.append(KINDS[word])
    if choices and kinds:
        made["anyOf"] = [{"enum": choices}, *({"type": kind} for kind in kinds)]
    elif choices:
        made["enum"] = choices
    elif "$ref" in made and kinds:
        made = {"anyOf": [{"$ref": made["$ref"]}, *({"type": kind} for kind in kinds)]}
    elif kinds:
        made["type"] = kinds[0] if len(kinds) == 1 else kinds
    return made


def keys_in(text: str) -> str:
    """The keys of a section, divided by blanks, as a rule names them."""
    return " ".join(line.partition(":")[0] for line in text.split("\n") if line)


# What the trainers' optimisers and schedules demand.

TORCH_OPTIMIZERS = "torch.optim:Adam,AdamW,Adamax,SGD,ASGD,RMSprop,Rprop"
_BETA = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
_OPTIMIZER_FACTS = {
    "lr": {"type": "number", "$replace": True},  # its bounds: check/schedules.py
    "betas": {"type": "array", "minItems": 2, "maxItems": 2, "items": _BETA},
    "weight_decay": {"type": "number", "minimum": 0},
    "eps": {"type": "number", "minimum": 0},
}


def optimizers(names: str, needed: bool, three: tuple[str, ...] = ()) -> Schema:
    facts: Schema = {}
    for name in names.split():
        properties = {key: dict(value) for key, value in _OPTIMIZER_FACTS.items()}
        if name.lower() in ("sgd", "asgd", "rmsprop", "rprop"):
            properties.pop("betas")
        if name in three:
            properties["betas"] = {"type": "array", "minItems": 3, "maxItems": 3, "items": _BETA}
        facts[name] = {"properties": properties, **({"required": ["lr"]} if needed else {})}
    return facts


RESTART = {
    "properties": {
        "restart_weights": {"type": "array"},
        "periods": {"type": "array"},
        "eta_min": {"type": "number", "$replace": True},
    }
}
FALLING = {"properties": {"gamma": {"type": "number", "$replace": True, "exclusiveMinimum": 0, "maximum": 1}}}
STEPS = {"properties": {"milestones": {"type": "array", "items": {"type": "number"}}, **FALLING["properties"]}}
