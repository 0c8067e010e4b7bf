"""Text -> the events of PyYAML's parser: libyaml where PyYAML was built with it, else the one written in Python.

Both trainers' readers (BasicSR's loader and msgspec) are PyYAML with libyaml, so that what is refused here would stop
a training too. libyaml's marks count characters, not bytes; it is some six times faster (measured:
benchmarks/config_edit.py). On what few texts the two differ, `tests/config/test_config_parsing.py` says.
"""

from __future__ import annotations

from collections.abc import Iterator

import yaml
from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import Event

from autocal_cli.errors import AutocalError, Place

LIBYAML = bool(yaml.__with_libyaml__)


def parse_events(text: str, path: str, libyaml: bool = LIBYAML) -> Iterator[Event]:
    """The events of a text, in order. Raises AutocalError with line and column where it is not YAML."""
    try:
        next_event = (yaml.CSafeLoader if libyaml else yaml.SafeLoader)(text).get_event
        while (event := next_event()) is not None:
            yield event
    except MarkedYAMLError as error:
        raise _refusal(error, text, path) from None
    except (YAMLError, ValueError, OverflowError) as error:  # e.g. of `"\UFFFFFFFF"`, without a mark
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise AutocalError(f"This is not valid YAML: {reason.strip()}.", place=Place(path)) from None


def _refusal(error: MarkedYAMLError, text: str, path: str) -> AutocalError:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return AutocalError(f"This is not valid YAML: {error.problem or error.context}.", place=Place(path))
    opening = error.context_mark
    where = f" ({error.context} from line {opening.line + 1} on)" if opening and opening.line < mark.line else ""
    tab = text.startswith("\t", mark.index)
    return AutocalError(
        f"This is not valid YAML: {error.problem}{where}.",
        place=Place(path, mark.line + 1, mark.column + 1),
        fix="Indent with spaces, not with tabs." if tab else None,
    )
