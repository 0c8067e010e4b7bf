"""Working images of many shapes -> their raw metrics, computed in batches of one shape."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from autocal_cli.dataset.decode import Pixels, WorkingImage
from autocal_cli.dataset.metrics import raw_metrics
from autocal_cli.dataset.record import METRIC_NAMES

BATCH_SIZE = 16


def measure(
    images: Sequence[WorkingImage], device: torch.device, batch_size: int = BATCH_SIZE
) -> npt.NDArray[np.float64]:
    """Raw metrics (N, 3) of N working images, in their order."""
    raw = np.empty((len(images), len(METRIC_NAMES)))
    by_shape: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for i, image in enumerate(images):
        by_shape[image.working.shape].append(i)
    for alike in by_shape.values():
        for start in range(0, len(alike), batch_size):
            batch = alike[start : start + batch_size]
            working = _stack([images[i].working for i in batch], device)
            thumbnails = _stack([images[i].thumbnail for i in batch], device)
            with torch.inference_mode():
                raw[batch] = raw_metrics(working, thumbnails).numpy()
    return raw


def _stack(pixels: Sequence[Pixels], device: torch.device) -> torch.Tensor:
    return torch.from_numpy(np.stack(pixels)).to(device)
