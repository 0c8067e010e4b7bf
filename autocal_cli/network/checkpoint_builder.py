"""The builder that builds nothing: a checkpoint of the network tells its parameters, whatever its type."""

from __future__ import annotations

from pathlib import Path

from autocal_cli.config.record import NetworkOptions
from autocal_cli.errors import AutocalError, Finding, Place
from autocal_cli.network.checkpoint import checkpoint_parameters
from autocal_cli.network.record import NetworkFingerprint, Passed


class Checkpoint:
    """A checkpoint, asked last. `required`: the user named it, so that one that cannot be read is an error."""

    name = "checkpoint"

    def __init__(self, path: Path, required: bool) -> None:
        self._path = path
        self._required = required

    def measure(self, network: NetworkOptions, scale: int | None) -> NetworkFingerprint | Passed:
        try:
            parameters = checkpoint_parameters(self._path)
        except (ValueError, OSError, RecursionError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            if self._required:
                message = f"no parameters can be read from this checkpoint: {reason}."
                raise AutocalError(message, place=Place(str(self._path))) from None
            return Passed(self.name, f"{self._path} cannot be read: {reason}", failed=True)
        message = (
            f"{network.type} was not built: its parameters are those of the checkpoint {self._path}, and its MACs are "
            "not known."
        )
        finding = Finding("network-from-checkpoint", "info", message, None, network.place)
        return NetworkFingerprint(
            network.type, scale=scale, parameters=parameters, builder=self.name, findings=(finding,)
        )

    def types(self) -> tuple[str, ...]:
        return ()

    def trouble(self) -> None:
        return None
