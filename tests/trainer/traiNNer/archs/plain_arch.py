"""Small networks that build everywhere, with the ways in which real ones take their arguments."""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor, nn

from traiNNer.utils.registry import ARCH_REGISTRY


@ARCH_REGISTRY.register()
class Plain(nn.Module):
    def __init__(
        self, scale: int = 4, dim: int = 16, act: Literal["relu", "gelu"] = "relu", bias: bool = True, drop: float = 0
    ) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, dim, 3, padding=1, bias=bias),
            nn.ReLU() if act == "relu" else nn.GELU(),
            nn.Dropout(drop),
            nn.Conv2d(dim, 3 * scale**2, 3, padding=1, bias=bias),
            nn.PixelShuffle(scale),
        )

    def forward(self, image: Tensor) -> Tensor:
        return self.body(image)


@ARCH_REGISTRY.register()
def plain_passes_on(**kwargs: Any) -> Plain:
    return Plain(bias=False, **kwargs)


@ARCH_REGISTRY.register()
def plain_swallows(scale: int = 4, **kwargs: Any) -> Plain:
    return Plain(scale=scale, dim=kwargs.get("dim", 16))


@ARCH_REGISTRY.register()
def plain_without_scale(dim: int = 16) -> Plain:
    return Plain(dim=dim)


@ARCH_REGISTRY.register()
def plain_needs_dim(dim: int, scale: int = 4) -> Plain:
    return Plain(scale, dim)


@ARCH_REGISTRY.register()
def paragonsr2_nano(scale: int = 4) -> Plain:
    """Another network under a name that autocal knows."""
    return Plain(scale)
