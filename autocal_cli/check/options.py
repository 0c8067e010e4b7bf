"""Every key of a config against what its trainer knows: unknown keys, types, choices, bounds, what is missing.

The facts stand in presets/options/ (`trainer_options`). What the trainer does about a mistake is said as it would.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from autocal_cli.check.keys import NEAR, SURE, listed, nearest
from autocal_cli.check.model import Checked
from autocal_cli.check.rule import basicsr, redux, rule
from autocal_cli.check.trainer_options import SAME_OPTION, Schema, TrainerOptions, options_of, written_for_another
from autocal_cli.config.model import BLOCK_KEY, Scalar
from autocal_cli.config.trainers import TRAINERS
from autocal_cli.config.yaml.document import (
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    pairs_of,
    quoted,
    read_scalar,
)
from autocal_cli.errors import AutocalError, Finding, Place, Severity
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
    """A finding and, where there is no doubt about the cure, the key at `node` and what it should be called."""

    finding: Finding
    node: ScalarNode | None = None
    renamed: str | None = None


@rule(
    "options/option-unknown [error]: A key that the trainer does not know",
    why="traiNNer-redux refuses a config with a key that it does not declare. BasicSR, Real-ESRGAN and neosr never "
    "ask for it, so that what was meant does not happen and nothing says so; with them it is a warning.",
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
        "io_backend: {type: disk}}"
    ),
    good=basicsr(),
)
@rule(
    "options/option-type [error]: A value of the wrong type",
    why="The trainer ends where it reads the value, or where it first reckons with it.",
    source="presets/options",
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
        self.checked = checked
        self.document = checked.document
        self.options = options
        self.problems: list[Problem] = []
        self.guesses = 0
        self.scalars: dict[Node, Scalar] = {}  # each is asked for several times, and read once

    # --- notes ---

    def note(self, code: str, severity: Severity, message: str, fix: str | None, place: Place | None) -> None:
        self.problems.append(Problem(Finding(code, severity, message, fix, place)))

    def place(self, node: Node) -> Place:
        return self.document.place(node.start)

    def says(self, words: str, path: str) -> str:
        """How the trainer ends, in its own terms."""
        where = f" - at `$.{path}`" if path else ""
        return f"{self.options.trainer} ends: {words}{where if self.options.refuses else ''}."

    # --- mappings ---

    def mapping(self, node: Node, schema: Schema, path: str, at: Place | None, typed: str | None = None) -> None:
        """The keys of one mapping: those unknown, those missing, and the value of each other."""
        if not isinstance(node, MappingNode):
            return
        properties: Mapping[str, Schema] = schema.get("properties", {})
        pairs = pairs_of(self.document, node)
        required = self.required(schema, pairs)
        missing = [key for key in required if key not in pairs or self.left_out(pairs[key].value)]
        told: set[str] = set()  # missing keys that stand there misspelt
        for key, pair in pairs.items():
            if key == BLOCK_KEY:  # told by the checks of the block
                continue
            known = properties[key] if key in properties else self.by_pattern(schema, key)
            if known is not None:
                self.value(pair.value, known, f"{path}.{key}".strip("."), self.place(pair.key))
            elif (typed or schema.get("additionalProperties") is False) and isinstance(pair.key, ScalarNode):
                told |= self.unknown_key(pair.key, pair.value, schema, path, [*pairs], missing, typed)
        self.names(schema, pairs)
        missing = [key for key in missing if key not in told]
        always = [key for key in missing if key in schema.get("required", ())]
        by_kind = [key for key in missing if key not in always]  # a data set's, a model's
        if not path and len(always) >= EXCERPT:
            always = [key for key in always if key == "scale"]
        for keys in [*([key] for key in always), *([by_kind] if len(by_kind) > FEW else ([key] for key in by_kind))]:
            alike = next(
                (pairs[one] for names in SAME_OPTION if keys[0] in names for one in names if one in pairs), None
            )
            self.missing(keys, path, self.place(alike.key) if alike else at or self.checked.config.place, typed)

    def required(self, schema: Schema, pairs: Mapping[str, object]) -> list[str]:
        """What a mapping must have, by itself and by what stands in it."""
        needed = list(schema.get("required", ()))
        for one in schema.get("allOf", ()):
            conditions, certain = one["if"]["properties"], one["if"]["required"]
            if all(
                self.has(pairs, key, condition["enum"]) if key in pairs else key not in certain
                for key, condition in conditions.items()
            ):
                needed += one["then"]["required"]
        return list(dict.fromkeys(needed))

    def has(self, pairs: Mapping[str, object], key: str, values: Sequence[object]) -> bool:
        value = self.scalar(getattr(pairs.get(key), "value", None))
        text = value if self.options.case else value.lower() if isinstance(value, str) else value
        return text in values

    def scalar(self, node: Node | None) -> Scalar:
        target = self.document.follow(node) if node is not None else None
        if isinstance(target, ScalarNode) and target not in self.scalars:
            self.scalars[target] = read_scalar(self.document, target)
        return self.scalars[target] if isinstance(target, ScalarNode) else None

    def left_out(self, node: Node) -> bool:
        target = self.document.follow(node)
        return isinstance(target, ScalarNode) and self.scalar(target) is None

    def by_pattern(self, schema: Schema, key: str) -> Schema | None:
        for pattern, value in schema.get("patternProperties", {}).items():
            if re.search(pattern, key):
                return dict(value)
        more = schema.get("additionalProperties")
        return more if isinstance(more, dict) else None

    def names(self, schema: Schema, pairs: Mapping[str, object]) -> None:
        """Keys that are names of something, of which there are a few (the layers of a network)."""
        choices = schema.get("propertyNames", {}).get("enum")
        for key, pair in pairs.items():
            if choices and key not in choices:
                place = self.place(pair.key)  # type: ignore[attr-defined]
                near = nearest(key, choices, NEAR)
                fix = f"Did you mean `{near}`?" if near else f"Known: {listed(choices)}."
                self.note("option-choice", "error", f"`{key}` is none of the names known here.", fix, place)

    def unknown_key(
        self,
        key: ScalarNode,
        value: Node,
        schema: Schema,
        path: str,
        present: Sequence[str],
        missing: Sequence[str],
        typed: str | None,
    ) -> set[str]:
        """Notes a key that nothing knows; gives the missing key that it was meant for."""
        name = key.value
        swallowed = schema.get("additionalProperties") is True
        if name in self.options.ignored and not typed:
            why = self.options.ignored[name]
            message = f"`{_at(path, name)}` has no effect: {why}."
            self.note("option-ignored", "info", message, "Remove it.", self.place(key))
            return set()
        free = [one for one in schema.get("properties", {}) if one not in present]
        self.guesses += 1
        right, sure = (
            self.meant(name, free, missing, typed is not None) if self.guesses <= MOST_GUESSES else (None, False)
        )
        ends = self.options.refuses and schema.get("unknown") != "ignored"
        if typed:
            ends = not swallowed
            what = f"`{name}` is no argument of this {WHAT_IS_NAMED[typed]}"
            deed = f"{self.options.trainer} ends: unexpected keyword argument '{name}'." if ends else "it is ignored."
        elif ends:
            what = f"`{_at(path, name)}` is no option of {self.options.trainer}"
            deed = self.says(f"Object contains unknown field `{name}`", path)
        else:
            what = f"`{_at(path, name)}` is no option of {self.options.trainer}"
            deed = "nothing reads it."
        fix = f"Did you mean `{right}`?" if right else self.elsewhere(name, typed)
        if right in missing and not ends:
            deed, ends = f"{self.options.trainer} ends: KeyError '{right}'.", True
        severity: Severity = "error" if ends else "warning"
        finding = Finding("option-unknown", severity, f"{what}: {deed}", fix, self.place(key))
        doubtless = sure and self.accepts(value, schema["properties"][right])
        self.problems.append(Problem(finding, key if doubtless else None, right if doubtless else None))
        return {right} if right else set()

    def meant(self, name: str, free: Sequence[str], missing: Sequence[str], typed: bool) -> tuple[str | None, bool]:
        """The key that a wrong one stands for, and whether that is beyond doubt."""
        for names in SAME_OPTION:
            same = [one for one in free if one in names and name in names]
            if same:
                return next((one for one in same if one in missing), same[0]), False
        if not typed and (name in self.options.sections_of or self.owner(name)):
            return None, False
        near = nearest(name, free, SURE)
        return (near, True) if near else (nearest(name, free, NEAR), False)

    def owner(self, name: str) -> str | None:
        """Another trainer that knows a key."""
        others = (options_of(layout.trainer) for layout in TRAINERS)
        return next(
            (one.trainer for one in others if one and one is not self.options and name in one.sections_of), None
        )

    def elsewhere(self, name: str, typed: str | None) -> str:
        """Where a key that does not belong here does."""
        if typed:
            return "Remove it."
        homes, owner = self.options.sections_of.get(name), self.owner(name)
        if homes:
            return f"It belongs {'under `' + homes[0] + '`' if homes[0] else 'at the top level'}."
        return f"It is an option of {owner}; remove it." if owner else "Remove it."

    def missing(self, keys: Sequence[str], path: str, at: Place | None, typed: str | None) -> None:
        """Notes a key that is needed and not there; of several the trainer ends at the first."""
        key, name = keys[0], _at(path, keys[0])
        more = f" So it is with {len(keys) - 1} more: {listed(keys[1:])}." if len(keys) > 1 else ""
        if typed:
            message = f"`{path}` lacks `{key}`, which this {WHAT_IS_NAMED[typed]} needs: {self.options.trainer} ends."
        elif self.options.refuses:
            message = f"There is no `{name}`. {self.says(f'Object missing required field `{key}`', path)}"
        else:
            message = f"There is no `{name}`. {self.says(f'KeyError {key!r}', path)}"
        fix = f"Add {'them' if more else f'`{name}`'}."
        self.note("option-missing", "error", message + more, fix, at)

    # --- values ---

    def value(self, node: Node, schema: Schema, path: str, at: Place | None) -> None:
        schema = self.options.resolved(schema)
        target = self.document.follow(node)
        if isinstance(target, ScalarNode):
            try:
                self.scalar(target)
            except AutocalError:  # a tag that does not fit its text is told where the config is read
                return
        if self.left_out(target) and not self.options.refuses:
            return  # these trainers ask `is not None` of most keys; of those that they need it is told as missing
        fitting = next((one for one in self.alternatives(schema) if self.kind_fits(target, one)), None)
        if fitting is None:
            self.wrong_kind(target, schema, path)
            return
        registry = fitting.get("typed") or schema.get("typed")
        if registry:
            self.entry(target, registry, path, at)
        elif "named" in fitting:
            self.name(target, fitting["named"])
        elif isinstance(target, MappingNode):
            self.mapping(target, fitting, path, at)
        elif isinstance(target, SequenceNode):
            self.sequence(target, fitting, path)
        else:
            self.limits(target, fitting, schema, path)

    def alternatives(self, schema: Schema) -> list[Schema]:
        schema = self.options.resolved(schema)
        if "anyOf" not in schema:
            return [schema]
        beside = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
        return [{**inner, **beside} for one in schema["anyOf"] for inner in self.alternatives(one)]

    def kind_fits(self, node: Node, schema: Schema) -> bool:
        kinds = self.kinds(schema)
        if not kinds:
            return "enum" not in schema or self.scalar(node) in schema["enum"]
        kind = self.kind(node)
        return kind in kinds or (kind == "integer" and "number" in kinds)

    def kinds(self, schema: Schema) -> list[str]:
        kinds = schema.get("type")
        if kinds is None and "typed" in schema:
            return ["object"]
        return [kinds] if isinstance(kinds, str) else list(kinds or ())

    def kind(self, node: Node) -> str:
        if isinstance(node, MappingNode):
            return "object"
        if isinstance(node, SequenceNode):
            return "array"
        value = self.scalar(node)
        return (
            "null" if value is None else "boolean" if isinstance(value, bool) else
            "integer" if isinstance(value, int) else "number" if isinstance(value, float) else "string"
        )  # fmt: skip

    def wrong_kind(self, node: Node, schema: Schema, path: str) -> None:
        """A value that is of no kind that is asked for, or none of the choices where there are only those."""
        options = self.alternatives(schema)
        choices = [choice for one in options for choice in one.get("enum", ())]
        kinds = [kind for one in options for kind in self.kinds(one)]
        wanted = " or ".join(dict.fromkeys(KINDS[kind][1] for kind in kinds if kind != "null"))
        value = self.scalar(node)
        shown = _shown(node, value)
        if choices and (not kinds or isinstance(value, str)):
            near = nearest(str(value), [str(one) for one in choices], 0.6)
            deed = self.says(
                f"Invalid enum value {shown}" if self.options.refuses else f"{shown} is not supported", path
            )
            known = " or ".join([listed(choices), *([wanted] if wanted else [])])
            fix = f"Did you mean `{near}`? Known: {known}." if near else f"Known: {known}."
            self.note("option-choice", "error", f"`{path}` is {shown}. {deed}", fix, self.place(node))
            return
        expected, got = " | ".join(KINDS[kind][0] for kind in kinds), KINDS[self.kind(node)][0]
        deed = self.says(f"Expected `{expected}`, got `{got}`", path) if self.options.refuses else "The trainer ends."
        fix = "Write it without the quotes." if isinstance(value, str) and _is_number(value) else f"Write {wanted}."
        self.note("option-type", "error", f"`{path}` should be {wanted}; found {shown}. {deed}", fix, self.place(node))

    def limits(self, node: Node, schema: Schema, whole: Schema, path: str) -> None:
        """Choices and bounds of a scalar."""
        value = self.scalar(node)
        choices = schema.get("enum")
        if choices is not None and value not in choices and not (value is None and "null" in self.kinds(schema)):
            self.wrong_kind(node, {"enum": choices}, path)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return
        for word, wrong, sign in (
            ("minimum", lambda bound: value < bound, "at least"),
            ("exclusiveMinimum", lambda bound: value <= bound, "above"),
            ("maximum", lambda bound: value > bound, "at most"),
            ("exclusiveMaximum", lambda bound: value >= bound, "below"),
        ):
            bound = schema.get(word, whole.get(word))
            if bound is not None and wrong(bound):  # type: ignore[no-untyped-call]
                message = f"`{path}` should be {sign} {bound:g}; found {value:g}."
                self.note("option-range", "error", message, f"Write a number {sign} {bound:g}.", self.place(node))

    def sequence(self, node: SequenceNode, schema: Schema, path: str) -> None:
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        if len(node.items) < least or (most is not None and len(node.items) > most):
            message = f"`{path}` takes {least}, and {len(node.items)} stand there. " + self.says(
                f"Expected `array` of length {least}, got {len(node.items)}", path
            )
            self.note("option-range", "error", message, f"Write {least}.", self.place(node))
        items = schema.get("items")
        if isinstance(items, dict):
            for number, item in enumerate(node.items):
                self.value(item, items, f"{path}[{number}]", self.place(item))

    # --- what is named by its type ---

    def entry(self, node: Node, registry: str, path: str, at: Place | None) -> None:
        """A mapping with a `type`, and the arguments of what that names."""
        if not isinstance(node, MappingNode):
            return
        pairs = pairs_of(self.document, node)
        pair = pairs.get("type")
        if pair is None or self.left_out(pair.value):
            self.missing(["type"], path, at, registry)
            return
        name = self.scalar(pair.value)
        known = self.name(pair.value, registry)
        if known is None or not isinstance(name, str):
            return
        arguments = {"type": {}, **known.get("properties", {})}
        if registry == "metrics":
            arguments["better"] = {"enum": ["higher", "lower"]}
        opened = known.get("additionalProperties", False)
        if opened and registry == "networks":  # a function that hands its arguments on: told by whoever builds it
            return
        schema = {**known, "properties": arguments, "additionalProperties": opened}
        # Whoever builds a network points to its type, and speaks for what is told here of the same place.
        home = self.place(pair.value) if registry == "networks" else at or self.place(node)
        self.mapping(node, schema, path, home, registry)

    def name(self, node: Node, registry: str) -> Schema | None:
        """The entry of a registry that a scalar names."""
        name = self.scalar(node)
        entries = self.options.registries.get(registry, {})
        if not isinstance(name, str):
            if name is not None:
                self.note("option-type", "error", f"The type should be text; found {name!r}.", None, self.place(node))
            return None
        known = self.options.entry(registry, name)
        if known is not None:
            return known
        what = WHAT_IS_NAMED[registry]
        near = nearest(name, entries, NEAR)
        other = None if near else self.of_another(registry, name)
        if registry == "networks" and self.built(name):
            return None  # told by whoever builds it
        deed = f"There is no {what} `{name}` in {self.options.trainer}"
        ends = (
            "The first validation ends with a KeyError." if registry == "metrics" else f"{self.options.trainer} ends."
        )
        if near:
            self.note("type-unknown", "error", f"{deed}. {ends}", f"Did you mean `{near}`?", self.place(node))
        elif other:
            fix = f"Known: {listed(entries)}."
            message = f"{deed}; {other} has one. {ends}"
            self.note("type-unknown", "error", message, fix, self.place(node))
        else:
            message = f"{deed} (as of commit {self.options.commit[:8]}). Unless you added it: {ends}"
            self.note("type-unknown", "warning", message, f"Known: {listed(entries)}.", self.place(node))
        return None

    def built(self, name: str) -> bool:
        """Whether autocal itself has an architecture of that name, or a builder (a checkout) made it just now."""
        network = self.checked.network
        made = network is not None and network.type == name and not str(network.builder or TABLE).startswith(TABLE)
        return made or any(find_line(BUILT_IN, name, role) for role in ROLES)

    def of_another(self, registry: str, name: str) -> str | None:
        for layout in TRAINERS:
            other = options_of(layout.trainer)
            if other is None or other is self.options or registry not in other.registries:
                continue
            if other.entry(registry, name) is not None:
                return other.trainer
        return None

    def accepts(self, node: Node, schema: Schema) -> bool:
        """Whether a key's schema takes a value as it stands."""
        before = len(self.problems)
        self.value(node, schema, "", None)
        found = len(self.problems) > before
        del self.problems[before:]
        return not found


def _gathered(problems: list[Problem]) -> list[Problem]:
    """Many keys of one mapping that belong elsewhere are one mistake, told at the first of them."""
    groups: dict[tuple[str | None, int], list[Problem]] = {}
    for problem in problems:
        finding = problem.finding
        moved = finding.code == "option-unknown" and str(finding.fix).startswith("It ")
        column = finding.place.column or 0 if finding.place else 0
        key = (finding.fix, column) if moved else (None, len(groups))
        groups.setdefault(key, []).append(problem)
    return [found for group in groups.values() for found in (_together(group) if len(group) > FEW else group)]


def _together(group: list[Problem]) -> list[Problem]:
    first = group[0].finding
    others = [problem.finding.message.split("`")[1].rpartition(".")[2] for problem in group[1:]]
    message = f"{first.message} So it is with {len(others)} more: {listed(others)}."
    fix = str(first.fix).replace("It belongs", "They belong").replace("It is an option", "They are options")
    return [Problem(replace(first, message=message, fix=fix.replace("remove it", "remove them")))]


def _at(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _shown(node: Node, value: Scalar) -> str:
    if isinstance(node, MappingNode | SequenceNode):
        return "a mapping" if isinstance(node, MappingNode) else "a list"
    return quoted(value) if isinstance(value, str) else "nothing" if value is None else str(value).lower()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
