"""`--set key=value`: values from the command line that count as written by hand."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from autocal_cli.calibration.presets import load_presets
from autocal_cli.calibration.schema import block_schema, check_value
from autocal_cli.config.record import BLOCK_KEY, KeyPath, Value
from autocal_cli.config.scalars import read_plain
from autocal_cli.errors import AutocalError


def parse_settings(pairs: Sequence[str]) -> dict[KeyPath, Value]:
    """`key=value` texts as values by key path; `dataset_info.edge_density` may leave out `training_config`.

    Raises AutocalError for what is no such pair, names no key that can be set, or gives it a value that it cannot have.
    """
    schema = block_schema(load_presets())
    names = {".".join(path): path for path in schema if path != ("auto_calibrate",)}
    names |= {name.removeprefix("training_config."): path for name, path in names.items()}
    settings: dict[KeyPath, Value] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise AutocalError(f"--set {pair}: expected key=value.", fix="For example: --set momentum=0.9")
        name = name.removeprefix("train.").removeprefix(f"{BLOCK_KEY}.")
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.75)
            hint = f"Did you mean {near[0]}?" if near else f"Keys: {', '.join(sorted(names))}."
            raise AutocalError(f"--set {pair}: there is no key {name}.", fix=hint)
        path = names[name]
        try:
            settings[path], _ = check_value(path, read_plain(text, "1.2"), schema[path], None)
        except AutocalError as error:
            raise AutocalError(f"--set {pair}: {error.message}") from None
    return settings
