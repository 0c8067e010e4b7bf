"""Every key of a config against what its trainer knows: unknown keys, types, choices, bounds, what is missing.

The facts stand in presets/options/ (`trainer_options`). What the trainer does about a mistake is said as it would.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from autocal_cli.check.keys import NEAR, NUMBER, SURE, nearest
from autocal_cli.check.model import Checked
from autocal_cli.check.rule import basicsr, redux, rule
from autocal_cli.check.trainer_options import (
    SAME_OPTION,
    SAME_VALUE,
    Schema,
    TrainerOptions,
    options_of,
    written_for_another,
)
from autocal_cli.config.model import BLOCK_KEY, Scalar
from autocal_cli.config.yaml.document import (
    MappingNode,
    Node,
    Pair,
    ScalarNode,
    SequenceNode,
    pairs_of,
    quoted,
    read_scalar,
)
from autocal_cli.config.yaml.scalars import write_scalar
from autocal_cli.errors import AutocalError, Finding, Place, Severity, listed
from autocal_cli.network.table import BUILT_IN, Role, find_line
from autocal_cli.network.table import NAME as TABLE

MOST_GUESSES = 100  # unknown keys of a file for which a right one is looked for; more are no slips
FEW = 3  # misplaced keys of one mapping that are told one by one; chosen
EXCERPT = 3  # sections of the top level that a text lacks: from here on it is an excerpt, no config; chosen
ROLES: tuple[Role, ...] = ("generator", "discriminator")
# What a value is, as JSON Schema, msgspec and people call it.
KINDS = {
    "integer": ("int", "a whole number"),
    "number": ("float", "a number"),
    "boolean": ("bool", "true or false"),
    "string": ("str", "text"),
    "array": ("array", "a list"),
    "object": ("object", "a mapping"),
    "null": ("null", "empty"),
}
KIND_OF = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
BOUNDS = {
    "minimum": (operator.lt, "at least"),
    "exclusiveMinimum": (operator.le, "above"),
    "maximum": (operator.gt, "at most"),
    "exclusiveMaximum": (operator.ge, "below"),
}
WHAT_IS_NAMED = {
    "losses": "loss",
    "optimizers": "optimiser",
    "schedulers": "scheduler",
    "datasets": "data set",
    "metrics": "metric",
    "networks": "architecture",
    "models": "model",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding and, where there is no doubt about the cure, the key or value at `node` and what it should be."""

    finding: Finding
    node: ScalarNode | None = None
    cure: Scalar = None


@rule(
    "options/option-unknown [error]: A key that the trainer does not know",
    why="traiNNer-redux refuses a config with a key that it does not declare, and a constructor, of any trainer, an "
    "argument that it does not have. BasicSR, Real-ESRGAN and neosr never ask for any other key, so that what was "
    "meant does not happen and nothing says so; there it is a warning, as is a key that an earlier version of the "
    "trainer had or a later one may have. --fix mends what one key alone can have meant.",
    source="presets/options: the trainers' own structs, or what their code reads",
    fixable=True,
    bad=redux("^warm_up_iter: 1000"),
    good=redux("warmup_iter: 1000"),
)
@rule(
    "options/option-ignored [info]: A key of published configs that nothing reads",
    why="It does no harm and has no effect.",
    source="presets/options, `ignored`: searched for in the trainer's code",
    trainer="BasicSR",
    bad=basicsr(
        top="datasets:\n  val: {name: Val, type: SingleImageDataset, ^use_shuffle: true, dataroot_lq: images, "
        "io_backend: {type: disk}}\nval: {val_freq: 1000, save_img: false}"
    ),
    good=basicsr(),
)
@rule(
    "options/option-type [error]: A value of the wrong type",
    why="The trainer ends where it reads the value, or where it first reckons with it; others take text in quotes for "
    "true, or for false. --fix mends a number, or true and false, in quotes.",
    source="presets/options",
    fixable=True,
    bad=redux("ema_decay: ^often"),
    good=redux("ema_decay: 0.999"),
)
@rule(
    "options/option-choice [error]: A value that is none of the choices",
    why="The trainer takes one of a few words here and ends at any other.",
    source="presets/options: declared, or refused in the code of what is built",
    bad=redux("losses:\n    - {type: colorloss, loss_weight: 1.0, criterion: ^l3}"),
    good=redux("losses:\n    - {type: colorloss, loss_weight: 1.0, criterion: l2}"),
)
@rule(
    "options/option-range [error]: A value out of range",
    why="The number cannot be meant: a probability above 1, a batch of no image, a list of another length.",
    source="presets/options",
    bad=redux("optim_g: {type: Adan, lr: 0.0001, betas: ^[0.9, 0.99]}"),
    good=redux("optim_g: {type: Adan, lr: 0.0001, betas: [0.98, 0.92, 0.99]}"),
)
@rule(
    "options/option-missing [error]: A key that the trainer cannot do without",
    why="The trainer ends where it reads it: at once, or at the first step that needs it.",
    source="presets/options",
    bad=redux("^scheduler: {type: MultiStepLR, gamma: 0.5}"),
    good=redux("scheduler: {type: MultiStepLR, milestones: [20000], gamma: 0.5}"),
)
@rule(
    "options/type-unknown [error]: A type that the trainer does not have",
    why="Losses, optimisers, schedulers, data sets, metrics and networks are looked up by their type; where there is "
    "none the trainer ends, with metrics not before the first validation. Where nothing alike is known it is a "
    "warning, since you may have added it.",
    source="presets/options: the trainers' registries",
    bad=redux("scheduler: {type: ^MultiStepsLR, milestones: [20000]}"),
    good=redux("scheduler: {type: MultiStepLR, milestones: [20000]}"),
)
def option_findings(checked: Checked) -> Iterator[Finding]:
    """All that is wrong with the keys of a config, by the options of its trainer."""
    for problem in option_problems(checked):
        yield problem.finding


def option_problems(checked: Checked) -> list[Problem]:
    """The same, with the cures that are beyond doubt."""
    options = options_of(checked.layout.trainer)
    if options is None or written_for_another(checked):
        return []
    walk = _Walk(checked, options)
    walk.mapping(checked.document.root, options.root, "", None)
    return _gathered(walk.problems)


class _Walk:
    """Goes through a config beside the schema of its trainer and notes what does not fit."""

    def __init__(self, checked: Checked, options: TrainerOptions) -> None:
        self.checked, self.document, self.options = checked, checked.document, options
        self.problems: list[Problem] = []
        self.guesses = 0
        self.scalars: dict[Node, Scalar] = {}  # each is asked for several times, and read once
        self.declared = options.refuses  # whether it is the trainer's reader that ends, and not its code

    def note(
        self, code: str, message: str, fix: str | None, at: Node | Place | None, severity: Severity | None = None
    ) -> None:
        place = self.document.place(at.start) if isinstance(at, Node) else at
        self.problems.append(Problem(self.checked.finding(code, message, fix, place, severity)))

    def cured(self, node: Node, cure: Scalar) -> None:
        """What was noted last is mended by writing `cure` at `node`."""
        if isinstance(node, ScalarNode):
            self.problems[-1] = replace(self.problems[-1], node=node, cure=cure)

    def says(self, words: str, path: str, declared: bool = True) -> str:
        """How the trainer ends, in the words of its reader where that is what ends it."""
        if not (self.declared and declared):
            return f"{self.options.trainer} ends."
        path = re.sub(r"\b(datasets|metrics)\.\w+", r"\1[...]", path)  # as it writes the keys of free mappings
        return f"{self.options.trainer} ends: {words}{f' - at `$.{path}`' if path else ''}."

    def scalar(self, node: Node | None) -> Scalar:
        target = self.document.follow(node) if node is not None else None
        if not isinstance(target, ScalarNode):
            return None
        if target not in self.scalars:
            self.scalars[target] = read_scalar(self.document, target)
        return self.scalars[target]

    def left_out(self, node: Node) -> bool:
        return isinstance(self.document.follow(node), ScalarNode) and self.scalar(node) is None

    def mapping(self, node: MappingNode, schema: Schema, path: str, at: Node | Place | None, typed: str = "") -> None:
        """The keys of one mapping: those unknown, those missing, and the value of each other."""
        properties: Mapping[str, Schema] = schema.get("properties", {})
        pairs = pairs_of(self.document, node)
        missing = [key for key in self.required(schema, pairs) if key not in pairs or self.left_out(pairs[key].value)]
        told: set[str | None] = set()  # missing keys that stand there misspelt
        names = schema.get("propertyNames", {}).get("enum")
        for key, pair in pairs.items():
            known = properties[key] if key in properties else _by_pattern(schema, key)
            if key == BLOCK_KEY:  # told by the checks of the block
                continue
            if known is not None:
                self.value(pair.value, known, _at(path, key), pair.key)
            elif (typed or schema.get("additionalProperties") is False) and isinstance(pair.key, ScalarNode):
                told.add(self.unknown_key(pair.key, pair.value, schema, path, pairs, missing, typed))
            if names and key not in names:  # keys that are names of something, e.g. of the layers of a network
                near = nearest(key, names, NEAR)
                alike = difflib.get_close_matches(key, names, 5, NEAR) or names
                fix = f"Did you mean `{near}`?" if near else f"Known: {listed(alike)}."
                self.note("option-choice", f"`{key}` is none of the names known here.", fix, pair.key)
        missing = [key for key in missing if key not in told]
        always = [key for key in missing if key in schema.get("required", ())]
        by_kind = [key for key in missing if key not in always]  # a data set's, a model's
        if not path and len(always) >= EXCERPT:
            always = [key for key in always if key == "scale"]
        for keys in [*([key] for key in always), *([by_kind] if len(by_kind) > FEW else ([key] for key in by_kind))]:
            alike = [pairs[one] for names in SAME_OPTION if keys[0] in names for one in names if one in pairs]
            declared = keys[0] not in (*schema.get("asserted", ()), *by_kind)
            self.missing(keys, path, alike[0].key if alike else at or node, typed, declared)

    def required(self, schema: Schema, pairs: Mapping[str, Pair]) -> list[str]:
        """What a mapping must have, by itself and by what stands in it."""

        def holds(key: str, values: Sequence[object]) -> bool:
            value = self.scalar(pairs[key].value)
            return (value.lower() if isinstance(value, str) and not self.options.case else value) in values

        needed = list(schema.get("required", ()))
        for one in schema.get("allOf", ()):
            conditions, certain = one["if"]["properties"].items(), one["if"]["required"]
            if all(holds(key, rule["enum"]) if key in pairs else key not in certain for key, rule in conditions):
                needed += one["then"]["required"]
        return list(dict.fromkeys(needed))

    def unknown_key(
        self,
        key: ScalarNode,
        value: Node,
        schema: Schema,
        path: str,
        present: Mapping[str, object],
        missing: Sequence[str],
        typed: str,
    ) -> str | None:
        """Notes a key that nothing knows; gives the key that it was meant for."""
        name, options = key.value, self.options
        if name in options.ignored and not typed:
            message = f"`{_at(path, name)}` has no effect: {options.ignored[name]}."
            self.note("option-ignored", message, "Remove it.", key)
            return None
        free = [one for one in schema.get("properties", {}) if one not in present]
        self.guesses += 1
        right, sure = self.meant(name, free, missing, typed) if self.guesses <= MOST_GUESSES else (None, False)
        if typed:
            ends = schema.get("additionalProperties") is not True
            what = f"`{name}` is no argument of this {WHAT_IS_NAMED[typed]}"
            deed = f"{options.trainer} ends: unexpected keyword argument '{name}'." if ends else "it is ignored."
        else:
            ends = options.refuses and schema.get("unknown") != "ignored"
            what = f"`{_at(path, name)}` is no option of {options.trainer}"
            words = f"Object contains unknown field `{name}`"
            deed = self.says(words, path, "unknown" not in schema) if ends else "nothing reads it."
        certain = True
        if right in missing and not ends:
            deed, ends = f"{options.trainer} ends: KeyError '{right}'.", True
        elif not typed and name in options.earlier:  # a checkout of before still takes it
            what, certain = f"{what} since {options.earlier[name]}", False
        elif ends and not right and not self.of_this_version(name, schema, typed):
            what, certain = f"{what} (as of commit {options.commit[:8]})", False
        fix = f"Did you mean `{right}`?" if right else self.elsewhere(name, typed)
        self.note("option-unknown", f"{what}: {deed}", fix, key, "error" if ends and certain else "warning")
        if right and sure and self.accepts(value, schema["properties"][right]):
            self.cured(key, right)
        return right

    def meant(self, name: str, free: Sequence[str], missing: Sequence[str], typed: str) -> tuple[str | None, bool]:
        """The key that a wrong one stands for, and whether that is beyond doubt."""
        for names in SAME_OPTION:
            same = [one for one in free if one in names and name in names]
            if same:
                sure = len(same) == 1 and {name, same[0]} <= SAME_VALUE
                return next((one for one in same if one in missing), same[0]), sure
        if not typed and (name in self.options.sections_of or self.owner(name)) and not nearest(name, missing, NEAR):
            return None, False
        near = nearest(name, free, SURE)
        return (near, True) if near else (nearest(name, free, NEAR), False)

    def of_this_version(self, name: str, schema: Schema, typed: str) -> bool:
        """Whether a key that is not known here is a slip all the same, and can be no option of a later version."""
        if typed and any(name in one.get("properties", {}) for one in self.options.registries[typed].values()):
            return True
        elsewhere = name in self.options.sections_of or self.owner(name) is not None
        return (elsewhere and not typed) or nearest(name, schema.get("properties", {}), NEAR) is not None

    def owner(self, name: str) -> str | None:
        """Another trainer that knows a key."""
        return next((one.trainer for one in self.options.others() if name in one.sections_of), None)

    def elsewhere(self, name: str, typed: str) -> str:
        """Where a key that does not belong here does."""
        homes, owner = self.options.sections_of.get(name), self.owner(name)
        if homes and (not typed or typed in ("optimizers", "schedulers")):
            return f"It belongs {'under `' + homes[0] + '`' if homes[0] else 'at the top level'}."
        return f"It is an option of {owner}; remove it." if owner and not typed else "Remove it."

    def missing(
        self, keys: Sequence[str], path: str, at: Node | Place | None, typed: str, declared: bool = True
    ) -> None:
        """Notes a key that is needed and not there; of several the trainer ends at the first."""
        key, name = keys[0], _at(path, keys[0])
        more = f" So it is with {len(keys) - 1} more: {listed(keys[1:])}." if len(keys) > 1 else ""
        ends = self.says(f"Object missing required field `{key}`", path, declared)
        ends = ends if self.options.refuses else f"{self.options.trainer} ends: KeyError {key!r}."
        message = f"There is no `{name}`. {ends}"
        if typed:
            message = f"`{path}` lacks `{key}`, which this {WHAT_IS_NAMED[typed]} needs: {self.options.trainer} ends."
        self.note("option-missing", message + more, f"Add {'them' if more else f'`{name}`'}.", at)

    def value(self, node: Node, schema: Schema, path: str, at: Node | None) -> None:
        schema, target = self.options.resolved(schema), self.document.follow(node)
        try:
            nothing = self.left_out(target)
        except AutocalError:  # a tag that does not fit its text is told where the config is read
            return
        if nothing and not self.options.refuses:
            return  # these trainers ask `is not None` of most keys; of those that they need it is told as missing
        fitting = next((one for one in self.alternatives(schema) if self.kind_fits(target, one)), None)
        if fitting is None:
            self.wrong_kind(target, schema, path)
        elif registry := fitting.get("typed") or schema.get("typed"):
            self.entry(target, registry, path, at)
        elif "named" in fitting:
            self.name(target, fitting["named"])
        elif isinstance(target, MappingNode):
            self.mapping(target, fitting, path, at)
        elif isinstance(target, SequenceNode):
            self.sequence(target, fitting, path)
        else:
            self.limits(target, fitting, schema, path)

    def accepts(self, node: Node, schema: Schema) -> bool:
        """Whether a key's schema takes a value as it stands."""
        before = len(self.problems)
        self.value(node, schema, "", None)
        found = len(self.problems) > before
        del self.problems[before:]
        return not found

    def alternatives(self, schema: Schema) -> list[Schema]:
        schema = self.options.resolved(schema)
        if "anyOf" not in schema:
            return [schema]
        beside = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
        return [{**inner, **beside} for one in schema["anyOf"] for inner in self.alternatives(one)]

    def kind_fits(self, node: Node, schema: Schema) -> bool:
        kind, kinds = self.kind(node), _kinds(schema)
        if not kinds:
            return "enum" not in schema or self.scalar(node) in schema["enum"]
        return kind in kinds or (kind == "integer" and "number" in kinds)

    def kind(self, node: Node) -> str:
        if isinstance(node, ScalarNode):
            return KIND_OF[type(self.scalar(node))]
        return "object" if isinstance(node, MappingNode) else "array"

    def wrong_kind(self, node: Node, schema: Schema, path: str) -> None:
        """A value that is of no kind that is asked for, or none of the choices where there are only those."""
        options, value = self.alternatives(schema), self.scalar(node)
        choices = [choice for one in options for choice in one.get("enum", ())]
        kinds = [kind for one in options for kind in _kinds(one)]
        wanted = " or ".join(dict.fromkeys(KINDS[kind][1] for kind in kinds if kind != "null"))
        shown = quoted(value) if isinstance(value, str) else "nothing" if value is None else str(value).lower()
        shown = shown if isinstance(node, ScalarNode) else KINDS[self.kind(node)][1]
        if choices and (not kinds or isinstance(value, str)):
            near = nearest(str(value), [str(one) for one in choices], 0.6)
            ends = self.says(f"Invalid enum value {shown}", path, "asserted" not in schema)
            fix = f"Known: {' or '.join([listed(choices), *([wanted] if wanted else [])])}."
            message = f"`{path}` is {shown}. {ends}"
            self.note("option-choice", message, f"Did you mean `{near}`? {fix}" if near else fix, node)
            return
        expected, got = " | ".join(KINDS[kind][0] for kind in kinds), KINDS[self.kind(node)][0]
        ends = self.says(f"Expected `{expected}`, got `{got}`", path)
        severity: Severity | None = None
        if kinds == ["boolean"] and isinstance(node, ScalarNode) and not self.options.refuses:
            as_text = "text for false" if "exact" in schema else "any text for true"
            taken = as_text if isinstance(value, str) else "it for either"
            ends, severity = f"{self.options.trainer} does not end: it takes {taken}.", "warning"
        cure = meant(value, kinds)
        fix = f"Write {wanted if cure is None else write_scalar(cure)}."
        self.note("option-type", f"`{path}` should be {wanted}; found {shown}. {ends}", fix, node, severity)
        if cure is not None:
            self.cured(node, cure)

    def limits(self, node: Node, schema: Schema, whole: Schema, path: str) -> None:
        """Choices and bounds of a scalar."""
        value, choices = self.scalar(node), schema.get("enum")
        if choices is not None and value not in choices and not (value is None and "null" in _kinds(schema)):
            asserted = {key: schema[key] for key in ("asserted",) if key in schema}
            self.wrong_kind(node, {"enum": choices, **asserted}, path)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return
        for word, (beyond, sign) in BOUNDS.items():
            bound = schema.get(word, whole.get(word))
            if bound is not None and beyond(value, bound):
                message = f"`{path}` should be {sign} {bound:g}; found {value:g}."
                self.note("option-range", message, f"Write a number {sign} {bound:g}.", node)

    def sequence(self, node: SequenceNode, schema: Schema, path: str) -> None:
        least, number, items = schema.get("minItems", 0), len(node.items), schema.get("items")
        if not least <= number <= schema.get("maxItems", number):
            ends = self.says(f"Expected `array` of length {least}, got {number}", path)
            message = f"`{path}` takes {least} numbers, and {number} stand there. {ends}"
            example = f", e.g. {schema['default']}" if schema.get("default") else ""
            self.note("option-range", message, f"Write {least} numbers{example}.", node)
        for index, item in enumerate(node.items if isinstance(items, dict) else ()):
            self.value(item, dict(items or {}), f"{path}[{index}]", item)

    def entry(self, node: Node, registry: str, path: str, at: Node | None) -> None:
        """A mapping with a `type`, and the arguments of what that names."""
        if not isinstance(node, MappingNode):
            return
        pair = pairs_of(self.document, node).get("type")
        if pair is None or self.left_out(pair.value):
            self.missing(["type"], path, at, registry)
            return
        known = self.name(pair.value, registry)
        opened = known.get("additionalProperties", False) if known is not None else False
        if known is None:
            return
        arguments = {"type": {}, **known.get("properties", {})}
        if registry == "metrics":
            arguments["better"] = {"enum": ["higher", "lower"]}
        # Whoever builds a network points to its type, and speaks for what is told here of the same place.
        home = pair.value if registry == "networks" else at or node
        entry = {**known, "properties": arguments, "additionalProperties": opened}
        if opened and registry == "networks":  # hands its arguments on: told by whoever builds it, but for the words
            entry, registry = {"properties": {key: one for key, one in arguments.items() if "enum" in one}}, ""
        declared, self.declared = self.declared, False
        self.mapping(node, entry, path, home, registry)
        self.declared = declared

    def name(self, node: Node, registry: str) -> Schema | None:
        """The entry of a registry that a scalar names."""
        name, options = self.scalar(node), self.options
        if not isinstance(name, str):
            if name is not None:
                self.note("option-type", f"The type should be text; found {name!r}.", None, node)
            return None
        known, entries = options.entry(registry, name), options.registries.get(registry, {})
        near = nearest(name, entries, NEAR) if known is None else None
        if known is not None or (registry == "networks" and self.built(name)):  # the latter told by whoever builds it
            return known
        others = (one.trainer for one in options.others() if one.entry(registry, name) is not None)
        other = None if near else next(others, None)
        deed = f"There is no {WHAT_IS_NAMED[registry]} `{name}` in {options.trainer}"
        ends = f"{options.trainer} ends."
        ends = "The first validation ends with a KeyError." if registry == "metrics" else ends
        fix = f"Did you mean `{near}`?" if near else f"Known: {listed(entries)}."
        if near or other:
            self.note("type-unknown", f"{deed}{f'; {other} has one' if other else ''}. {ends}", fix, node)
        else:
            message = f"{deed} (as of commit {options.commit[:8]}). Unless you added it: {ends}"
            self.note("type-unknown", message, fix, node, "warning")
        return None

    def built(self, name: str) -> bool:
        """Whether autocal itself has an architecture of that name, or the trainer's checkout made it just now."""
        network = self.checked.network
        elsewhere = network is None or str(network.builder or TABLE).startswith((TABLE, "spandrel"))
        made = network is not None and network.type == name and not elsewhere
        return made or any(find_line(BUILT_IN, name, role) for role in ROLES)


def _gathered(problems: list[Problem]) -> list[Problem]:
    """Many keys of one mapping that belong elsewhere are one mistake, told at the first of them."""
    groups: dict[tuple[str | None, int], list[Problem]] = {}
    for problem in problems:
        finding = problem.finding
        moved = finding.code == "option-unknown" and str(finding.fix).startswith("It ")
        column = finding.place.column or 0 if finding.place else 0
        groups.setdefault((finding.fix, column) if moved else (None, len(groups)), []).append(problem)
    return [found for group in groups.values() for found in (_together(group) if len(group) > FEW else group)]


def _together(group: list[Problem]) -> list[Problem]:
    first = group[0].finding
    others = [problem.finding.message.split("`")[1].rpartition(".")[2] for problem in group[1:]]
    message = f"{first.message} So it is with {len(others)} more: {listed(others)}."
    fix = str(first.fix).replace("It belongs", "They belong").replace("It is an option", "They are options")
    return [Problem(replace(first, message=message, fix=fix.replace("remove it", "remove them")))]


def _by_pattern(schema: Schema, key: str) -> Schema | None:
    for pattern, value in schema.get("patternProperties", {}).items():
        if re.search(pattern, key):
            return dict(value)
    more = schema.get("additionalProperties")
    return more if isinstance(more, dict) else None


def _kinds(schema: Schema) -> list[str]:
    kinds = schema.get("type") or ("object" if "typed" in schema else [])
    return [kinds] if isinstance(kinds, str) else list(kinds)


def _at(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def meant(value: Scalar, kinds: Sequence[str]) -> Scalar:
    """The value of a kind that is asked for that text in quotes, or 1 and 0 for yes and no, can alone have meant.

    >>> meant("false", ["boolean"]), meant("8", ["integer", "null"]), meant("8", ["boolean", "integer"])
    (False, 8, None)
    """
    wanted, text = [kind for kind in kinds if kind != "null"], str(value).strip().lower()
    if wanted == ["boolean"]:
        return WORDS.get(text)
    if not isinstance(value, str) or wanted not in (["integer"], ["number"]) or not NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if wanted == ["number"] else int(number) if number.is_integer() else None
