"""The process of network_table.py in which one trainer's constructors run. JSON lines in and out.

The first line in names the trainer, every other is a job; see `describe_network`, `measure_network` and
`probe_arguments` for what each answers. Imports the trainer's code; runs in the trainer's environment.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
import os
import sys
import time
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO
from unittest import mock

import torch
from torch.utils.flop_counter import conv_flop_count, register_flop_formula

from autocal_cli.network.measure import Count, count_macs, count_parameters, reason_of, structure_hash
from autocal_cli.network.subprocess.worker import (
    bare_package,
    channels_of,
    construct,
    describe,
    import_architectures,
    look_up,
    on_cpu,
)

# The variational autoencoder of Stable Diffusion 1, as its published config.json describes it: ParagonDiffusion's.
LATENTS = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "latent_channels": 4,
    "layers_per_block": 2,
}
COUNT_SECONDS = 60.0  # of trying sizes, after which the MACs stay unknown
VALUES_TRIED = 2  # for an argument, until its effect is known
LIBRARY = torch.library.Library("torchvision", "FRAGMENT")  # its operators last as long as it

Answer = dict[str, Any]


def main() -> None:
    jobs, answers = private_channels()
    spec = json.loads(jobs.readline())
    limit_memory(spec["memory"])
    without_an_accelerator()
    with_deformable_convolution()
    registries, unimported = import_trainer(spec)
    without_downloads()
    names = sorted({name for registry in registries for name in registry.keys()})  # noqa: SIM118
    put(answers, {"names": names, "unimported": unimported})
    for line in jobs:
        job = json.loads(line)
        try:
            call = look_up(registries, job["type"])
            if call is None:
                raise LookupError("it is not registered")
            with mock.patch("torch.cuda.is_available", return_value=True):  # BasicVSR++ leaves layers out without one
                put(answers, WORK[job["what"]](call, job))
        except BaseException as error:
            put(answers, {"failed": reason_of(error)})


def import_trainer(spec: Mapping[str, Any]) -> tuple[list[Any], list[tuple[str, str]]]:
    """The registries of a checkout, and what of it could not be imported.

    With `base`, the packages that the checkout lacks come from there: Real-ESRGAN stands on BasicSR, and the repository
    of one architecture stands on its trainer, whose own architectures are then left out.
    """
    folder, package, base = Path(spec["folder"]), spec["package"], spec["base"]
    if spec["scale"]:  # neosr reads it from its command line as it is imported; --input spares it the options file
        sys.argv = ["train.py", "--input", "none", "--scale", str(spec["scale"])]
    if base:
        sys.path.insert(0, base)
    home = spec["registry"]
    if base and (Path(base) / package).is_dir():
        sys.path.insert(0, str(folder))
        bare_package(package, Path(base) / package)
        bare_package(f"{package}.archs", folder / package / "archs")
        unimported = []
        for file in sorted((folder / package / "archs").glob("*_arch.py")):
            try:
                importlib.import_module(f"{package}.archs.{file.stem}")
            except BaseException as error:
                unimported.append((file.name, reason_of(error)))
    else:
        unimported, _ = import_architectures(folder, package)
    module = importlib.import_module(f"{home}.utils.registry")
    return [getattr(module, name) for name in spec["registries"] if hasattr(module, name)], unimported


def describe_network(call: Callable[..., Any], _job: Mapping[str, Any]) -> Answer:
    """`signature.describe`, with the defaults as a config could hold them, and where the constructor's code stands."""
    described = describe(call)
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(call).parameters.items()
        if name in described["accepted"] and parameter.default is not inspect.Parameter.empty
    }
    file = inspect.getsourcefile(inspect.unwrap(call)) or ""
    return {
        **described,
        "defaults": plain(defaults),
        "file": Path(file).name,
        "package": call.__module__.partition(".")[0],
    }


def measure_network(call: Callable[..., Any], job: Mapping[str, Any]) -> Answer:
    """Parameters, structure and MACs with the arguments of the job, and which of them reached nobody."""
    started = time.process_time()
    described = describe(call)
    arguments = job["arguments"]
    with as_if_compiling() if job.get("stand_in") else contextlib.nullcontext():
        built = construct(call, arguments, described)
    answer: Answer = {
        "parameters": count_parameters(built.network),
        "structure": structure_hash(built.network),
        "built_on": built.device,
        "rejected": built.rejected,
        "swallowed": built.swallowed,
        "inner": list(describe(type(built.network))["accepted"]) if described["swallows"] else [],
    }
    if job.get("macs", True):
        given = {name: value for name, value in arguments.items() if name not in built.rejected}
        on_meta = built.network.to("meta")
        if job.get("stand_in"):  # other arguments that make the same network, where the job's own cannot be run here
            given |= job["stand_in"]
            on_meta = construct(call, given, described).network.to("meta")
            if structure_hash(on_meta) != answer["structure"]:
                raise ValueError(f"{job['stand_in']} makes another network")
        counted = count_macs(on_meta, lambda: on_cpu(call, given), channels_of(call, given), COUNT_SECONDS)
        if isinstance(counted, Count):
            answer |= {name: getattr(counted, name) for name in Count.__dataclass_fields__}
        else:
            answer["uncounted"] = counted
    return {**answer, "seconds": round(time.process_time() - started, 2)}


def probe_arguments(call: Callable[..., Any], job: Mapping[str, Any]) -> Answer:
    """What each argument does, tried one at a time beside the job's: {"effects": {name: effect}, "unknown": ...}.

    An effect is "size": another value changes the parameters' names or shapes, or the MACs; "none": others do not;
    "refused": the constructor does not take it by that name; "untold": no other value was accepted. `unknown` is what
    becomes of an argument that nobody has heard of: "refused" or "ignored".
    """
    described = describe(call)
    base = dict(job["arguments"])
    built = construct(call, base, described)
    usual = structure_hash(built.network), macs_of(built.network, call, base)
    defaults = {name: p.default for name, p in inspect.signature(call).parameters.items()}
    kinds = dict(described["accepted"])
    if described["swallows"]:
        inner = inspect.signature(type(built.network)).parameters
        taken = describe(type(built.network))["accepted"]
        defaults = {**{name: inner[name].default for name in taken}, **defaults}
        kinds = {**taken, **kinds}
    effects = {
        name: effect_of(call, base, described, name, others(defaults.get(name), kinds[name]), usual)
        for name in kinds
        if name not in base
    }
    odd = construct(call, {**base, "no_such_argument": 1}, described)
    return {
        "effects": effects,
        "defaults": plain({name: value for name, value in defaults.items() if name in effects and is_value(value)}),
        "unknown": "refused" if odd.rejected else "ignored",
    }


def is_value(default: Any) -> bool:
    return default is not inspect.Parameter.empty


def effect_of(
    call: Callable[..., Any],
    base: Mapping[str, Any],
    described: Mapping[str, Any],
    name: str,
    values: Iterator[Any],
    usual: tuple[str, Any],
) -> str:
    unchanged = tried = 0
    for value in values:
        if tried == VALUES_TRIED:
            break
        tried += 1
        given = {**base, name: value}
        try:
            built = construct(call, given, described)
        except BaseException as error:
            if "multiple values for" in str(error):
                return "refused"
            continue
        if built.rejected or built.swallowed:
            return "refused"
        if structure_hash(built.network) != usual[0]:
            return "size"
        macs = macs_of(built.network, call, given)
        if macs is None and usual[1] is not None:  # it builds, and cannot run so
            continue
        if macs != usual[1]:
            return "size"
        unchanged += 1
    return "none" if unchanged else "untold"


def macs_of(network: Any, call: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    counted = count_macs(network.to("meta"), refuse, channels_of(call, arguments), 5.0)
    return (counted.macs_per_pixel, counted.side) if isinstance(counted, Count) else None


def refuse() -> Any:
    raise RuntimeError("on the meta device only")


def effect_among(found: list[Any], usual: Any) -> str | None:
    """What the sizes found with other values say of an argument; None where there are none."""
    if any(one != usual for one in found):
        return "size"
    return "none" if found else None


def others(default: Any, kinds: list[Any] | None) -> Iterator[Any]:
    """Values unlike the default, the likeliest to be accepted first."""
    for kind in kinds or ():
        if isinstance(kind, list):
            yield from (choice for choice in kind[1:] if choice != default)
    if isinstance(default, bool):
        yield not default
    elif isinstance(default, int):
        yield from (
            value for value in (default * 2, default + 1, default // 2, default - 1) if value not in (0, default)
        )
    elif isinstance(default, float):
        yield from (value for value in (default / 2, default * 2, default + 0.1, 0.0) if value != default)
    elif isinstance(default, list | tuple) and default and all(type(item) in (int, float) for item in default):
        yield [item * 2 for item in default]
        yield [*default, default[-1]]
        yield list(default[:-1]) or [default[0] + 1]
    elif default is None:
        yield from (value for kind, value in (("bool", True), ("int", 2), ("float", 0.5)) if kind in (kinds or ()))


def plain(value: Any) -> Any:
    """A value as JSON holds it; {"python": ...} for what a config cannot say."""
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return {"python": getattr(value, "__name__", type(value).__name__)}


def without_an_accelerator() -> None:
    """What some constructors and forward passes want an accelerator for, made to do nothing: it changes no size."""
    make, move_tensor, move_module = torch.tensor, torch.Tensor.to, torch.nn.Module.to

    def tensor(*values: Any, **how: Any) -> torch.Tensor:
        how.pop("pin_memory", None)
        return make(*values, **how)

    def stays(move: Callable[..., Any]) -> Callable[..., Any]:
        def to(self: Any, *where: Any, **how: Any) -> Any:
            there = where[0] if where else how.get("device")
            return self if str(there).startswith("cuda") else move(self, *where, **how)

        return to

    torch.tensor = tensor
    torch.Tensor.cuda = torch.nn.Module.cuda = lambda self, *_, **__: self  # type: ignore[method-assign]
    torch.Tensor.to, torch.nn.Module.to = stays(move_tensor), stays(move_module)  # type: ignore[method-assign]


def without_downloads() -> None:
    """A network keeps the values that it was drawn with where it would fetch others: they change no size."""
    fetched: dict[str, Any] = {}
    load = torch.nn.Module.load_state_dict

    def loading(self: torch.nn.Module, state: Any, *how: Any, **more: Any) -> Any:
        return None if state is fetched else load(self, state, *how, **more)

    torch.nn.Module.load_state_dict = loading  # type: ignore[method-assign]
    for module in [*sys.modules.values()]:
        if "load_state_dict_from_url" in getattr(module, "__dict__", ()):
            module.load_state_dict_from_url = lambda *_, **__: fetched  # type: ignore[attr-defined]
    if "diffusers" in sys.modules:
        autoencoder = sys.modules["diffusers"].AutoencoderKL
        autoencoder.from_pretrained = lambda *_, **__: autoencoder(**LATENTS)


def with_deformable_convolution() -> None:
    """torchvision's operator by its shapes alone, where its compiled part is absent; it counts as a convolution."""
    try:
        import torchvision
    except ImportError:
        return
    if hasattr(torch.ops.torchvision, "deform_conv2d"):
        return
    numbers = ", ".join(f"int {name}_{side}" for name in ("stride", "pad", "dilation") for side in "hw")
    LIBRARY.define(
        "deform_conv2d(Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, "
        f"{numbers}, int groups, int offset_groups, bool use_mask) -> Tensor"
    )
    for device in ("Meta", "CPU"):
        LIBRARY.impl("deform_conv2d", lambda x, w, o, *_: x.new_zeros((len(x), len(w), *o.shape[-2:])), device)
    register_flop_formula(torch.ops.torchvision.deform_conv2d)(
        lambda x, w, *_, out_shape, **__: conv_flop_count(x, w, out_shape)
    )
    torchvision.ops.deform_conv._assert_has_ops = lambda: None


@contextlib.contextmanager
def as_if_compiling() -> Iterator[None]:
    """A constructor may ask for triton and for a compiled function; neither is called where nothing is computed."""
    compiled, torch.compile = torch.compile, lambda function, *_, **__: function
    sys.modules["triton"] = types.ModuleType("triton")
    try:
        yield
    finally:
        torch.compile = compiled
        del sys.modules["triton"]


def limit_memory(most: int) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def private_channels() -> tuple[TextIO, TextIO]:
    """The two ends of the conversation, out of reach of what a constructor reads and prints."""
    jobs = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):
        os.dup2(nowhere, standard)
    return jobs, answers


def put(answers: TextIO, answer: Answer) -> None:
    answers.write(json.dumps(answer, default=str) + "\n")
    answers.flush()


WORK: Mapping[str, Callable[[Callable[..., Any], Mapping[str, Any]], Answer]] = {
    "describe": describe_network,
    "measure": measure_network,
    "probe": probe_arguments,
}

if __name__ == "__main__":
    main()
