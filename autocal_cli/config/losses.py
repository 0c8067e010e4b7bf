"""Which kind of loss a type name stands for. Types are compared in lower case and without a trailing `loss`.

The names are those that traiNNer-redux, BasicSR and neosr register, and those of their labels (`l_g_pix`).
"""

from __future__ import annotations

import difflib
import re

UNKNOWN = "unknown"
RESEMBLANCE = 0.8  # of difflib; chosen, with the names of NO_KIND for what would be mistaken

KINDS = {
    "pixel": (
        "pixel", "pix", "l1", "mse", "l2", "charbonnier", "huber", "psnr", "luma", "clip_l1", "bicubic", "average",
        "chc",
    ),
    "structure": ("ssim", "msssim", "mssim", "msssiml1", "mssiml1", "gradientvariance", "sobeledge", "ncc"),
    "frequency": ("ff", "fft", "wavelet", "focalfrequency", "laplacianpyramid"),
    "colour": ("color", "hsluv", "cosim", "consistency", "msswd"),
    "perceptual": (
        "perceptual", "percep", "style", "perceptualfp16", "perceptualanime", "vgg_perceptual", "dists", "adists",
        "lpips", "contextual", "flip", "aesop", "structuretexture", "ldl", "gw", "contrastive", "fdl", "dinov2",
    ),
    "feature matching": ("ganfeat", "featurematching"),
    "adversarial": ("gan", "multiscalegan", "r3gan", "adversarial"),
}  # fmt: skip
LABELS = frozenset({"adversarial", "l2", "percep", "pix", "pixel", "style"})  # of losses, and no types
# Registered by traiNNer-redux, forks of it or neosr, and of no kind above.
NO_KIND = frozenset(
    {
        "adaptiveblocktv", "bcewithlogitsdice", "checkerboard", "convnextperceptual", "dinoperceptual", "hfen", "kl",
        "linedistiller", "modelas", "multiscaler3gan", "tv", "weightedtv",
    }
)  # fmt: skip
_KIND_OF = {name: kind for kind, names in KINDS.items() for name in names}


def loss_kind(type_name: str) -> str:
    """The kind of a loss type, or `unknown`.

    >>> loss_kind("GANLoss"), loss_kind("mssim_loss"), loss_kind("MyLoss")
    ('adversarial', 'structure', 'unknown')
    """
    name = type_name.lower().removesuffix("loss").rstrip("_")
    return _KIND_OF.get(name, UNKNOWN)


def nearest_type(type_name: str) -> str | None:
    """The known type that an unknown one resembles, as traiNNer-redux registers it; None where there is none.

    The stems are compared, since `loss` alone makes short names alike.

    >>> nearest_type("mssimlos"), nearest_type("PerceptaulLoss"), nearest_type("l1loss"), nearest_type("tvloss")
    ('mssimloss', 'perceptualloss', None, None)
    """
    stem = re.sub(r"_?(los+|oss|lss|loos+)?$", "", type_name.lower(), count=1)
    if loss_kind(type_name) != UNKNOWN or stem in NO_KIND:
        return None
    near = difflib.get_close_matches(stem, _KIND_OF.keys() - LABELS, n=1, cutoff=RESEMBLANCE)
    return f"{near[0]}loss" if near else None


def loss_label(type_name: str) -> str:
    """The label that traiNNer-redux logs a loss type under, and by which it keeps it.

    >>> loss_label("L1Loss"), loss_label("ganloss")
    ('l_g_l1', 'l_g_gan')
    """
    return f"l_g_{type_name.lower().replace('loss', '')}"
