"""Where the folders are that a config names."""

from __future__ import annotations

from pathlib import Path

from autocal_cli.config.record import DatasetRoot
from autocal_cli.errors import Finding


def find_root(root: DatasetRoot, config_folder: Path) -> Path | None:
    """Where a dataset folder is: relative paths count from the working directory, then from the config's own folder."""
    try:
        named = Path(root.path).expanduser()
        candidates = (named,) if named.is_absolute() else (named, config_folder / named)
        return next((candidate for candidate in candidates if candidate.exists()), None)
    except (OSError, ValueError, RuntimeError):  # a path, or a user's home, that the system cannot even look up
        return None


def missing_root(root: DatasetRoot, fix: str) -> Finding:
    return Finding(
        "dataset-missing", "warning", f"The folder {root.path} ({root.key}) does not exist.", fix, root.place
    )
