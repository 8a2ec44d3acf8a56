"""Pictures as PNG inside the page."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

__all__ = ["MOST_SIDE", "SMOOTH_SIDE", "Grey", "mosaic", "png"]

MOST_SIDE = 64
SMOOTH_SIDE = 32  # larger pictures are scaled down on the page, where square pixels would hurt


@dataclass(frozen=True)
class Grey:
    """The range of values that runs from black to white; one for data and samples alike."""

    low: float
    high: float

    @classmethod
    def of(cls, pictures: np.ndarray) -> Grey:
        """The data's own range."""
        low, high = float(pictures.min()), float(pictures.max())
        return cls(low, high if high > low else low + 1.0)

    def bytes(self, pictures: np.ndarray, most: int = MOST_SIDE) -> UInt8[np.ndarray, "n h w c"]:
        """Pictures of ``most`` pixels or fewer a side as bytes, values beyond the range held at its ends."""
        x = pictures if pictures.ndim == 4 else pictures[..., None]
        x = _shrunk(x if x.shape[-1] in (1, 3) else x[..., :1], most)
        scaled = (x.astype(np.float64) - self.low) / (self.high - self.low)
        return np.asarray((255 * scaled.clip(0, 1)).round().astype(np.uint8))


def _shrunk(x: np.ndarray, most: int) -> np.ndarray:
    """Means over square blocks, so that the page stays small; an edge that fills no block is left out."""
    n, h, w, c = x.shape
    f = math.ceil(max(h, w) / most)
    if f == 1 or min(h, w) < f:
        return x
    blocks = x[:, : h // f * f, : w // f * f].reshape(n, h // f, f, w // f, f, c)
    return np.asarray(blocks.mean((2, 4)))


def mosaic(pictures: UInt8[np.ndarray, "n h w c"], across: int) -> str:
    """Pictures in rows with clear gaps between them, as one PNG for an ``src`` attribute."""
    n, h, w, c = pictures.shape
    gap = max(1, h // 16)
    down = math.ceil(n / across)
    sheet = np.zeros((down * (h + gap) - gap, across * (w + gap) - gap, c + 1), np.uint8)
    for i, picture in enumerate(pictures):
        top, left = (i // across) * (h + gap), (i % across) * (w + gap)
        sheet[top : top + h, left : left + w, :c] = picture
        sheet[top : top + h, left : left + w, c] = 255  # opaque here, clear in the gaps
    return png(sheet)


def png(picture: UInt8[np.ndarray, "h w c"]) -> str:
    """One picture as a ``data:`` address."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture.squeeze(-1) if picture.shape[-1] == 1 else picture).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
