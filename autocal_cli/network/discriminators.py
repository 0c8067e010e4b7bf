"""The parameters of the discriminators that super-resolution trainers have, counted from their layers.

Nothing is built: a discriminator matters here by its size alone, next to the generator's. One function a type, with the
arguments of the trainer's constructor; each says whose counts it was checked against, and over which arguments.
Normalisation by spectral norm adds no parameters.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType

from autocal_cli.config.model import NetworkOptions, Value
from autocal_cli.errors import Finding
from autocal_cli.network.arguments import SWITCH, Kind, in_words, nearest, number, one_of, place_of, whole
from autocal_cli.network.model import NetworkFingerprint


def conv(inputs: int, outputs: int, side: int, *, bias: bool = True) -> int:
    """Parameters of a convolution with square kernels."""
    return outputs * (inputs * side**2 + bias)


def unet_sn(num_in_ch: int = 3, num_feat: int = 64, skip_connection: bool = True) -> int:  # noqa: ARG001
    """U-Net with spectral norm (Real-ESRGAN: Wang et al., arXiv:2107.10833).

    Equal to the classes of BasicSR and traiNNer-redux for 1, 3 and 4 channels in, 16 to 96 features.
    """
    f = num_feat
    down = sum(conv(width, 2 * width, 4, bias=False) for width in (f, 2 * f, 4 * f))
    up = sum(conv(width, width // 2, 3, bias=False) for width in (8 * f, 4 * f, 2 * f))
    end = 2 * conv(f, f, 3, bias=False) + conv(f, 1, 3)
    return conv(num_in_ch, f, 3) + down + up + end


def vgg_style(num_in_ch: int = 3, num_feat: int = 64, input_size: int = 128) -> int:
    """Convolutions in pairs, each with batch norm, then two linear layers (SRGAN: Ledig et al., arXiv:1609.04802).

    Equal to the classes of BasicSR and traiNNer-redux for 1 and 3 channels in, 16 to 96 features, both input sizes.
    """
    f = num_feat
    widths = [f, 2 * f, 4 * f, 8 * f, 8 * f] + [8 * f] * (input_size == 256)
    count = conv(num_in_ch, f, 3)
    for index, width in enumerate(widths):
        if index:
            count += conv(widths[index - 1], width, 3, bias=False) + 2 * width
        count += conv(width, width, 4, bias=False) + 2 * width
    return count + (8 * f * 4 * 4 + 1) * 100 + 101


def patch_gan(input_nc: int = 3, ndf: int = 64, n_layers: int = 3, use_sigmoid: bool = False) -> int:  # noqa: ARG001
    """Judges patches (pix2pix: Isola et al., arXiv:1611.07004). Widths double up to 512.

    Equal to traiNNer-redux's class for 1 and 3 channels in, 16 to 96 features, 1 to 5 layers.
    """
    widths = [ndf]
    for _ in range(n_layers):
        widths.append(min(2 * widths[-1], 512))
    pairs = zip([input_nc, *widths], [*widths, 1], strict=True)
    return sum(conv(inputs, outputs, 4) for inputs, outputs in pairs)


def multiscale_patch_gan(
    input_nc: int = 3, ndf: int = 64, n_layers: int = 3, use_sigmoid: bool = False, num_d: int = 3
) -> int:
    """So many patch discriminators, each for an image half the size (pix2pixHD: Wang et al., arXiv:1711.11585).

    Equal to traiNNer-redux's class for 1 to 4 of them.
    """
    return num_d * patch_gan(input_nc, ndf, n_layers, use_sigmoid)


def dunet(num_in_ch: int = 3, num_feat: int = 64) -> int:
    """U-Net that enlarges by learned sampling (DySample: Liu et al., arXiv:2308.15085).

    Equal to traiNNer-redux's class for 1 and 3 channels in, 16 to 96 features.
    """
    f, points = num_feat, 2 * 4 * 2**2  # offsets in 2 directions, of 4 groups, for 2x2 pixels
    down = sum(conv(width, 2 * width, 3) for width in (f, 2 * f, 4 * f))
    up = sum(
        conv(width, points, 1) + conv(width, points, 1, bias=False) + conv(width, width // 2, 3)
        for width in (8 * f, 4 * f, 2 * f)
    )
    end = 2 * conv(f, f, 3, bias=False) + conv(f, 1, 3)
    return conv(num_in_ch, f, 3) + down + up + end


def munet(
    num_in_ch: int = 3,
    num_feat: int = 64,
    ch_mult: Sequence[int] = (1, 2, 4, 8),
    slope: float = 0.2,  # noqa: ARG001
) -> int:
    """U-Net with attention in its middle and branches for gradients, frequencies and patches, weighed by pixel.

    Equal to the class of the traiNNer-redux fork for 1 and 3 channels in, 16 to 96 features, 1 to 4 multiples.
    """
    f = num_feat
    widths = [f, *(f * multiple for multiple in ch_mult)]
    deep = widths[-1]
    down = sum(conv(inputs, outputs, 4, bias=False) for inputs, outputs in pairwise(widths))
    narrow = max(1, deep // 8)
    middle = 2 * conv(deep, deep, 3, bias=False) + 2 * conv(deep, narrow, 1) + conv(deep, deep, 1) + 1
    fixed = 2 * (7 + 5)  # taps a channel of the frozen kernels that enlarge, across and down
    up = sum(
        fixed * inputs + conv(inputs, outputs, 3, bias=False) + conv(2 * outputs, outputs, 3, bias=False)
        for outputs, inputs in pairwise(widths)
    )
    branches = sum(conv(maps, f // 2, 3, bias=False) + conv(f // 2, f, 3, bias=False) for maps in (2, 1))
    patches = conv(deep, f, 1) + conv(f, f, 3)
    weighing = conv(4 * f, f, 1) + conv(f, 4, 1) + 2 * conv(f, f, 3, bias=False)
    return conv(num_in_ch, f, 3) + down + middle + up + branches + patches + weighing + conv(f, 1, 3)


# By registered name in lower case, as trainers compare them. BasicSR's own U-Net is registered with a suffix, too.
COUNTS: Mapping[str, Callable[..., int]] = MappingProxyType(
    {
        "unetdiscriminatorsn": unet_sn,
        "unetdiscriminatorsn_basicsr": unet_sn,
        "vggstylediscriminator": vgg_style,
        "patchgandiscriminatorsn": patch_gan,
        "multiscalepatchgandiscriminatorsn": multiscale_patch_gan,
        "dunet": dunet,
        "munet": munet,
    }
)


def _multiples(value: object) -> bool:
    return isinstance(value, list | tuple) and 0 < len(value) <= 8 and all(whole(1, 64).accepts(item) for item in value)


_CHANNELS, _FEATURES = whole(1, 64), whole(2, 4096)  # upper limits: chosen, untested, far above any real network
KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "num_in_ch": _CHANNELS,
        "num_feat": _FEATURES,
        "ch_mult": Kind("a list of whole numbers from 1 to 64", _multiples),
        "slope": number(0, 1),
        "skip_connection": SWITCH,
        "input_size": one_of(128, 256),
        "input_nc": _CHANNELS,
        "ndf": _FEATURES,
        "n_layers": whole(1, 32),
        "use_sigmoid": SWITCH,
        "num_d": whole(1, 32),
    }
)


def arguments_of(type: str) -> tuple[str, ...]:
    """The constructor's arguments of a known type."""
    return tuple(inspect.signature(COUNTS[type.lower()]).parameters)


# The discriminator's options -> its size: built where somebody can, else counted from what is known of the type.


BUILDER = "built-in count"

Ask = Callable[[NetworkOptions], NetworkFingerprint]


def fingerprint_discriminator(network: NetworkOptions | None, ask: Ask) -> NetworkFingerprint | None:
    """What is known of the network that `network_d` names; None where a config names none.

    `ask` measures a network of the builders at hand. What cannot be told is a finding and no error: a discriminator's
    size bends a few values, and nothing more hangs on it.
    """
    if network is None:
        return None
    built = ask(network)
    if built.parameters is not None:
        about_arguments = tuple(found for found in built.findings if found.code == "network-argument-unknown")
        return replace(built, findings=about_arguments)
    count = COUNTS.get(network.type.lower())
    findings = (_unknown(network),) if count is None else _about_arguments(network)
    if count is None or findings:
        return NetworkFingerprint(network.type, findings=findings)
    return NetworkFingerprint(network.type, parameters=count(**network.arguments), builder=BUILDER)


def _about_arguments(network: NetworkOptions) -> tuple[Finding, ...]:
    """What the trainer would stop at, so that the size is not counted either."""
    accepted = arguments_of(network.type)
    return tuple(
        Finding("discriminator-argument", "warning", message, fix, place_of(network, name))
        for name, value in network.arguments.items()
        for message, fix in _wrong(network.type, name, value, accepted)
    )


def _wrong(type: str, name: str, value: Value, accepted: tuple[str, ...]) -> list[tuple[str, str]]:
    if name not in accepted:
        near = nearest(name, accepted)
        message = f"the discriminator {type} doesn't have the argument {name!r}; its size is not counted."
        return [(message, f"Did you mean {near!r}?" if near else f"It takes {', '.join(accepted)}.")]
    if not KINDS[name].accepts(value):
        message = f"the discriminator's argument {name!r} should be {KINDS[name].expected}. Found {in_words(value)}."
        return [(message, "Correct it; its size is not counted.")]
    return []


def _unknown(network: NetworkOptions) -> Finding:
    return Finding(
        code="discriminator-unknown",
        severity="info",
        message=f"nothing here knows the discriminator {network.type}, so the rules on its size change nothing.",
        place=network.place,
    )
