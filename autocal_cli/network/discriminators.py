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

from autocal_cli.config.model import NetworkOptions, Value
from autocal_cli.errors import Finding
from autocal_cli.network.arguments import SWITCH, Kind, in_words, nearest, number, one_of, place_of, whole
from autocal_cli.network.model import NetworkFingerprint
from autocal_cli.network.table import NAME as TABLE
from autocal_cli.network.table import signature_of

if TYPE_CHECKING:
    from torch import nn

_CHANNELS, _FEATURES = whole(1, 64), whole(2, 4096)  # upper limits: chosen, untested, far above any real network


def _wholes(least: int, most: int) -> Kind:
    one = whole(least, most)
    return Kind(
        f"a list of whole numbers from {least} to {most}",
        lambda value: isinstance(value, list | tuple) and 0 < len(value) <= 8 and all(map(one.accepts, value)),
    )


def _kinds(**kinds: Kind) -> Mapping[str, Kind]:
    return MappingProxyType(kinds)


_UNET = _kinds(num_in_ch=_CHANNELS, num_feat=_FEATURES, skip_connection=SWITCH)
_PATCH = _kinds(input_nc=_CHANNELS, ndf=_FEATURES, n_layers=whole(1, 32), use_sigmoid=SWITCH)
# The constructors' arguments, by registered name in lower case; their layers are in `discriminator_layers.CLASSES`.
ARGUMENTS: Mapping[str, Mapping[str, Kind]] = MappingProxyType(
    {
        "unetdiscriminatorsn": _UNET,
        "unetdiscriminatorsn_basicsr": _UNET,
        "unet": _UNET,
        "vggstylediscriminator": _kinds(num_in_ch=_CHANNELS, num_feat=_FEATURES, input_size=one_of(128, 256)),
        "patchgandiscriminatorsn": _PATCH,
        "multiscalepatchgandiscriminatorsn": _kinds(**_PATCH, num_d=whole(1, 32)),
        "patchgan": _kinds(
            num_in_ch=_CHANNELS,
            num_feat=_FEATURES,
            num_layers=whole(1, 32),
            max_nf_mult=whole(1, 64),
            use_sigmoid=SWITCH,
        ),
        "dunet": _kinds(num_in_ch=_CHANNELS, num_feat=_FEATURES, in_ch=_CHANNELS, dim=_FEATURES),
        "metagan2": _kinds(
            in_ch=_CHANNELS,
            n_class=whole(1, 4096),
            dims=_wholes(8, 4096),
            blocks=_wholes(0, 64),
            downs=_wholes(2, 4),
        ),
        "munet": _kinds(num_in_ch=_CHANNELS, num_feat=_FEATURES, ch_mult=_wholes(1, 64), slope=number(0, 1)),
    }
)
# neosr's DUnet has other names for the same.
_SPELLED: Mapping[str, Mapping[str, str]] = MappingProxyType({"dunet": {"in_ch": "num_in_ch", "dim": "num_feat"}})


def build_discriminator(network: NetworkOptions) -> nn.Module | None:
    """The discriminator with random weights, on torch's default device; None for a type that is not known here.

    Raises TypeError, ValueError or RuntimeError for arguments that `argument_findings` has something against.
    """
    from autocal_cli.network.discriminator_layers import CLASSES  # torch takes a second: only here

    build = CLASSES.get(network.type.lower())
    if build is None:
        return None
    spelled = _SPELLED.get(network.type.lower(), {})
    return build(**{spelled.get(name, name): value for name, value in network.arguments.items()})


# The discriminator's options -> its size.


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
    tabled = TABLE in (found.builder or "")
    if found.parameters is not None and not tabled:
        return _with_findings(found, "network-argument-unknown")
    wrong = argument_findings(network)
    if wrong:
        return NetworkFingerprint(network.type, findings=wrong)
    signature = signature_of(None, network.type, "discriminator") if tabled else None
    near = any(finding.code == "network-nearest" for finding in found.findings)
    near = near or bool(signature and set(network.arguments) - set(signature.arguments))  # another trainer's spelling
    if found.parameters is not None and not near:
        return _with_findings(found, "network-argument-unknown")
    own = _counted(network)
    if own is not None:
        return NetworkFingerprint(network.type, parameters=own, builder=BUILDER)
    if found.parameters is not None:
        return _with_findings(found, "network-argument-unknown", "network-nearest")
    return NetworkFingerprint(network.type, findings=(_unknown(network),))


def _with_findings(found: NetworkFingerprint, *codes: str) -> NetworkFingerprint:
    return replace(found, findings=tuple(finding for finding in found.findings if finding.code in codes))


def _counted(network: NetworkOptions) -> int | None:
    """Parameters of the same layers, built without memory; None for a type or arguments that are not known here."""
    if network.type.lower() not in ARGUMENTS:
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
    accepted = ARGUMENTS.get(network.type.lower())
    if accepted is None:
        return ()
    return tuple(
        Finding("discriminator-argument", "warning", message, fix, place_of(network, name))
        for name, value in network.arguments.items()
        for message, fix in _wrong(network.type, name, value, accepted)
    )


def _wrong(type: str, name: str, value: Value, accepted: Mapping[str, Kind]) -> list[tuple[str, str]]:
    if name not in accepted:
        near = nearest(name, accepted)
        message = f"the discriminator {type} doesn't have the argument {name!r}; its size is not counted."
        return [(message, f"Did you mean {near!r}?" if near else f"It takes {', '.join(accepted)}.")]
    if not accepted[name].accepts(value):
        message = f"the discriminator's argument {name!r} should be {accepted[name].expected}. Found {in_words(value)}."
        return [(message, "Correct it; its size is not counted.")]
    return []


def _unknown(network: NetworkOptions) -> Finding:
    return Finding(
        code="discriminator-unknown",
        severity="info",
        message=f"nothing here knows the discriminator {network.type}, so the rules on its size change nothing.",
        place=network.place,
    )
