"""What is known of a config's discriminator: its parameters, and which arguments its constructor takes.

A discriminator matters here by its size alone, next to the generator's. The packaged table answers for what it was
measured with; for other arguments the same layers are built without memory (`discriminator_layers`) and counted, which
takes torch. `benchmarks/network_table.py` makes the table out of the trainers' own constructors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from autocal_cli.config.model import NetworkOptions
from autocal_cli.errors import Finding
from autocal_cli.network.arguments import SWITCH, Kind, in_words, key_of, nearest, one_of, place_of, whole
from autocal_cli.network.model import NetworkFingerprint
from autocal_cli.network.table import NAME as TABLE
from autocal_cli.network.table import find_line

if TYPE_CHECKING:
    from torch import nn

_CHANNELS, _FEATURES = whole(1, 64), whole(2, 4096)  # upper limits: chosen, untested, far above any real network
_PATCH = {"input_nc": _CHANNELS, "ndf": _FEATURES, "n_layers": whole(1, 32), "use_sigmoid": SWITCH}
_WIDTHS = {"num_in_ch": _CHANNELS, "num_feat": _FEATURES}
_UNET = {**_WIDTHS, "skip_connection": SWITCH}
_MULTIPLES = {"num_layers": whole(1, 32), "max_nf_mult": whole(1, 64), "use_sigmoid": SWITCH}
# By registered name in lower case: the class in `discriminator_layers`, and what its constructor takes. BasicSR's own
# U-Net is registered with a suffix, too.
TYPES: Mapping[str, tuple[str, Mapping[str, Kind]]] = MappingProxyType(
    {
        "unetdiscriminatorsn": ("UNetSN", _UNET),
        "unetdiscriminatorsn_basicsr": ("UNetSN", _UNET),
        "unet": ("UNetSN", _UNET),
        "vggstylediscriminator": ("VGGStyle", {**_WIDTHS, "input_size": one_of(128, 256)}),
        "patchgandiscriminatorsn": ("PatchGAN", _PATCH),
        "multiscalepatchgandiscriminatorsn": ("MultiscalePatchGAN", {**_PATCH, "num_d": whole(1, 32)}),
        "patchgan": ("NeosrPatchGAN", {**_WIDTHS, **_MULTIPLES}),
        "dunet": ("DUnet", {**_WIDTHS, "in_ch": _CHANNELS, "dim": _FEATURES}),
    }
)
NEOSRS_DUNET = MappingProxyType({"in_ch": "num_in_ch", "dim": "num_feat"})  # neosr's names for the same


def build_discriminator(network: NetworkOptions) -> nn.Module | None:
    """The discriminator with random weights, on torch's default device; None for a type that is not known here.

    Raises TypeError, ValueError or RuntimeError for arguments that `argument_findings` has something against.
    """
    from autocal_cli.network import discriminator_layers  # torch takes a second: only here

    type = network.type.lower()
    if type not in TYPES:
        return None
    spelled = NEOSRS_DUNET if type == "dunet" else {}
    arguments = {spelled.get(name, name): value for name, value in network.arguments.items()}
    built: nn.Module = getattr(discriminator_layers, TYPES[type][0])(**arguments)
    return built


BUILDER = "built-in layers"
Ask = Callable[[NetworkOptions], NetworkFingerprint]


def fingerprint_discriminator(network: NetworkOptions | None, ask: Ask) -> NetworkFingerprint | None:
    """What is known of the network that `network_d` names; None where a config names none.

    `ask` measures a network of the builders at hand. What cannot be told is a finding and no error: a discriminator's
    size bends a few values, and nothing more hangs on it.
    """
    if network is None:
        return None
    found = ask(network)
    codes = {finding.code for finding in found.findings}
    if found.parameters is None or (found.builder or "").startswith(TABLE):
        wrong = argument_findings(network)
        if wrong:
            return NetworkFingerprint(network.type, findings=wrong)
        line = find_line(None, network.type, "discriminator")
        spelled_otherwise = line is not None and not network.arguments.keys() <= line.arguments.keys()
        if found.parameters is None or "network-nearest" in codes or spelled_otherwise:
            own = _counted(network)
            if own is not None:
                return NetworkFingerprint(network.type, parameters=own, builder=BUILDER)
    if found.parameters is None:
        message = f"nothing here knows the discriminator {network.type}, so the rules on its size change nothing."
        unknown = Finding("discriminator-unknown", "info", message, None, network.place)
        return NetworkFingerprint(network.type, findings=(unknown,))
    told = [finding for finding in found.findings if finding.code in ("network-argument-unknown", "network-nearest")]
    return replace(found, findings=tuple(told))


def _counted(network: NetworkOptions) -> int | None:
    """Parameters of the same layers, built without memory; None for a type or arguments that are not known here."""
    if network.type.lower() not in TYPES:
        return None
    import torch

    from autocal_cli.network.measure import count_parameters

    try:
        with torch.device("meta"):
            built = build_discriminator(network)
    except (TypeError, ValueError, RuntimeError):
        return None
    return count_parameters(built) if built is not None else None


def argument_findings(network: NetworkOptions) -> tuple[Finding, ...]:
    """What the trainer would stop at, so that the size is not counted either; nothing for a type not known here."""
    _, accepted = TYPES.get(network.type.lower(), ("", None))
    if accepted is None:
        return ()
    findings = []
    for name, value in network.arguments.items():
        if name not in accepted:
            near = nearest(name, accepted)
            place = key_of(network, name)
            said = f"the discriminator {network.type} doesn't have the argument {name!r}; its size is not counted."
            fix = f"Did you mean {near!r}?" if near else f"It takes {', '.join(accepted)}."
        elif not accepted[name].accepts(value):
            expected, place = accepted[name].expected, place_of(network, name)
            said = f"the discriminator's argument {name!r} should be {expected}. Found {in_words(value)}."
            fix = "Correct it; its size is not counted."
        else:
            continue
        findings.append(Finding("discriminator-argument", "warning", said, fix, place))
    return tuple(findings)
