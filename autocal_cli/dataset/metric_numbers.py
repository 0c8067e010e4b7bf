"""The numbers that define the metrics, apart from torch: who only cuts, decodes or reports does not wait for it."""

from __future__ import annotations

METRIC_VERSION = 1

OCTAVES = 4
WINDOW = 7  # pixels a side of the texture window, and the least side of an octave that counts
HALF_TEXTURE = 0.05  # standard deviation of luma that counts as half textured
EDGE_THRESHOLD = 0.10  # of a full black-to-white step
COLOUR_BITS = 4  # bits kept of each channel: 16 x 16 x 16 bins

LUMA_WEIGHTS = (299.0, 587.0, 114.0)  # ITU-R BT.601, in thousandths
WHITE = 255_000.0  # whole-number luma of a white pixel: 255 * 1000
TAN_22_5 = 2.0**0.5 - 1.0  # tan 22.5 degrees: where one of the four edge directions ends
FIXED_POINT = 2.0**36  # 36 fractional bits sum exactly over the 2^16 pixels of a working image
