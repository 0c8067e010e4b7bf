"""Which kind of loss a type name stands for. Types are compared in lower case and without a trailing `loss`.

The names are those that traiNNer-redux, BasicSR and neosr register, and those of their labels (`l_g_pix`).
"""

from __future__ import annotations

UNKNOWN = "unknown"

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
_KIND_OF = {name: kind for kind, names in KINDS.items() for name in names}


def loss_kind(type_name: str) -> str:
    """The kind of a loss type, or `unknown`.

    >>> loss_kind("GANLoss"), loss_kind("mssim_loss"), loss_kind("MyLoss")
    ('adversarial', 'structure', 'unknown')
    """
    name = type_name.lower().removesuffix("loss").rstrip("_")
    return _KIND_OF.get(name, UNKNOWN)


def loss_label(type_name: str) -> str:
    """The label that traiNNer-redux logs a loss type under, and by which it keeps it.

    >>> loss_label("L1Loss"), loss_label("ganloss")
    ('l_g_l1', 'l_g_gan')
    """
    return f"l_g_{type_name.lower().replace('loss', '')}"
