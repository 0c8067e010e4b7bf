"""What a finding is, why it matters, and an example: a `Rule` beside the function that finds it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from autocal_cli.errors import Rule, Severity

FAMILIES = (
    "block",
    "values",
    "numbers",
    "losses",
    "run",
    "options",
    "training",
    "network",
    "trainer",
    "dataset",
    "files",
    "probe",
    "commands",
)
Check = TypeVar("Check", bound=Callable[..., object])
RULES: dict[str, Rule] = {}
CHECKS: dict[str, list[Any]] = {}  # by module: the functions that have a rule
_HEAD = re.compile(r"(\w+)/([\w-]+) \[(\w+)\]: (.+)")


def rule(head: str, *, bad: str | None = None, **texts: Any) -> Callable[[Check], Check]:
    """Writes a rule down, beside the function that finds it.

    `head` is `family/code [severity]: title`; in `bad` a `^` stands before the place of the finding; `texts` are the
    other fields of Rule.
    """
    parts = _HEAD.fullmatch(head)
    if parts is None or parts[2] in RULES:
        raise ValueError(f"No head of a rule, or one of a code that is described already: {head}")
    if bad is not None:
        before, _, rest = bad.partition("^")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        texts |= {"bad": before + rest, "at": f"{line}:{column}"}
    RULES[parts[2]] = Rule(parts[2], parts[1], parts[4], cast(Severity, parts[3]), **texts)

    def found_by(check: Check) -> Check:
        checks = CHECKS.setdefault(check.__module__, [])
        checks += [] if check in checks else [check]
        return check

    return found_by


def redux(*lines: str, top: str = "") -> str:
    """An example config of traiNNer-redux with these lines in `train` (one of a key that is there replaces it)."""
    train = {
        "total_iter": "total_iter: 40000",
        "optim_g": "optim_g: {type: AdamW, lr: 0.0001}",
        "losses": "losses:\n    - {type: l1loss, loss_weight: 1.0}\n    - {type: mssimloss, loss_weight: 0.5}",
    }
    return _example("scale: 2\nnetwork_g: {type: compact}\n", top, train, lines)


def training_set(lines: str) -> str:
    """An example config of traiNNer-redux with these lines in its training set."""
    head = "datasets:\n  train:\n    name: Train\n    type: pairedimagedataset\n    dataroot_gt: images\n"
    rest = "    dataroot_lq: small\n    num_worker_per_gpu: 2\n"
    return redux(top=head + rest + "".join(f"    {line}\n" for line in lines.split("\n")).rstrip("\n"))


def basicsr(*lines: str, top: str = "", model: str = "SRModel") -> str:
    """The like for BasicSR."""
    train = {
        "total_iter": "total_iter: 40000",
        "optim_g": "optim_g: {type: Adam, lr: 0.0001}",
        "scheduler": "scheduler: {type: MultiStepLR, milestones: [20000, 30000], gamma: 0.5}",
        "pixel_opt": "pixel_opt: {type: L1Loss, loss_weight: 1.0}",
    }
    network = "network_g: {type: MSRResNet, num_in_ch: 3, num_out_ch: 3, upscale: 2}"
    return _example(f"model_type: {model}\nscale: 2\n{network}\n", top, train, lines)


def _example(head: str, top: str, train: dict[str, str], lines: tuple[str, ...]) -> str:
    train |= {line.partition(":")[0]: line for line in lines}
    return head + (top and top + "\n") + "train:\n" + "".join(f"  {line}\n" for line in train.values())


L1_AND_MSSIM = {"l1loss": 1.0, "mssimloss": 0.5}


def nano(
    *block: str,
    losses: Mapping[str, float] = L1_AND_MSSIM,
    total_iter: int | str = 40000,
    top: str = "network_g: {type: paragonsr2_nano}",
) -> str:
    """An example config of ParagonSR2 nano, with these lines in its block; without one, without a block."""
    listed = [f"    - {{type: {kind}, loss_weight: {weight}}}\n" for kind, weight in losses.items()]
    listed = [line.replace("{type: ^", "^{type: ") for line in listed]
    section = ["  dynamic_loss_scheduling:\n", *(f"    {line}\n" for line in block)] if block else []
    return f"scale: 2\n{top}\ntrain:\n  total_iter: {total_iter}\n  losses:\n" + "".join([*listed, *section])
