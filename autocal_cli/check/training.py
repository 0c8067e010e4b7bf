"""Training sanity: averages, adversarial training, precision, and automation that is never called."""

from __future__ import annotations

import re
from collections.abc import Iterator

from autocal_cli.calibration.rules import significant
from autocal_cli.check.keys import text_numbers
from autocal_cli.check.model import Checked
from autocal_cli.check.rule import basicsr, redux, rule
from autocal_cli.check.trainer_options import options_of
from autocal_cli.errors import Finding, Severity

ADVERSARIAL = "adversarial"
# BasicSR's models that train against a discriminator (basicsr/models), and those that read no `gan_opt`.
GAN_MODELS = frozenset({
    "SRGANModel", "ESRGANModel", "RealESRGANModel", "VideoRecurrentGANModel", "HiFaceGANModel", "StyleGAN2Model",
})  # fmt: skip
PIXEL_MODELS = frozenset({
    "SRModel", "RealESRNetModel", "EDVRModel", "VideoBaseModel", "VideoRecurrentModel", "SwinIRModel",
})  # fmt: skip
FROM_SCRATCH = frozenset({"StyleGAN2Model", "HiFaceGANModel"})  # generators of faces: trained so by their authors
GAN = "losses:\n    - {type: l1loss, loss_weight: 1.0}\n    - {type: ganloss, gan_type: vanilla, loss_weight: 0.1}"
OUTWEIGHED = GAN.replace("{type: gan", "^{type: gan").replace("0.1", "5")
OPTIM_D = "optim_d: {type: AdamW, lr: 0.0001}"


@rule(
    "training/ema-invalid [error]: An average that never moves, or explodes",
    why="The average is decay x old + (1 - decay) x new: at 1 it stays what it was at the start, beyond 1 it "
    "explodes; and it is the average that is validated and saved.",
    source="ema_pytorch, torch.optim.swa_utils.get_ema_multi_avg_fn, BasicSR's model_ema",
    bad=redux("ema_decay: ^1.0"),
    good=redux("ema_decay: 0.999"),
)
def ema_decay(checked: Checked) -> Iterator[Finding]:
    """The decay of the exponential moving average; 0, or below it with neosr, is none."""
    path = ("train", "ema") if checked.layout.trainer == "neosr" else ("train", "ema_decay")
    decay = checked.amount(*path)
    if decay is None or 0 <= decay < 1 or (decay < 0 and path[-1] == "ema"):
        return
    deed = "the average never moves from the start" if decay == 1 else "the average is none"
    message = f"`{'.'.join(path)}` is {decay:g}: {deed}."
    yield checked.finding("ema-invalid", message, "Write 0.999, or 0 for no average.", path)


@rule(
    "training/ldl-without-ema [error]: The LDL loss without an average",
    why="It compares the output with that of the averaged network; without one the trainer ends at the first step.",
    source="traiNNer-redux, models/sr_model.py: `ema_decay must be enabled for LDL loss`; BasicSR, "
    "models/esrgan_model.py",
    bad=redux("losses:\n    - {type: l1loss, loss_weight: 1.0}\n    - ^{type: ldlloss, loss_weight: 1.0}"),
    good=redux(
        "losses:\n    - {type: l1loss, loss_weight: 1.0}\n    - {type: ldlloss, loss_weight: 1.0}", "ema_decay: 0.999"
    ),
)
def ldl_without_ema(checked: Checked) -> Iterator[Finding]:
    """An LDL loss needs `ema_decay`; neosr's compares with no average."""
    if checked.layout.trainer == "neosr" or (checked.amount("train", "ema_decay") or 0) > 0:
        return
    for loss in checked.config.active_losses:
        if loss.type.lower() == "ldlloss":
            message = f"{loss.type} needs the averaged network, and `train.ema_decay` is not set."
            yield checked.finding("ldl-without-ema", message, "Write `ema_decay: 0.999` in `train`.", loss.place)


@rule(
    "training/gan-without-pretrain [warning]: Adversarial training without a pretrained start",
    why="A network that knows nothing yet is told apart at once: the discriminator wins, and the adversarial loss "
    "drives noise into images that the other losses have not shaped. The published recipes pretrain without it.",
    source="Ledig et al. 2017 (SRGAN), 3.2, and Wang et al. 2018 (ESRGAN), 4.1: a PSNR-oriented network first; neosr "
    "#83",
    bad=redux(GAN.replace("{type: gan", "^{type: gan"), OPTIM_D, top="network_d: {type: dunet}"),
    good=redux(GAN, OPTIM_D, top="network_d: {type: dunet}\npath: {pretrain_network_g: x2_compact.pth}"),
)
@rule(
    "training/gan-weight-high [warning]: An adversarial loss that outweighs all others",
    why="What the discriminator asks for then drowns fidelity: colours drift, textures are invented, and the run "
    "collapses or ends in NaN.",
    source="706 option files of traiNNer-redux, its forks, BasicSR, Real-ESRGAN and neosr: at most 0.1 of the weights "
    "of the other losses together; ten times that is told, a factor that is chosen. neosr #83: a maintainer names the "
    "weight as a cause of NaN",
    bad=redux(OUTWEIGHED, OPTIM_D, top="network_d: {type: dunet}\npath: {pretrain_network_g: a.pth}"),
    good=redux(GAN, OPTIM_D, top="network_d: {type: dunet}\npath: {pretrain_network_g: a.pth}"),
)
@rule(
    "training/adversarial-inert [warning]: An adversarial loss without a gradient",
    why="neosr calls the discriminator for the generator's loss in inference mode, so that nothing of it reaches the "
    "generator: the loss is logged, and trains nothing.",
    source="neosr since commit 75bed7f, models/image.py: `with torch.inference_mode(): fake_g_pred = self.net_d(...)`",
    when="A neosr config has a `gan_opt`.",
    trainer="neosr",
)
def adversarial_start(checked: Checked) -> Iterator[Finding]:
    """What an adversarial loss starts from, and whether it does anything."""
    active = checked.config.active_losses
    loss = next((one for one in active if one.kind == ADVERSARIAL), None)
    if loss is None:
        return
    if checked.layout.trainer == "neosr":
        message = f"{loss.type} trains nothing: neosr calls its discriminator in inference mode, without a gradient."
        fix = "Take that line out of models/image.py, or do without the loss."
        yield checked.finding("adversarial-inert", message, fix, loss.place)
        return
    others = sum(abs(one.weight) for one in active if one.kind != ADVERSARIAL)
    readable = all(text.key != "loss_weight" for text in text_numbers(checked).values())
    if readable and others and loss.weight >= others:
        message = f"{loss.type} has a weight of {loss.weight:g}, and all other losses together {others:g}."
        yield checked.finding("gan-weight-high", message, f"Begin with {significant(others / 20, 1):g}.", loss.place)
    started = [checked.option("path", key) for key in ("pretrain_network_g", "pretrain_network_g_path", "resume_state")]
    waits = loss.arguments.get("start_iter")  # of the fork: until then the other losses train alone
    waits = isinstance(waits, int) and waits > 0
    if not any(started) and not waits and checked.config.model_type not in FROM_SCRATCH:
        message = f"{loss.type} from the first step, and no `path.pretrain_network_g`: the discriminator wins at once."
        fix = "Train with the other losses first, and name that checkpoint."
        place = checked.key_at(("path", "pretrain_network_g")) or loss.place
        yield checked.finding("gan-without-pretrain", message, fix, place)


@rule(
    "training/gan-loss-missing [error]: A model of adversarial training without its loss",
    why="The model calls the adversarial loss at every step, and ends at the first where there is none.",
    source="BasicSR, models/srgan_model.py: `self.cri_gan` is only set where there is a gan_opt",
    trainer="BasicSR",
    bad=basicsr(
        "optim_d: {type: Adam, lr: 0.0001}",
        model="^SRGANModel",
        top="network_d: {type: VGGStyleDiscriminator, num_in_ch: 3, num_feat: 64}",
    ),
    good=basicsr(),
)
@rule(
    "training/model-without-gan [warning]: An adversarial loss that the model does not read",
    why="The model trains with its pixel and perceptual losses alone; the adversarial one has no effect and no "
    "message.",
    source="BasicSR, models/sr_model.py, realesrnet_model.py: neither asks for gan_opt",
    trainer="BasicSR",
    bad=basicsr(
        "gan_opt: ^{type: GANLoss, gan_type: vanilla, loss_weight: 0.1}",
        "optim_d: {type: Adam, lr: 0.0001}",
        top="network_d: {type: VGGStyleDiscriminator, num_in_ch: 3, num_feat: 64}\npath: {pretrain_network_g: a.pth}",
    ),
    good=basicsr(),
)
@rule(
    "training/generator-never-updated [error]: A generator that waits for its discriminator for ever",
    why="The generator is updated after net_d_init_iters only.",
    source="BasicSR, models/srgan_model.py: `current_iter > self.net_d_init_iters`",
    trainer="BasicSR",
    bad=basicsr("net_d_init_iters: ^50000"),
    good=basicsr("net_d_init_iters: 0"),
)
@rule(
    "training/discriminator-input [error]: A discriminator for crops of another size",
    why="VGGStyleDiscriminator ends in a layer that fits one size of image; it asserts that size at the first step.",
    source="BasicSR and traiNNer-redux, archs/discriminator_arch.py: input_size 128 or 256",
    when="The crop of the training set is not the `input_size` of a VGGStyleDiscriminator.",
)
def adversarial_parts(checked: Checked) -> Iterator[Finding]:
    """Model, loss and discriminator, where the trainer is BasicSR or its like."""
    model, total = checked.config.model_type, checked.config.total_iter
    gan, waits = ("train", "gan_opt"), ("train", "net_d_init_iters")
    if model in GAN_MODELS and not checked.table(*gan):
        message = f"{model} needs `train.gan_opt`, and there is none: it ends at the first step."
        yield checked.finding("gan-loss-missing", message, "Add it.", ("model_type",))
    if model in PIXEL_MODELS and checked.table(*gan) and checked.amount(*gan, "loss_weight") != 0:
        message = f"{model} reads no `gan_opt`: the adversarial loss has no effect."
        fix = "Take ESRGANModel or RealESRGANModel, or remove it."
        yield checked.finding("model-without-gan", message, fix, gan)
    first = checked.amount(*waits)
    if total is not None and first is not None and first >= total:
        message = f"The generator is first updated after {first:,} iterations, and the run ends at {total:,}."
        yield checked.finding("generator-never-updated", message, "Write 0.", waits)
    discriminator = checked.config.discriminator
    if discriminator is not None and discriminator.type.lower() == "vggstylediscriminator":
        wanted = discriminator.arguments.get("input_size", 128)
        for section in checked.config.datasets:
            if section.trains and section.gt_size and section.gt_size != wanted in (128, 256):
                sizes = f"The crop is {section.gt_size} and VGGStyleDiscriminator takes {wanted}"
                fix = f"Take a crop of {wanted}, or write `input_size: 256` with one of 256."
                message = f"{sizes}: it ends at the first step."
                yield checked.finding("discriminator-input", message, fix, section.crop_place)


@rule(
    "training/bf16-without-amp [warning]: bf16 without mixed precision",
    why="Without use_amp the run is in fp32: slower, and with twice the memory. neosr ends instead, so that it is an "
    "error there.",
    source="traiNNer-redux, models/sr_model.py: `bf16 was enabled without AMP and will have no effect`; neosr, "
    "train.py",
    bad=redux(top="use_amp: false\namp_bf16: ^true"),
    good=redux(top="use_amp: true\namp_bf16: true"),
)
def bf16_without_amp(checked: Checked) -> Iterator[Finding]:
    """`amp_bf16` (neosr: `bfloat16`) where `use_amp` is off."""
    ends = checked.layout.trainer == "neosr"
    key = "bfloat16" if ends else "amp_bf16"
    if checked.option(key) is True and not checked.option("use_amp"):
        so = ", and neosr ends." if ends else ": the run is in fp32."
        message = f"`{key}` has no effect without `use_amp`{so}"
        severity: Severity = "error" if ends else "warning"
        yield checked.finding("bf16-without-amp", message, "Write `use_amp` true.", (key,), severity)


AUTOMATIONS = ("train", "training_automations")


@rule(
    "training/automation-never-called [warning]: Automation that nothing calls",
    why="The fork fetches its automations by the names of their classes and runs those that are `enabled`; under any "
    "other name one is built and never asked, and early stopping waits for a metric that no validation gives.",
    source='delafer/traiNNer-redux, models/base_model.py: `automations.get("IntelligentEarlyStopping")`; published '
    "configs with snake_case names",
    trainer="traiNNer-redux-fork",
    bad=redux("training_automations:\n    enabled: true\n    ^adaptive_gradient_clipping: {enabled: true}"),
    good=redux("training_automations:\n    enabled: true\n    AdaptiveGradientClipping: {enabled: true}"),
)
@rule(
    "training/patience-in-validations [warning]: A patience of more validations than the run has",
    why="Patience counts validations, not iterations: the run ends long before it does.",
    source="published configs: a patience of 10,000 with a validation every 1,000 iterations; delafer/traiNNer-redux, "
    "utils/training_automations.py",
    trainer="traiNNer-redux-fork",
    bad=redux(
        "training_automations:\n    enabled: true\n    IntelligentEarlyStopping: {enabled: true, patience: ^10000}",
        top="val: {val_enabled: true, save_img: false, val_freq: 1000, metrics_enabled: true, "
        "metrics: {psnr: {type: calculate_psnr, crop_border: 2}}}",
    ),
    good=redux(
        "training_automations:\n    enabled: true\n    IntelligentEarlyStopping: {enabled: true, patience: 10}",
        top="val: {val_enabled: true, save_img: false, val_freq: 1000, metrics_enabled: true, "
        "metrics: {psnr: {type: calculate_psnr, crop_border: 2}}}",
    ),
)
def automations(checked: Checked) -> Iterator[Finding]:
    """The fork's automations: whether they are called, and whether they can act within the run."""
    table, options = checked.table(*AUTOMATIONS), options_of(checked.layout.trainer)
    if not table or options is None or "Automations" not in options.definitions:
        return
    wanted = [name for name, on in table.items() if isinstance(on, dict) and on.get("enabled") is True]
    if wanted and table.get("enabled") is not True:
        message = "`training_automations` is not `enabled`: nothing of it is built."
        fix, place = "Write `enabled: true` in it.", checked.key_at(AUTOMATIONS)
        yield checked.finding("automation-never-called", message, fix, place)
    classes = {_plain(name): name for name in options.definitions["Automations"]["properties"] if name != "enabled"}
    for name in table:
        if name != "enabled" and name not in classes.values():
            near = classes.get(_plain(name)) or next((classes[one] for one in classes if _plain(name) in one), None)
            message = f"The trainer asks for its automations by class name: `{name}` is never called."
            fix = f"Write `{near}`." if near else f"Known: {', '.join(classes.values())}."
            yield checked.finding("automation-never-called", message, fix, checked.key_at((*AUTOMATIONS, name)))
    path = (*AUTOMATIONS, "IntelligentEarlyStopping")
    if checked.option(*path, "enabled") is not True:
        return
    if checked.option("val", "val_enabled") is False or checked.option("val", "metrics_enabled") is False:
        message = "IntelligentEarlyStopping waits for a metric, and no validation gives one."
        fix, place = "Enable `val` and its metrics.", checked.key_at(path)
        yield checked.finding("automation-never-called", message, fix, place)
    total, every = checked.config.total_iter, checked.amount("val", "val_freq")
    for key in ("patience", "max_no_improvement"):
        patience = checked.amount(*path, key)
        if patience and total and every and patience * every > total:
            counted = f"A {key} of {patience:,} counts validations, one every {every:,} iterations"
            message = f"{counted}: {patience * every:,} iterations in a run of {total:,}."
            fix = f"Write at most {max(1, int(total // every // 5))}."
            yield checked.finding("patience-in-validations", message, fix, (*path, key))


@rule(
    "training/automation-inert [warning]: adaptive_d at numbers with which it does nothing",
    why="The discriminator is skipped where the average of its opponent's loss rises by the threshold within one "
    "step. An average with a decay of 0.999 rises by 2% only where the loss is 21 times the average: in the first 48 "
    "steps, while it is still near 0, and never again.",
    source="traiNNer-redux, models/sr_model.py, and arithmetic: (threshold - 1) / (1 - decay) + 1 times the average",
    bad=redux(GAN, OPTIM_D, "adaptive_d: ^true", top="network_d: {type: dunet}\npath: {pretrain_network_g: a.pth}"),
    good=redux(
        GAN,
        OPTIM_D,
        "adaptive_d: true",
        "adaptive_d_threshold: 1.0002",
        "adaptive_d_ema_decay: 0.999",
        top="network_d: {type: dunet}\npath: {pretrain_network_g: a.pth}",
    ),
)
def adaptive_discriminator(checked: Checked) -> Iterator[Finding]:
    """traiNNer-redux' `adaptive_d`, where its numbers keep it from ever acting."""
    if checked.option("train", "adaptive_d") is not True:
        return
    decay = checked.amount("train", "adaptive_d_ema_decay")
    threshold = checked.amount("train", "adaptive_d_threshold")
    decay, threshold = 0.999 if decay is None else decay, 1.02 if threshold is None else threshold
    times = 1 + (threshold - 1) / (1 - decay) if decay < 1 else float("inf")
    if times > 5:  # a loss rarely grows fivefold within a step; chosen
        numbers = f"(threshold {threshold:g}, decay {decay:g})"
        message = f"adaptive_d acts where l_g_gan is {times:.0f} times its average {numbers}: in the first steps only."
        fix = f"Write adaptive_d_threshold: {1 + 0.2 * (1 - decay):g}, which acts at 1.2 times the average."
        yield checked.finding("automation-inert", message, fix, ("train", "adaptive_d"))


@rule(
    "training/block-not-calibrated [warning]: A block that nothing was chosen for",
    why="Without `auto_calibrate` the scheduler runs at its own defaults, which fit no network in particular.",
    source='published configs: a heading "with auto-calibration" over a block of `enabled: true` alone',
    trainer="traiNNer-redux-fork",
    bad=redux("^dynamic_loss_scheduling:\n    enabled: true"),
    good=redux("dynamic_loss_scheduling:\n    enabled: true\n    auto_calibrate: true"),
)
def block_not_calibrated(checked: Checked) -> Iterator[Finding]:
    """A block without `auto_calibrate` and without a parameter of one's own."""
    block = checked.active
    if block is None or set(block.values) - {"enabled"}:
        return
    comment = re.search(r"#[^\n]*auto[-_ ]?calibrat", checked.document.text, re.IGNORECASE)
    why = ", though a comment speaks of auto-calibration" if comment else ""
    message = f"The block has neither `auto_calibrate` nor a parameter{why}: the scheduler runs at its defaults."
    yield checked.finding("block-not-calibrated", message, "Write `auto_calibrate: true` in it.", block.place)


LQ_ALONE = (
    "val: {{val_enabled: true, val_freq: 1000, save_img: false, {}, metrics: {{psnr: {{type: calculate_psnr, "
    "crop_border: 4}}}}}}\n"
    "datasets:\n"
    "  train: {{name: Train, type: pairedimagedataset, dataroot_gt: images, dataroot_lq: small, lq_size: 16, "
    "batch_size_per_gpu: 8, num_worker_per_gpu: 2, accum_iter: 1}}\n"
    "  val: {{name: Val, type: singleimagedataset, dataroot_lq: small}}"
)


@rule(
    "training/metrics-without-pairs [error]: Metrics without a validation set to reckon them on",
    why="Metrics compare with a GT image; without a paired validation set the trainer ends before the first step.",
    source="traiNNer-redux, train.py: `at least one validation dataset must have type PairedImageDataset or "
    "PairedVideoDataset`",
    bad=redux(top=LQ_ALONE.format("metrics_enabled: ^true")),
    good=redux(top=LQ_ALONE.format("metrics_enabled: false")),
)
def metrics_without_pairs(checked: Checked) -> Iterator[Finding]:
    """traiNNer-redux: metrics enabled, and no validation set of pairs."""
    val = checked.table("val")
    enabled = val.get("val_enabled") is True and val.get("metrics_enabled") is True and val.get("metrics")
    if not enabled or not checked.layout.trainer.startswith("traiNNer"):
        return
    sets = [one for name, one in checked.table("datasets").items() if name.split("_")[0] == "val"]
    kinds = [str(one.get("type", "")).lower() for one in sets if isinstance(one, dict)]
    if kinds and not {"pairedimagedataset", "pairedvideodataset"} & set(kinds):
        message = "Metrics are enabled, and no validation set has pairs: traiNNer-redux ends."
        fix = "Name a PairedImageDataset, or write `metrics_enabled: false`."
        yield checked.finding("metrics-without-pairs", message, fix, ("val", "metrics_enabled"))


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
