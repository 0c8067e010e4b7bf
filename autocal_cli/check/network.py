"""What came of building the network that the config names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from autocal_cli.check.record import Checked
from autocal_cli.errors import Finding


def network_findings(checked: Checked) -> Iterator[Finding]:
    """A type that nothing here can build is no mistake, unless it is nearly the name of one that something can."""
    for finding in checked.about_network:
        unknown = finding.code == "network-unknown" and not (finding.fix or "").startswith("Did you mean")
        yield replace(finding, severity="info") if unknown else finding
