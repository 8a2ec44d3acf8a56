"""Couplings of pictures: by channels, or by the fields of a chessboard where there is but one channel."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from pushforward.bijections.bijection import Bijection
from pushforward.bijections.coupling import Map
from pushforward.bijections.univariate import Univariate

__all__ = ["ChannelCoupling", "CheckerboardCoupling", "PictureNetwork"]


class PictureNetwork(Protocol):
    """What gives parameters at every pixel, all those of one output together."""

    def columns(
        self, x: Float[Tensor, "n c h w"], context: Float[Tensor, "n k"] | None = None
    ) -> Float[Tensor, "outputs n*h*w"]:
        """The outputs at every pixel of every picture."""


class _PictureCoupling(Bijection):
    """What both couplings share: directions, and leading dimensions."""

    def __init__(self, univariate: Univariate, network: PictureNetwork) -> None:
        super().__init__()
        self.univariate = univariate
        self.network = network

    def forward(
        self, z: Float[Tensor, "*batch c h w"], context: Float[Tensor, "*batch k"] | None = None
    ) -> tuple[Float[Tensor, "*batch c h w"], Float[Tensor, "*batch"]]:
        """Move from codes to patterns."""
        return self._on_rows(self.univariate.inverse, z, context)

    def inverse(
        self, x: Float[Tensor, "*batch c h w"], context: Float[Tensor, "*batch k"] | None = None
    ) -> tuple[Float[Tensor, "*batch c h w"], Float[Tensor, "*batch"]]:
        """Move from patterns to codes."""
        return self._on_rows(self.univariate.forward, x, context)

    def _on_rows(self, g: Map, x: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        batch = x.shape[:-3]
        rows = x.reshape(batch.numel(), *x.shape[-3:])
        if context is not None:
            context = context.expand(*batch, -1).reshape(len(rows), context.shape[-1])
        y, log_det = self._move(g, rows, context)
        return y.reshape(x.shape), log_det.reshape(batch)

    @abstractmethod
    def _move(self, g: Map, x: Float[Tensor, "n c h w"], context: Tensor | None) -> tuple[Tensor, Float[Tensor, " n"]]:
        """Where each number of each picture moves, and the log-determinant."""

    def _moved(
        self, g: Map, moved: Float[Tensor, "n c h w"], parameters: Float[Tensor, "p*c n*h*w"]
    ) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n c h w"]]:
        """The univariate map of every number, along the whole batch; the log-derivatives."""
        columns = moved.movedim(1, 0)  # (c, n, h, w)
        shape = (self.univariate.parameters, *columns.shape)
        y, log_derivative = g(columns, parameters.to(moved.dtype).reshape(shape))
        return y.movedim(0, 1), log_derivative.movedim(0, 1)


class ChannelCoupling(_PictureCoupling):
    r"""The map of pictures that keeps the first K channels and moves the others,

    .. math:: z_{\le K} = x_{\le K}, \qquad z_{ihw} = g\bigl(x_{ihw};\, \theta_{ihw}(x_{\le K}, c)\bigr), \quad i > K.

    Source: Dinh, Sohl-Dickstein and Bengio (2017), "Density estimation using Real NVP".

    Arguments:
        channels: The number of channels C.
        kept: The number of channels K that stay.
        univariate: The map g, as data.
        network: θ, from K channels to P·(C − K) at every pixel, the first parameter of all channels first.

    Example:
        >>> from pushforward.bijections import MonotonicAffine
        >>> from pushforward.networks.convolutional import Convolutional
        >>> coupling = ChannelCoupling(4, 2, MonotonicAffine(), Convolutional((2, 3, 3), 2 * 2, hidden=(8,)))
        >>> x = torch.randn(5, 4, 3, 3)
        >>> z, log_det = coupling.inverse(x)
        >>> torch.allclose(coupling(z)[0], x, atol=1e-5), log_det.shape
        (True, torch.Size([5]))
    """

    def __init__(self, channels: int, kept: int, univariate: Univariate, network: PictureNetwork) -> None:
        super().__init__(univariate, network)
        if not 0 <= kept < channels:
            raise ValueError(f"a coupling of {channels} channels keeps 0 … {channels - 1} of them, not {kept}")
        self.sizes = (kept, channels - kept)

    def _move(self, g: Map, x: Float[Tensor, "n c h w"], context: Tensor | None) -> tuple[Tensor, Float[Tensor, " n"]]:
        kept, moved = x.split(self.sizes, 1)
        y, log_derivative = self._moved(g, moved, self.network.columns(kept, context))
        return torch.cat([kept, y], 1), log_derivative.sum((1, 2, 3))


class CheckerboardCoupling(_PictureCoupling):
    """The map of pictures that keeps the fields of one colour of a chessboard and moves those of the other.

    It serves where there is but one channel. Half of what the network says is not used.

    Source: Dinh, Sohl-Dickstein and Bengio (2017), "Density estimation using Real NVP", section 3.4.

    Arguments:
        shape: The pictures' ``(C, H, W)``.
        black: Whether the field in the corner moves.
        univariate: The map g, as data.
        network: θ, from C channels to P·C at every pixel, the first parameter of all channels first.

    Example:
        >>> from pushforward.bijections import MonotonicAffine
        >>> from pushforward.networks.convolutional import Convolutional
        >>> network = Convolutional((1, 3, 3), 2, hidden=(8,))
        >>> coupling = CheckerboardCoupling((1, 3, 3), True, MonotonicAffine(), network)
        >>> x = torch.arange(9.0).view(1, 3, 3)
        >>> (coupling.inverse(x)[0] == x).int().squeeze(0)
        tensor([[0, 1, 0],
                [1, 0, 1],
                [0, 1, 0]], dtype=torch.int32)
    """

    moves: Tensor

    def __init__(
        self, shape: tuple[int, int, int], black: bool, univariate: Univariate, network: PictureNetwork
    ) -> None:
        super().__init__(univariate, network)
        rows, columns = torch.arange(shape[1]), torch.arange(shape[2])
        self.register_buffer("moves", (rows[:, None] + columns) % 2 == int(not black), persistent=False)

    def _move(self, g: Map, x: Float[Tensor, "n c h w"], context: Tensor | None) -> tuple[Tensor, Float[Tensor, " n"]]:
        parameters = self.network.columns(x.masked_fill(self.moves, 0.0), context)
        y, log_derivative = self._moved(g, x, parameters)
        return torch.where(self.moves, y, x), (log_derivative * self.moves).sum((1, 2, 3))
