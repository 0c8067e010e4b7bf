"""The losses: whether there are any, whether they can be balanced, and whether an adversarial one has its opponent."""

from __future__ import annotations

from collections.abc import Iterator

from autocal_cli.check.model import Checked
from autocal_cli.check.rule import nano, rule
from autocal_cli.check.training import ADVERSARIAL, GAN_MODELS
from autocal_cli.config.losses import UNKNOWN, loss_label
from autocal_cli.config.model import KeyPath, LossTerm
from autocal_cli.config.yaml.document import is_null, node_at
from autocal_cli.errors import Finding, Severity

# An example of adversarial training, for the rules below.
GAN = """\
scale: 2
network_d: {type: dunet}
network_g: {type: paragonsr2_nano}
path: {pretrain_network_g: x2_nano.pth}
train:
  total_iter: 40000
  optim_d: {type: AdamW, lr: 1.0e-04}
  losses:
    - {type: l1loss, loss_weight: 1.0}
    - {type: ganloss, loss_weight: 0.1}
"""


@rule(
    "losses/losses-none [error]: There is no loss to train with",
    why="The trainer needs at least one loss of a weight other than 0.",
    source="traiNNer-redux, sr_model.py: `At least one loss must be defined.`",
    bad=nano(losses={"l1loss": 0}).replace("losses", "^losses"),
    good=nano(),
)
@rule(
    "losses/losses-off [info]: Losses of weight 0",
    why="Templates list losses with weight 0 to be switched on by whoever wants them. The trainer skips them, and so "
    "does the scheduler.",
    source="traiNNer-redux, sr_model.py: losses of weight 0 are not built",
    bad=nano(losses={"l1loss": 1.0, "^ffloss": 0}),
    good=nano(),
)
def active_losses(checked: Checked) -> Iterator[Finding]:
    """A run needs a loss; those of weight 0 are skipped, as templates mean it."""
    losses = checked.config.losses
    off = [loss for loss in losses if not loss.active]
    if not _active(checked):
        if any(problem.code == "losses-malformed" for problem in checked.problems):
            return
        what = f"of {len(losses)} losses none has a weight other than 0" if losses else "there is no loss"
        place = checked.key_at(checked.layout.losses) or checked.config.place
        yield checked.finding(
            "losses-none", f"Nothing is trained: {what}.", "Give at least one a weight above 0.", place
        )
    elif off:
        names = ", ".join(loss.type for loss in off)
        message = f"{len(off)} of {len(losses)} losses have weight 0 and are skipped: {names}."
        yield checked.finding("losses-off", message, None, off[0].place)


@rule(
    "losses/loss-negative [warning]: A loss of negative weight",
    why="It is no penalty any more: traiNNer-redux compares with the enlarged input instead of the target, BasicSR "
    "drives the loss up.",
    source="the sources of traiNNer-redux (sr_model.py; older versions skip such a loss) and BasicSR (losses multiply "
    "by their weight)",
    bad=nano(losses={"l1loss": 1.0, "^mssimloss": -0.5}),
    good=nano(),
)
def negative_losses(checked: Checked) -> Iterator[Finding]:
    """A loss of negative weight, and what its trainer makes of it."""
    deed = f"{checked.layout.trainer} multiplies by it, so that the loss is driven up"
    if checked.layout.trainer.startswith("traiNNer"):
        deed = "traiNNer-redux takes its absolute value, and the enlarged input for the target"
    for loss in checked.config.losses:
        if loss.weight < 0:
            message = f"The weight of {loss.type} is negative, {loss.weight:g}: {deed}."
            fix = f"Write {-loss.weight:g}, if that is not meant."
            yield checked.finding("loss-negative", message, fix, loss.place)


@rule(
    "losses/loss-twice [warning]: Two losses of one type",
    why="traiNNer-redux keeps losses by a label made of their type, so the second overwrites the first, which is "
    "never trained with.",
    source="traiNNer-redux, sr_model.py: `self.losses[label] = build_loss(loss)`",
    bad=nano(losses={"l1loss": 1.0, "^L1Loss": 0.5}),
    good=nano(),
)
def duplicate_losses(checked: Checked) -> Iterator[Finding]:
    """Of two listed losses of one type the trainer keeps only the last: they share a label."""
    seen: dict[str, LossTerm] = {}
    for loss in _active(checked):
        if loss.table is not None:
            continue
        label = loss_label(loss.type)
        if label in seen:
            twice = f"{loss.type} stands twice (first in line {seen[label].place.line})"
            message = f"{twice} and both are {label}: the trainer keeps the last and drops the first."
            yield checked.finding("loss-twice", message, "Remove one, or set its weight to 0.", loss.place)
        seen[label] = loss


@rule(
    "losses/nothing-to-move [info]: No adversarial loss",
    why="The scheduler moves the weights of adversarial losses alone, by what they cost in fidelity and by what the "
    "discriminator still tells. Without one it keeps watch and moves nothing.",
    source="the scheduler's own rule",
    bad=nano("auto_calibrate: true").replace("dynamic", "^dynamic"),
    good=GAN + "  dynamic_loss_scheduling: {auto_calibrate: true}\n",
)
def nothing_to_move(checked: Checked) -> Iterator[Finding]:
    """The scheduler moves adversarial losses alone; it watches all."""
    if checked.active is not None and _active(checked) and not checked.config.adversarial:
        message = "No loss is adversarial: the scheduler moves no weight here, and only watches the losses."
        yield checked.finding("nothing-to-move", message, None, checked.active.place)


@rule(
    "losses/discriminator-missing [error]: An adversarial loss without a discriminator",
    why="An adversarial loss asks a discriminator, which needs a network and an optimiser of its own. Without either "
    "the trainer ends before the first step.",
    source="traiNNer-redux, sr_model.py: `GAN loss requires discriminator network (network_d)`, `... optimizer "
    "(optim_d)`",
    bad=GAN.replace("network_d: {type: dunet}\n", "").replace("{type: gan", "^{type: gan"),
    good=GAN,
)
def discriminator_missing(checked: Checked) -> Iterator[Finding]:
    """An adversarial loss without `network_d` or its optimiser: trainers end before the first step."""
    loss = next((loss for loss in _active(checked) if loss.kind == ADVERSARIAL), None)
    if loss is None:
        return
    needed = {"network_d": "a discriminator", "train.optim_d": "an optimiser for the discriminator"}
    for key, what in needed.items():
        if not _present(checked, tuple(key.split("."))):
            message = f"{loss.type} needs {what}, and there is no `{key}`: the trainer ends at once."
            fix = f"Add `{key}`, or set the weight to 0."
            yield checked.finding("discriminator-missing", message, fix, loss.place)


@rule(
    "losses/discriminator-unused [warning]: A discriminator without an adversarial loss",
    why="The discriminator is not even built, and the training is another one than the config makes believe.",
    source="traiNNer-redux, sr_model.py: `Discriminator network will have no effect`; neosr, image.py, ends: "
    "`Discriminator needs GAN to be enabled`",
    bad=nano(top="^network_d: {type: dunet}\nnetwork_g: {type: paragonsr2_nano}"),
    good=GAN,
)
def discriminator_unused(checked: Checked) -> Iterator[Finding]:
    """The reverse: a discriminator that nothing trains against."""
    # Losses on the discriminator's features, or of unknown kind, may need it too.
    needed = any(loss.kind in ("feature matching", UNKNOWN) for loss in _active(checked))
    if checked.config.adversarial or not checked.config.losses or needed:
        return
    if checked.config.model_type in GAN_MODELS:  # told by `adversarial_parts`: there the loss is what is missing
        return
    if _present(checked, ("network_d",)):
        off = next((loss for loss in checked.config.losses if loss.kind == ADVERSARIAL), None)
        why = f"{off.type} has weight 0" if off else "no loss is adversarial"
        ends = checked.layout.trainer == "neosr" and off is None
        deed = "serves nothing, and neosr ends" if ends else "has no effect"
        severity: Severity | None = "error" if ends else None
        fix, place = "Remove it, or add an adversarial loss.", checked.key_at(("network_d",))
        yield checked.finding("discriminator-unused", f"`network_d` {deed}: {why}.", fix, place, severity)


def _active(checked: Checked) -> list[LossTerm]:
    return [loss for loss in checked.config.losses if loss.active or loss.style_weight]


def _present(checked: Checked, path: KeyPath) -> bool:
    node = node_at(checked.document, path)
    return node is not None and not is_null(checked.document, node)
