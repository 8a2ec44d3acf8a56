"""All conditionals of a picture: rows given the rows above, then pixels given those to the left."""

from __future__ import annotations

from collections.abc import Generator

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad, relu

from pushforward.networks.causal_convolutions import CausalStack
from pushforward.networks.masked import MaskedMLP

__all__ = ["CausalPictureNetwork"]

FIRST_ROWS, ROWS = (6, 13), (2, 3)
"""The kernels over rows: the first and the others."""
FIRST_PIXELS, PIXELS = (1, 7), (1, 3)
"""The kernels over the pixels of a row."""


class CausalPictureNetwork(nn.Module):
    r"""The parameters of every value of a picture given those before it: row by row, pixel by pixel, then channels.

    A stack of convolutions over rows makes :math:`u_r` of all rows up to r, each over its whole width. A stack over
    pixels makes :math:`h_{r,j}` of :math:`u_{r-1}` and the pixels left of j in row r, so that there is no blind spot.
    A masked perceptron, told :math:`h_{r,j}`, gives each channel's parameters from the channels before it. Every
    place has a bias of its own in both stacks, and so has every context.

    Source: van den Oord et al. (2016), "Conditional Image Generation with PixelCNN Decoders", whose two stacks stand
    side by side; one after the other they are as deep at half the cost.

    Arguments:
        shape: The picture's ``(C, H, W)``. The vector is in the order height, width, channels.
        counts: The number of parameters of each of the C channels.
        width: The channels of every layer.
        layers: The residual convolutions of each stack.
        context: The width of the context.
        border: The value that pixels beyond the border are taken to have.

    Example:
        >>> network = CausalPictureNetwork((3, 4, 5), counts=[2, 2, 2], width=8, layers=1)
        >>> network(torch.zeros(7, 60), None).shape
        torch.Size([7, 120])
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        counts: list[int],
        width: int,
        layers: int,
        context: int = 0,
        border: float = 0.0,
    ) -> None:
        super().__init__()
        channels, h, w = self.shape = shape
        self.border = border
        first = (min(FIRST_ROWS[0], h), min(FIRST_ROWS[1], 2 * w - 1))
        self.rows = CausalStack(channels, width, layers, first, ROWS, axis=2)
        self.link = nn.Conv2d(width, width, 1)
        self.pixels = CausalStack(channels, width, layers, FIRST_PIXELS, PIXELS, axis=3)
        self.places = nn.Parameter(torch.zeros(2, width, h, w))
        self.contexts = nn.Linear(context, 2 * width) if context else None
        self.head = MaskedMLP(counts, (width,), width).near_zero()

    @property
    def remembered(self) -> int:
        """The numbers that a walk keeps for each picture."""
        c, _, w = self.shape
        ahead = self.places.shape[1] * w
        return self.rows.remembered(w) + ahead + c * w + self.pixels.remembered(1) + self.head.remembered

    def forward(self, x: Float[Tensor, "n d"], context: Float[Tensor, "n c"] | None) -> Float[Tensor, "n p"]:
        """The parameters of every conditional, in one pass."""
        c, h, w = self.shape
        values = x.view(len(x), h, w, c)
        picture = values.permute(0, 3, 1, 2) - self.border  # (n, C, H, W), stored as it came
        rows, pixels = self._biases(context)
        above = pad(self.link(relu(self.rows(picture, rows))), (0, 0, 1, -1))  # each row is told those above it
        features = self.pixels(pad(picture, (1, -1)), pixels + above)
        flat = features.permute(0, 2, 3, 1).flatten(0, 2)  # (n·H·W, width)
        y: Tensor = self.head(values.flatten(0, 2), flat)
        return y.reshape(len(x), h * w * y.shape[-1])

    def walk(
        self, n: int, context: Float[Tensor, "n c"] | None
    ) -> Generator[Float[Tensor, "n count"], Float[Tensor, " n"], None]:
        """The same parameters value after value, each feature computed once."""
        _, h, w = self.shape
        rows, pixels = self._biases(context)
        above = torch.zeros_like(pixels[:, :, :1])
        memory = self.rows.memory(n, w)
        for r in range(h):
            row = yield from self._row(n, pixels[:, :, r : r + 1] + above)
            above = self.link(relu(self.rows.step(row, rows[:, :, r : r + 1], memory)))

    def _row(self, n: int, biases: Float[Tensor, "#n k 1 w"]) -> Generator[Tensor, Tensor, Float[Tensor, "n c 1 w"]]:
        """The parameters of a row; returns its values."""
        memory = self.pixels.memory(n, 1)
        row = [self.places.new_zeros(n, self.shape[0], 1, 1)]
        for bias in biases.split(1, 3):
            features = self.pixels.step(row[-1], bias, memory)
            values = yield from self._pixel(n, features.flatten(1))
            row.append((values - self.border)[:, :, None, None])
        return torch.cat(row[1:], 3)

    def _pixel(self, n: int, features: Float[Tensor, "n k"]) -> Generator[Tensor, Tensor, Float[Tensor, "n c"]]:
        """The parameters of a pixel's channels; returns their values."""
        walk = self.head.walk(n, features)
        values: list[Tensor] = []
        for _ in range(self.shape[0]):
            values.append((yield walk.send(values[-1]) if values else next(walk)))
        return torch.stack(values, 1)

    def _biases(self, context: Float[Tensor, "n c"] | None) -> tuple[Tensor, Tensor]:
        """Of the rows' stack and of the pixels', each of shape ``(#n, width, H, W)``."""
        rows, pixels = self.places.unsqueeze(1).unbind(0)
        if self.contexts is None or context is None:
            return rows, pixels
        of_rows, of_pixels = self.contexts(context)[..., None, None].chunk(2, 1)
        return rows + of_rows, pixels + of_pixels
