"""Generated training configs: YAML as people write it, in every style, with a `train` mapping and perhaps a block."""

from __future__ import annotations

from hypothesis import strategies as st

PATH = ("train", "sched")
WANTED = {
    "momentum": 0.9,
    "max_weight": 5.0,
    "enabled": True,
    "early": {"until": 0.1, "rate": 0.5},
    "kinds": ["gan", "l1"],
}

SCALARS = (
    "1", "-3", "0.5", "1e-4", "!!float 1e-4", "1_000", "017", "off", "Yes", "~", "null", "!!null ''", "x2", "two words",
    "x#y", "a:b", "http://x/y", "'it''s'", "'# no comment'", '"tab\\t\\u00e9 # no"', "größe", "😀", "!local x", "&a 5",
    f"'{'wide ' * 40}'", f"[{', '.join(map(str, range(90)))}]",
    "[]", "{}", "[1, 2,  3]", "[a, 'b, c', {d: 1}]", "{a: 1, b: [x, y]}", "{ a: 1, }", '{"a":1}', "",
)  # fmt: skip
TEXTS = ("|", "|-", "|+", ">", ">-")  # block scalars
QUOTED = ("{}", "{}", "{}", "'{}'", '"{}"', "{} ")  # keys, mostly plain


class _Writer:
    """Writes lines; every comment carries a number of its own, so that its survival can be seen."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.lines: list[str] = []
        self.comments: list[str] = []
        self.anchors: list[str] = []
        self.text_above = False
        self.step = draw(st.sampled_from([1, 2, 2, 2, 3, 4, 8]))

    def chance(self, one_in: int) -> bool:
        return self.draw(st.integers(1, one_in)) == 1

    def comment(self) -> str:
        self.comments.append(f"# c{len(self.comments)}: [{{'\t\"😀")
        return self.comments[-1]

    def beside(self) -> str:
        return "  " * self.draw(st.integers(1, 2)) + self.comment() if self.chance(5) else " " * self.chance(8)

    def between(self) -> None:
        if self.chance(6):
            column = 0 if self.text_above else self.draw(st.integers(0, 8))  # further in, it would be text too
            self.lines.append(" " * column + self.comment())
        if self.chance(10) and not self.text_above:
            self.commented_out(" " * self.draw(st.integers(0, 8)))
        if self.chance(10):
            self.lines.append(" " * self.draw(st.sampled_from([0, 0, 3])))

    def commented_out(self, indent: str) -> None:
        """A block that somebody switched off: two lines that must stay together."""
        number = len(self.comments)
        self.comments += [f"# c{number}: sched:", f"#   c{number}: momentum: 0.3"]
        self.lines += [indent + comment for comment in self.comments[-2:]]

    def pair(self, key: str, depth: int) -> None:
        head = " " * (self.step * depth) + self.draw(st.sampled_from(QUOTED)).format(key) + ":"
        self.between()
        self.text_above = False
        match self.draw(st.sampled_from(["scalar"] * 6 + ["mapping", "list", "text", "flow lines"])):
            case "mapping" if depth < 3:
                self.lines.append(head + self.beside())
                self.pairs([f"k{n}" for n in range(self.draw(st.integers(1, 3)))], depth + 1)
            case "list":
                self.lines.append(head + self.beside())
                self.items(depth)
            case "text":
                self.lines.append(f"{head} {self.draw(st.sampled_from(TEXTS))}{self.beside()}")
                inner = " " * (self.step * (depth + 1))
                self.lines += [inner + "# text", inner + "  more: text", *[""] * self.draw(st.integers(0, 2))]
                self.text_above = True
            case "flow lines":
                self.lines.append(f"{head} [1,{self.beside()}")
                self.lines.append(" " * (self.step * depth + 2) + f"{{a: 2}}]{self.beside()}")
            case _:
                scalar = self.draw(st.sampled_from(SCALARS)).replace("&a", f"&a{len(self.lines)}")
                if self.anchors and self.chance(6):
                    scalar = "*" + self.draw(st.sampled_from(self.anchors))
                elif scalar.startswith("&"):
                    self.anchors.append(scalar[1:].split()[0])
                self.lines.append(f"{head} {scalar}{self.beside()}")

    def items(self, depth: int) -> None:
        dash = " " * (self.step * depth + self.draw(st.sampled_from([0, 2]))) + "-"
        for _ in range(self.draw(st.integers(1, 3))):
            self.between()
            item = self.draw(st.sampled_from(["1", "'x'", "", "{type: l1, w: 1.0}", "type: gan\n", "- nested"]))
            first, line_break, _ = item.partition("\n")
            self.lines.append(f"{dash} {first}{self.beside()}")
            if line_break:
                self.lines.append(" " * len(dash) + f" weight: 0.1{self.beside()}")

    def pairs(self, keys: list[str], depth: int) -> None:
        for key in keys:
            self.pair(key, depth)

    def block(self, depth: int) -> None:
        head = " " * (self.step * depth) + "sched:"
        self.between()
        self.text_above = False
        match self.draw(st.sampled_from(["omitted", "null", "flow", "lines", "lines"])):
            case "omitted":
                self.lines.append(head + self.beside())
            case "null":
                self.lines.append(f"{head} ~{self.beside()}")
            case "flow":
                content = self.draw(
                    st.sampled_from(["", "momentum: 0.1", "mine: 1, early: {until: 1}", "max_weight: ,"])
                )
                self.lines.append(f"{head} {{{content}}}{self.beside()}")
            case _:
                self.lines.append(head + self.beside())
                self.pairs(self.draw(st.permutations(["momentum", "mine", "kinds"]))[:2], depth + 1)
                if self.chance(2):
                    self.lines.append(" " * (self.step * (depth + 1)) + f"early:{self.beside()}")
                    self.pair(self.draw(st.sampled_from(["until", "mine"])), depth + 2)


@st.composite
def configs(draw: st.DrawFn) -> tuple[str, list[str]]:
    """The text of a config, and the comments in it."""
    writer = _Writer(draw)
    if writer.chance(5):
        writer.lines.append("---" + writer.beside())
    keys = ["name", "datasets", "train", "zz"][draw(st.integers(0, 2)) : draw(st.integers(3, 4))]
    for key in keys:
        if key != "train":
            writer.pair(key, 0)
            continue
        writer.between()
        match draw(st.sampled_from(["omitted", "null", "flow", "without", "without", "with", "with", "with"])):
            case "omitted":
                writer.lines.append("train:" + writer.beside())
            case "null":
                writer.lines.append("train: ~" + writer.beside())
            case "flow":
                content = draw(st.sampled_from(["", "x: 1", "x: [1], sched: {momentum: 0}, y: ", "sched: {}"]))
                writer.lines.append(f"train: {{{content}}}" + writer.beside())
            case "without":
                writer.lines.append("train:" + writer.beside())
                writer.pairs(["total_iter", "losses"], 1)
            case _:
                writer.lines.append("train:" + writer.beside())
                before = draw(st.integers(0, 1))
                writer.pairs(["total_iter"][:before], 1)
                writer.block(1)
                writer.pairs(["losses"][: draw(st.integers(0, 1))], 1)
    if writer.chance(6):
        writer.lines.append("...")
    newline = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    text = newline.join(writer.lines) + newline * draw(st.sampled_from([0, 1, 1, 2]))
    return draw(st.sampled_from(["", "", "", "\ufeff"])) + text, writer.comments
