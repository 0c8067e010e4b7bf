"""Each formula gives the value and the gradient of the trainer's own class, on images that are the same everywhere.

The numbers were measured outside this repository by the classes of the-database/traiNNer-redux at 6862931,
delafer/traiNNer-redux at b676e3a, XPixelGroup/BasicSR at 8d56e3a and neosr-project/neosr at 31c7022, with torch 2.13.0
on the CPU, on 2026-11-27: the loss of `probe_images.pair()` without its weight, and the norm of its gradient at an
image, averaged over the two. LDL was given the output itself as that of its moving average. Perceptual losses had
torchvision's VGG with the weights of `probe_images.vgg_weights`.
"""

from __future__ import annotations

from functools import cache

import pytest
import torch
from probe_images import pair, vgg_weights

from autocal_cli.config.losses import loss_kind
from autocal_cli.config.model import LossTerm
from autocal_cli.errors import Place
from autocal_cli.probing.losses import FORK, Beside, build_loss, gradient_norms
from autocal_cli.probing.perceptual import CHANNELS, VggSource, layer_names

REDUX, BASICSR, NEOSR = "traiNNer-redux", "BasicSR", "neosr"


class Formula(VggSource):
    """Weights by formula instead of those that lie on a machine."""

    def load(self, kind: str):  # type: ignore[override]
        return weights(kind)


@cache
def weights(kind: str) -> dict[str, torch.Tensor]:
    return vgg_weights(kernels(kind))


def kernels(kind: str) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    inputs = 3
    for index, name in enumerate(layer_names(kind)):
        if name.startswith("conv"):
            outputs = CHANNELS[int(name[4]) - 1]
            shapes[f"features.{index}.weight"], shapes[f"features.{index}.bias"] = (outputs, inputs, 3, 3), (outputs,)
            inputs = outputs
    return shapes


@pytest.mark.parametrize(
    ("trainer", "type", "arguments", "value", "gradient"),
    [
        (REDUX, "l1loss", {}, 0.0509346, 0.00600884),
        (REDUX, "l1loss", {"reduction": "sum"}, 704.12, 83.0662),
        (REDUX, "mseloss", {}, 0.00341907, 0.000703311),
        (REDUX, "charbonnierloss", {}, 0.0509346, 0.00600884),
        (REDUX, "charbonnierloss", {"eps": 0.01}, 0.114814, 0.00280368),
        (REDUX, "fftloss", {}, 0.546291, 0.207525),
        (REDUX, "ffloss", {}, 0.0352773, 0.014903),
        (
            REDUX,
            "ffloss",
            {"alpha": 0.5, "ave_spectrum": False, "log_matrix": True, "batch_matrix": True},
            0.137233,
            0.0297655,
        ),
        (REDUX, "ffloss", {"patch_factor": 2}, 0.0371692, 0.0149027),
        (REDUX, "ssimloss", {}, 0.762923, 0.0688012),
        (REDUX, "ssimloss", {"test_y_channel": False}, 0.819674, 0.0392219),
        (REDUX, "mssimloss", {}, 0.0465574, 0.0222422),
        (REDUX, "mssimloss", {"test_y_channel": False, "include_luminance": True}, 0.024776, 0.00853283),
        (REDUX, "mssimloss", {"is_prod": False}, 0.0440967, 0.0203888),
        (REDUX, "sobeledgeloss", {}, 0.00350241, 0.00105924),
        (REDUX, "ldlloss", {}, 1.43122e-05, 2.38554e-05),
        (REDUX, "ldlloss", {"criterion": "charbonnier"}, 1.47996e-05, 2.36351e-05),
        (REDUX, "ldlloss", {"criterion": "l2"}, 2.07146e-08, 8.00361e-08),
        (REDUX, "colorloss", {}, 0.00578871, 0.0040672),
        (REDUX, "colorloss", {"criterion": "charbonnier", "scale": 2}, 0.019088, 0.00405963),
        (REDUX, "averageloss", {}, 0.0120486, 0.00601406),
        (REDUX, "averageloss", {"criterion": "l2", "scale": 2}, 0.00212093, 0.000553922),
        (REDUX, "bicubicloss", {}, 0.00371321, 0.0043181),
        (REDUX, "bicubicloss", {"criterion": "charbonnier", "scale": 2}, 0.0370225, 0.00472052),
        (REDUX, "lumaloss", {}, 0.0410648, 0.00736984),
        (REDUX, "lumaloss", {"criterion": "l2"}, 0.00216875, 0.000701853),
        (REDUX, "cosimloss", {}, 0.0201374, 0.00845208),
        (REDUX, "cosimloss", {"cosim_lambda": 1}, 0.00402749, 0.00169042),
        (REDUX, "hsluvloss", {}, 0.0524645, 0.00887527),
        (REDUX, "hsluvloss", {"criterion": "charbonnier"}, 0.0524645, 0.00886815),
        (REDUX, "hsluvloss", {"criterion": "l2", "downscale_factor": 2, "hue_weight": 1.0}, 0.0435463, 0.012936),
        (REDUX, "hsluvloss", {"blur_strength": 1}, 0.0229675, 0.00393949),
        (REDUX, "perceptualloss", {}, 0.0787284, 0.114098),
        (
            REDUX,
            "perceptualloss",
            {"criterion": "l1", "layer_weights": {"conv1_2": 0.1, "conv2_2": 1}},
            0.219813,
            0.10053,
        ),
        (
            REDUX,
            "perceptualloss",
            {"criterion": "pd", "layer_weights": {"relu1_2": 1, "relu2_1": 0.5}},
            0.538665,
            0.483316,
        ),
        (
            REDUX,
            "perceptualloss",
            {"criterion": "pd+l1", "layer_weights": {"conv2_1": 1, "relu2_2": 1}},
            0.404028,
            0.302161,
        ),
        (FORK, "huberloss", {"delta": 0.05}, 0.00147667, 0.000253424),
        (FORK, "chcloss", {}, 0.0509937, 0.00592884),
        (
            FORK,
            "chcloss",
            {"criterion": "l1", "loss_lambda": 0.02, "clip_min": 0.0, "clip_max": 1.0},
            0.0510182,
            0.00602439,
        ),
        (FORK, "consistencyloss", {}, 0.0705041, 0.00798487),
        (
            FORK,
            "consistencyloss",
            {"criterion": "l1", "blur": False, "cosim": False, "brightness": 1.0},
            0.0557548,
            0.00875292,
        ),
        (
            FORK,
            "consistencyloss",
            {"criterion": "huber", "blur_kernel_size": 9, "blur_sigma": 1.5},
            0.0020292,
            0.000451421,
        ),
        (FORK, "hsluvloss", {}, 0.0523676, 0.00886784),
        (FORK, "ssimloss", {}, 0.762923, 0.0688012),
        (FORK, "perceptualloss", {"layer_weights": {"conv1_2": 0.1, "conv2_2": 1}}, 0.219813, 0.100529),
        (FORK, "cosimloss", {}, 0.0201374, 0.0),
        (BASICSR, "L1Loss", {}, 0.0509346, 0.00600884),
        (BASICSR, "CharbonnierLoss", {"reduction": "sum"}, 704.12, 83.0662),
        (BASICSR, "PerceptualLoss", {"layer_weights": {"conv1_2": 0.1, "conv2_2": 1}}, 0.22172, 0.0998408),
        (
            BASICSR,
            "PerceptualLoss",
            {
                "layer_weights": {"relu1_1": 0.1, "relu2_1": 1},
                "use_input_norm": False,
                "range_norm": True,
                "criterion": "l2",
            },
            0.000490815,
            0.000456426,
        ),
        (BASICSR, "PerceptualLoss", {"layer_weights": {"conv2_2": 1}, "criterion": "fro"}, 89.1499, 45.1168),
        (
            BASICSR,
            "PerceptualLoss",
            {"layer_weights": {"conv1_2": 0.5, "pool1": 1}, "style_weight": 3.0, "perceptual_weight": 1.0},
            0.475577,
            0.161825,
        ),
        (BASICSR, "PerceptualLoss", {"layer_weights": {"conv2_2": 1}, "vgg_type": "vgg16"}, 0.152666, 0.0777267),
        (NEOSR, "HuberLoss", {"delta": 0.05}, 0.00147667, 0.000253424),
        (NEOSR, "chc_loss", {}, 0.0509936, 0.00592884),
        (NEOSR, "chc_loss", {"criterion": "l1", "loss_lambda": 0.02}, 0.0510748, 0.00594414),
        (NEOSR, "mssim_loss", {}, 0.0184144, 0.00452141),
        (NEOSR, "ff_loss", {}, 0.0352773, 0.014903),
        (NEOSR, "ldl_loss", {}, 1.43122e-05, 2.38554e-05),
        (NEOSR, "ldl_loss", {"criterion": "huber", "ksize": 5}, 7.98083e-09, 3.42519e-08),
        (NEOSR, "ldl_loss", {"criterion": "chc"}, 1.47996e-05, 2.36351e-05),
        (NEOSR, "consistency_loss", {}, 0.0157816, 0.00558813),
        (
            NEOSR,
            "consistency_loss",
            {"criterion": "l1", "blur": False, "cosim": False, "saturation": 0.9, "brightness": 0.9},
            0.0777342,
            0.00856113,
        ),
        (NEOSR, "vgg_perceptual_loss", {"layer_weights": {"conv1_2": 0.1, "conv2_2": 1}}, 0.0205425, 0.00910897),
        (
            NEOSR,
            "vgg_perceptual_loss",
            {"layer_weights": {"conv1_2": 0.1}, "criterion": "l2", "use_input_norm": False},
            1.08911e-05,
            6.17539e-06,
        ),
    ],
)
def test_value_and_gradient_are_the_trainers_own(trainer, type, arguments, value, gradient):
    term = LossTerm(type, loss_kind(type), 1.0, Place(""), arguments={"type": type, **arguments})
    built = build_loss(term, Beside(trainer, vgg=Formula()))
    output, target = pair()
    output.requires_grad_()
    found = built.loss(output, target)
    assert found.item() == pytest.approx(value, rel=5e-4)
    # where colours are equal, L1 takes the sign of what rounding leaves
    assert gradient_norms([found], output).item() == pytest.approx(gradient, rel=1e-2 if type == "colorloss" else 1e-3)
