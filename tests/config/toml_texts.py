"""Generated TOML configs, as neosr reads them: sections in any order, every kind of value, and perhaps a block."""

from __future__ import annotations

from hypothesis import strategies as st

VALUES = (
    "1", "-3", "1_000", "0x1F", "0.5", "8e-4", "1e+22", "+inf", "nan", "true", "false", "1979-05-27", "07:32:00",
    "1979-05-27 07:32:00", "1979-05-27T07:32:00Z", '"x"', "''", "'C:\\gt\\'", '"# no"', '"\\u00e9 \\"q\\" \\\\"',
    '"größe 😀"', '"""a "quoted" text"""', "'''it's'''", '""""two quotes"""""', "[]", "[ 1, 2,  3 ]", "[ [1], ['x'] ]",
    "[{a = 1}, {b.c = 2}]", "{}", "{ a = 1, b = [1, 2] }", '{"a b".c = 1}',
)  # fmt: skip
LONG = ("[\n  1, # {c}\n  2,\n]", '"""\n# text\n  more\\\n  text"""', "'''\n[train]\nx = 1\n'''", "[ # {c}\n]")
KEYS = ("k{}", "k{}", "k{}", '"k {}"', "'k.{}'", "k{}.x", 'k{} . "y"')
SECTIONS = ("[datasets.train]", "[logger]", "[train.gan_opt]", "[ train . optim_g ]", "[[extra]]", '["a.b".c]')

BLOCKS = {
    "none": (),
    "section": ("[train.dynamic_loss_scheduling]", "auto_calibrate = true", "mine = 'x'"),
    "empty section": ("[train.dynamic_loss_scheduling]",),
    "indented": ("[train.dynamic_loss_scheduling]", "  momentum = 0.5"),
    "sections below": ("[train.dynamic_loss_scheduling.phases.early]", "until = 0.2", "mine = 1"),
    "with sections below": (
        "[train.dynamic_loss_scheduling]", "momentum = 0.9", "[train.dynamic_loss_scheduling.phases.early]", "rate = 1",
    ),
    "record in sections": (
        "[train.dynamic_loss_scheduling.calibration]", "tool = 'old'", "[train.dynamic_loss_scheduling.calibration.x]",
        "y = 1", "[train.dynamic_loss_scheduling]", "momentum = 0.9",
    ),
}  # fmt: skip
INSIDE = {  # below [train]
    "dotted": ("dynamic_loss_scheduling.momentum = 0.5", "dynamic_loss_scheduling.mine = 1"),
    "dotted deep": ("dynamic_loss_scheduling.phases.early.until = 0.5",),
    "dotted record": ("dynamic_loss_scheduling.calibration.tool = 'old'", "dynamic_loss_scheduling.enabled = false"),
    "inline": ("dynamic_loss_scheduling = {auto_calibrate = true}",),
    "inline empty": ("dynamic_loss_scheduling = {}",),
    "inline deep": ("dynamic_loss_scheduling = { momentum = 0.5, phases.early = { until = 1 }, 'q' = [1] }",),
}


class _Writer:
    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.lines: list[str] = []
        self.comments = 0

    def chance(self, one_in: int) -> bool:
        return self.draw(st.integers(1, one_in)) == 1

    def comment(self) -> str:
        self.comments += 1
        return f"# c{self.comments}: [{{'\"😀"

    def line(self, text: str) -> None:
        if self.chance(6):
            self.lines.append(self.comment())
        if self.chance(6):
            self.lines.append("")
        self.lines.append(text + (f"  {self.comment()}" if self.chance(5) else ""))

    def pairs(self) -> None:
        for number in range(self.draw(st.integers(0, 3))):
            key = self.draw(st.sampled_from(KEYS)).format(number)
            value = self.draw(st.sampled_from(VALUES + LONG)).replace("{c}", self.comment()[2:])
            self.line(f"{key}{self.draw(st.sampled_from([' = ', '=']))}{value}")


@st.composite
def toml_configs(draw: st.DrawFn) -> str:
    writer = _Writer(draw)
    form = draw(st.sampled_from([*BLOCKS, *INSIDE, "inline train", "dotted train"]))
    writer.pairs()
    if form == "inline train":
        inside = draw(st.sampled_from(["", " x = 1 ", "x = [1], dynamic_loss_scheduling = {momentum = 1}"]))
        writer.line(f"train = {{{inside}}}")
        sections = [section for section in SECTIONS if "train ." not in section and "[train" not in section]
    elif form == "dotted train":
        writer.line("train.x = 1")
        writer.line("train.'y z' = 2")
        sections = list(SECTIONS)
    else:
        sections = [*SECTIONS, "[train]"] if form in INSIDE or writer.chance(2) else ["[train.gan_opt]", *SECTIONS[:2]]
    chosen = draw(st.permutations(sections))
    block_at = draw(st.integers(0, len(chosen)))
    for number, section in enumerate(chosen):
        if number == block_at:
            for text in BLOCKS.get(form, ()):
                writer.line(text)
        writer.line(section)
        if section == "[train]":
            for text in INSIDE.get(form, ()):
                writer.line(text)
        writer.pairs()
    newline = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    text = "\n".join(writer.lines).replace("\n", newline) + newline * draw(st.sampled_from([0, 1, 1, 2]))
    return draw(st.sampled_from(["", "", "", "\ufeff"])) + text
