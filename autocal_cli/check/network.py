"""What came of building the network that the config names."""

from __future__ import annotations

from collections.abc import Iterator

from autocal_cli.check.record import Checked
from autocal_cli.errors import Finding


def network_findings(checked: Checked) -> Iterator[Finding]:
    yield from checked.about_network
