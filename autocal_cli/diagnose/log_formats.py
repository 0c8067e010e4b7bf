"""Lines of a trainer's text log -> a table of numbers, joined over resumes, crashes and restarts.

The line of an iteration, as the message loggers of the trainers print it (date and level stand before it):

[epoch:   0, iter:     100, lr:(1.000e-04)] [performance: 4.729 it/s] ... l_g_l1: 6.1181e-02 scale_g: 6.5536e+04
[4x_SP..][epoch:  0, iter:     100, lr:(2.000e-04,)] [eta: ..., time (data): 0.501 (0.003)] l_pix: 6.1181e-02
[epoch:   0, iter:     100, lr:(1.000e-04)] [net: span, ...] [l_g_l1: 6.118e-02, l_g_total: 7.2e-02] scale_g: ...
[ epoch:   0 ] [ iter:    100 ] [ performance: 4.729 it/s ] [ lr: 1.00e-04 ] [ eta: ... ] [ l_g_pix: 6.1181e-02 ]

traiNNer-redux, BasicSR (and Real-ESRGAN), a fork of traiNNer-redux, neosr (with colour codes). Their values are means
since the line before in traiNNer-redux, and those of one step in the others.
"""

from __future__ import annotations

import math
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from autocal_cli.diagnose.model import (
    Ending,
    EventKind,
    LogEvent,
    Session,
    Track,
    Validation,
    number_of,
    whole_number,
)

OWN_PREFIXES = ("loss_multipliers/", "autocal/")  # what `autocal run` adds to a trainer's log
FORK_PREFIX = "dynamic_weight_"  # a fork of traiNNer-redux logs the multipliers of its own scheduler so
_FAMILIES = ("l_", "out_d_", "grad_norm_", "scale_", *OWN_PREFIXES, FORK_PREFIX)


def wanted(label: str) -> bool:
    """Whether a label is of use: a loss, a discriminator's output, a gradient's norm, a loss scale, the scheduler's."""
    return label.startswith(_FAMILIES)


@dataclass(slots=True)
class RunTable:
    """Points of a run as they come in. A resumed run goes back to its checkpoint: where the iteration falls, what was
    logged from there on was trained again, and the later points stand for it."""

    # By labels that were logged together, in flat arrays, so that a million iterations stay small.
    blocks: dict[tuple[str, ...], tuple[array[int], array[float]]] = field(default_factory=dict)
    points: array[int] = field(default_factory=lambda: array("q"))  # iterations at which something was logged
    validations: list[Validation] = field(default_factory=list)
    events: list[LogEvent] = field(default_factory=list)
    saved: list[int] = field(default_factory=list)  # iterations of checkpoints
    last: int = 0
    superseded: int = 0
    resumed_from: int | None = None

    def add(self, at: int, labels: tuple[str, ...], values: Iterable[float], *, more: bool = False) -> None:
        """A point at an iteration; or `more` of the newest one: of a label that it has, the later number stands."""
        if not more:
            if at <= self.last or self.resumed_from is not None:
                self._cut(at)
            self.points.append(at)
            self.last = at
        block = self.blocks.get(labels)
        if block is None:
            block = self.blocks[labels] = (array("q"), array("d"))
        iterations, rows = block
        if more and iterations and iterations[-1] == at:
            del iterations[-1], rows[-len(labels) :]
        iterations.append(at)
        rows.extend(values)

    def validated(self, iteration: int, dataset: str, name: str, value: float) -> None:
        """One metric of a validation."""
        done = self.validations
        if done and (done[-1].iteration, done[-1].dataset) == (iteration, dataset):
            done[-1] = replace(done[-1], metrics={**done[-1].metrics, name: value})
        else:
            done.append(Validation(iteration, dataset, {name: value}))

    def _cut(self, iteration: int) -> None:
        start = iteration if self.resumed_from is None else min(iteration, self.resumed_from + 1)
        self.resumed_from = None
        if start <= self.last:
            for labels, (iterations, rows) in self.blocks.items():
                at = bisect_left(iterations, start)
                del iterations[at:], rows[at * len(labels) :]
            at = bisect_left(self.points, start)
            self.superseded += len(self.points) - at
            del self.points[at:]
            self.events = [event for event in self.events if event.iteration < start]
            self.saved = [at for at in self.saved if at < start]
        # a validation at `start` - 1 is that of the checkpoint itself
        self.validations = [one for one in self.validations if one.iteration < start]

    def tracks(self) -> dict[str, Track]:
        """The columns by label, in the order in which the labels first occurred."""
        parts: dict[str, list[tuple[array[int], array[float]]]] = {}
        for labels, (iterations, rows) in self.blocks.items():
            shared = iterations[:]
            for at, label in enumerate(labels if iterations else ()):
                parts.setdefault(label, []).append((shared, rows[at :: len(labels)]))
        tracks = {}
        for label, found in parts.items():
            if len(found) > 1:
                pairs = sorted(pair for part in found for pair in zip(*part, strict=True))
                found = [(array("q", (at for at, _ in pairs)), array("d", (value for _, value in pairs)))]
            tracks[label] = Track(label, *found[0])
        return tracks


# A text log -> the table.


_ITERATION = r"iter:\s*(?P<iteration>\d[\d,]{0,17})(?![\d,])"
_RATE = r" lr:\((?P<rate>[^)]*)\)\]"
# what follows `iter:` in the head of a line, by trainer; the last is of any other
_HEADS = tuple((trainer, re.compile(_ITERATION + rest)) for trainer, rest in (
    ("neosr", r" \] \[ performance: (?P<speed>[\d.]+) it/s \] \[ lr: (?P<rate>[^]]*)\]"),
    ("BasicSR", _RATE + r" \[eta: [^]]*?time \(data\): (?P<spent>[\d.]+) \((?P<waited>[\d.]+)\)\]"),
    ("traiNNer-redux fork", _RATE + r"[^l]* \[net: .*? \[perf: (?P<speed>[\d.]+) "),
    ("traiNNer-redux", _RATE + r" \[performance: (?P<speed>[\d.]+)"),
    ("", r"(?:,? lr:\(?(?P<rate>[-+.\de]+))?"),
))  # fmt: skip
_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?(?:e[-+]?\d+)?|nan|inf)"
_ENTRY = re.compile(rf"(?<![\w./-])([A-Za-z][\w./-]*): ({_NUMBER})(?=[\s,\]]|$)")
# A line that breaks off in a number: values end in e-02, metrics have four decimals.
_CUT_NUMBER = re.compile(r"(?:iter:.*(?<!e[-+]\d)|#.*(?<!\.\d{3}))[\d.]$|\de[-+]?$")
_NEVER = re.compile(r"(?!)")
_COLOUR = re.compile(r"\x1b\[[\d;]*m")
_STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_METRIC = re.compile(rf"# (\S+)\s*:\s*({_NUMBER})(?:.*?Best:\s*({_NUMBER}) @\s*([\d,]+) iter)?")
_VALIDATION = re.compile(r"Validation (.+?)\s*$")
_START = re.compile(r"(?:Start|Resuming) training from epoch: [\d,]+, iter: ([\d,]+)")
_SAVED = re.compile(r"Saving models and training states(?: to .*, iter: ([\d,]+))?")
_NOT_FINITE = re.compile(r"NaN/Inf in loss \(count: (\d+)\)")
_OWN_EVENT = re.compile(r"autocal: iteration (\d+): (?:([^;]+?): )?(.+?); ")
_OWN_END = re.compile(r"autocal: the training broke off: (.+?)\s*$")  # what `autocal run` says of an error
_ERROR = re.compile(r"^\s*([A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit)): (.+?)\s*$")
_TOTAL = re.compile(r"(?:[Tt]otal iters:?|iters:)\s+([\d,]+)")

_COUNTS = {"Number of train": "images", "Dataset size": "images", "Batch size per": "batch", "Accumulated": "batch",
           "Accumulate iter": "accumulated", "World size": "devices", "GPUs": "devices"}  # fmt: skip
_COUNT = re.compile(rf"({'|'.join(_COUNTS)})[^:\t]*:\s+([\d,]*\d)")
_KEYS = "model_type|total_iter|val_freq|print_freq|save_checkpoint_freq|gan_type|scale|pretrain_network_g|warmup_iter"
_FACT = re.compile(rf"""^\s*['"]?({_KEYS})['"]?\s*[:=]\s*(?:!!\w+\s+)?['"]?([^\s#'",\]]+)""")
_KIND = re.compile(r"""^\s*(?:- )?['"]?type['"]?\s*[:=]\s*['"]?([^\s#'",]+)""")
_OPTIMIZER = re.compile(r"""^\s*\[?['"]?(?:train\.)?(optim_[gd])\b""")
_OPTIMIZER_RATE = re.compile(r"""^\s*['"]?lr['"]?\s*[:=]\s*(?:!!float\s+)?([-+\d.eE]+)""")
_WEIGHT = re.compile(r"""^\s*['"]?(?:loss|perceptual)_weight['"]?\s*[:=]\s*(?:!!float\s+)?([-+\d.eE]+)""")

_MARKS: tuple[tuple[str, Ending], ...] = (
    ("End of training", "finished"),
    ("User interrupted", "stopped"),
    ("Interrupted, saving", "stopped"),
    ("Training stopped by automation", "stopped"),  # a fork of traiNNer-redux that stops early by itself
)


class OptionReader:
    """Options of a training, line by line: as the trainer prints them before it starts, or as its config has them."""

    def __init__(self, facts: dict[str, str]) -> None:
        self.facts = facts
        self._kind = self._optimizer = ""

    def take(self, line: str) -> None:
        if found := _FACT.match(line):
            self.facts[found[1]] = found[2]
        elif found := _KIND.match(line):
            self._kind = found[1]
        elif found := _OPTIMIZER.match(line):
            self._optimizer = found[1]
        elif self._optimizer and (found := _OPTIMIZER_RATE.match(line)):
            self.facts[f"rate:{self._optimizer}"] = found[1]
            self._optimizer = ""
        elif found := _WEIGHT.match(line):
            self.facts[f"weight:{self._kind.lower()}"] = found[1]
        elif found := _TOTAL.search(line):
            self.facts["total_iter"] = found[1].replace(",", "")
        else:
            self.facts.update((_COUNTS[name], count) for name, count in _COUNT.findall(line))


class TextReader:
    """Lines of one text log into a table. The shape of a line is learnt, so that the next is read by two patterns: the
    head of its trainer's lines, and a tail in which the numbers alone are free."""

    damaged = False  # whatever stands in a text, the next line may be read

    def __init__(self, table: RunTable, facts: dict[str, str]) -> None:
        self.table, self.facts = table, facts
        self.options = OptionReader(facts)
        self.start = 0
        self.first: int | None = None
        self.last: int | None = None
        self.ending: Ending = "unsaid"
        self._began = self._newest = ""  # times of the first and the newest line
        self._head, self._tail = _HEADS[-1][1], _NEVER
        self._columns: tuple[str, ...] = ()
        self._rate_text, self._rate = "", math.nan
        self._dataset: str | None = None
        self._error = False  # whether a traceback is being read

    def take(self, data: bytearray) -> None:
        """Takes whole lines off the beginning of `data`: the rest of the last one is read when it is there."""
        end = data.rfind(b"\n")
        if end >= 0:
            self.read(data[:end].decode("utf-8", "replace").split("\n"))
            del data[: end + 1]

    def read(self, lines: Iterable[str]) -> None:
        """Takes whole lines, with or without their ends."""
        for line in lines:
            at = line.find("iter:")
            if at < 0 or "epoch:" not in line[:at] or not self._point(line, at):
                self._word(line)

    def whole(self, rest: bytearray) -> bool:
        """Whether a last line without its break breaks off in no number, and has all that the line before it had."""
        line = rest.decode("utf-8", "replace")
        at = line.find("iter:")
        shaped = at < 0 or not self._columns or self._numbers(line, at) is not None
        return shaped and not _CUT_NUMBER.search(line)

    def session(self) -> Session:
        began, ended = (found[0] if (found := _STAMP.match(text)) else None for text in (self._began, self._newest))
        return Session(self.start, self.first, self.last, self.ending, began, ended)

    def _at(self, stamp: str) -> None:
        self._newest = stamp
        self._began = self._began or stamp

    def _point(self, line: str, at: int) -> bool:
        """Takes the numbers of an iteration; False where the line holds none, as that of a start or a checkpoint."""
        if "\x1b" in line:
            line = _COLOUR.sub("", line)
            at = line.find("iter:")
        found = self._numbers(line, at)
        if found is None:
            self._learn(line, at)
            found = self._numbers(line, at)
        if found is None:
            return False
        self.last, values = found
        self.table.add(self.last, self._columns, values)
        self.first = self.last if self.first is None else self.first
        self._at(line[:19])
        return True

    def _numbers(self, line: str, at: int) -> tuple[int, list[float]] | None:
        """Iteration and numbers of a line in the shape that was learnt, None for one of another."""
        head = self._head.match(line, at)
        tail = head and self._tail.search(line, head.end())
        if not head or not tail:
            return None
        try:
            values = [*map(float, tail.groups()), *self._head_numbers(head)]
        except ValueError:
            return None
        return int(head["iteration"].replace(",", "")), values

    def _learn(self, line: str, at: int) -> None:
        """The patterns of a line of another shape than the one before, and of all that follow in its shape."""
        heads = ((trainer, pattern, found) for trainer, pattern in _HEADS if (found := pattern.match(line, at)))
        trainer, self._head, head = next(heads, ("", _HEADS[-1][1], None))
        start = head.end() if head else at
        entries = list(_ENTRY.finditer(line, start))
        while entries and not wanted(entries[0][1]):
            start = entries.pop(0).end()
        self._columns = (*(one[1] for one in entries if wanted(one[1])), "lr", "time", "data_time")
        self._tail = _tail_of(line, start, entries) if entries else _NEVER
        if trainer and entries:
            self.facts.setdefault("trainer", trainer)

    def _head_numbers(self, head: re.Match[str]) -> tuple[float, float, float]:
        """Learning rate, seconds a step, and seconds of it spent waiting for data; NaN where the trainer says none."""
        known, nan = self._head.groupindex, math.nan
        text = head["rate"] or ""
        if text != self._rate_text:
            self._rate_text = text
            first = text.split(",")[0].strip()
            self._rate = _or_nan(first if first.count("e") < 2 else first[:8])  # neosr prints several without a blank
        if "spent" in known:
            return self._rate, _or_nan(head["spent"]), _or_nan(head["waited"])
        speed = _or_nan(head["speed"]) if "speed" in known else 0.0
        return self._rate, 1.0 / speed if speed > 0.0 else nan, nan

    def _word(self, line: str) -> None:
        """Any other line."""
        if "\x1b" in line:
            line = _COLOUR.sub("", line)
        if found := _METRIC.search(line):
            if self._dataset:
                self._metric(found, self._dataset)
            return
        if line[:1].isdigit() and _STAMP.match(line):
            self._at(line[:19])
            self._error = False
        if "autocal: " in line:
            self._own_word(line)
        elif found := _VALIDATION.search(line):
            self._dataset = found[1]
        elif found := _START.search(line):
            self.start = self.table.resumed_from = int(found[1].replace(",", ""))
        elif found := _SAVED.search(line):
            said = int(found[1].replace(",", "")) if found[1] else self._multiple_of("save_checkpoint_freq")
            self.table.saved.append(self.table.last if said is None else said)
        elif "Save the latest model" in line:
            self.table.saved.append(self.table.last)
        elif found := _NOT_FINITE.search(line):
            self._event("non-finite", f"NaN or infinity in the sum, {found[1]} in a row")
        elif "Traceback (most recent call last)" in line:
            self.ending, self._error = "crashed", True
        elif self._error and (found := _ERROR.match(line)):
            self._event("error", f"{found[1]}: {found[2]}")
        elif mark := next((ending for words, ending in _MARKS if words in line), None):
            self.ending = mark
            self.facts["stopped by"] = line.partition("by automation: ")[2].strip()
        elif self.first is None:
            self.options.take(line)

    def _own_word(self, line: str) -> None:
        """What `autocal run` says: the scheduler's events, and what ended the training; not its verdict at the end."""
        if (found := _OWN_EVENT.search(line)) and found[3] != "resumed":
            self.table.events.append(LogEvent("scheduler", int(found[1]), found[2] or "*", found[3]))
        elif found := _OWN_END.search(line):
            self.ending = "stopped" if found[1].startswith("KeyboardInterrupt") else "crashed"
            if self.ending == "crashed":
                self._event("error", found[1])

    def _event(self, kind: EventKind, cause: str) -> None:
        self.table.events.append(LogEvent(kind, self.table.last, "*", cause))

    def _metric(self, found: re.Match[str], dataset: str) -> None:
        """The trainers do not print the iteration of a validation: it is a multiple of val_freq at or after the line
        before, or the one of the best value where this is it; after the end, the last one."""
        name, value, iteration = found[1], float(found[2]), self.table.last
        if self.ending != "finished":
            best = found[4] if found[3] is not None and float(found[3]) == value else None
            iteration = self._multiple_of("val_freq") or max(iteration, whole_number(best or "") or 0)
        done = self.table.validations[-1:]
        if done and (done[0].iteration, done[0].dataset) == (iteration, dataset) and name in done[0].metrics:
            return  # the validation after the end repeats the one at the last iteration
        self.table.validated(iteration, dataset, name, value)

    def _multiple_of(self, fact: str) -> int | None:
        """The multiple of an option at or after the line before; None where the option is not known."""
        every = whole_number(self.facts.get(fact, "")) or 0
        return max(every, -(-self.table.last // every) * every) if every > 0 else None


def _tail_of(line: str, start: int, entries: Sequence[re.Match[str]]) -> re.Pattern[str]:
    """A pattern of the same labels with the same signs between them; only the numbers that are wanted are groups."""
    parts, end = [], max(start, entries[0].start() - 2)  # with two signs before it, so that no label more comes first
    for one in entries:
        end, begin, after = one.end(), end, line[one.end() : one.end() + 1].strip() or " "
        number = f"[^{re.escape(after)}]+"  # up to the sign after it: one test a letter
        parts.append(re.escape(line[begin : one.start(2)]) + (f"({number})" if wanted(one[1]) else number))
    return re.compile("".join(parts) + re.escape(line[end:].rstrip()) + r"\s*$")


def _or_nan(text: str) -> float:
    number = number_of(text)
    return math.nan if number is None else number
