"""Raw metrics of working images: on the CPU in the worker that decodes them, else in batches of one shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from autocal_cli.dataset.crops import Cut
from autocal_cli.dataset.decode import PIXELS_ONLY, Wanted, WorkingImage, read_image
from autocal_cli.dataset.device_blocks import send
from autocal_cli.dataset.metrics_cpu import raw_metrics_of_one
from autocal_cli.dataset.record import METRIC_NAMES, FileIssue
from autocal_cli.dataset.source import ImageSource

BATCH_SIZE = 16


def read_measured(
    source: ImageSource, device: torch.device, wanted: Wanted = PIXELS_ONLY, cut: Cut | None = None
) -> WorkingImage | FileIssue:
    """The working image of a file, or of a crop, with its raw metrics where the device is the CPU. Safe in threads."""
    image = read_image(source, wanted, cut)
    if isinstance(image, FileIssue) or device.type != "cpu":
        return image
    return replace(image, raw=raw_metrics_of_one(image.working, image.thumbnail))


def measure(
    images: Sequence[WorkingImage], device: torch.device, batch_size: int = BATCH_SIZE
) -> npt.NDArray[np.float64]:
    """Raw metrics (N, 3) of N working images, in their order: those that they bring, or computed on the device."""
    raw = np.empty((len(images), len(METRIC_NAMES)))
    for i, image in enumerate(images):
        if image.raw is not None:
            raw[i] = image.raw
    for batch in send(images, device, batch_size):
        raw[batch.places] = batch.raw.cpu().double().numpy()
    return raw
