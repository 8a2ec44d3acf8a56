"""What the past of a series says about its next step: where it stood, how it moved, and what it was a cycle ago."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad

__all__ = ["History", "Past", "Relative"]

DECAY = 0.97
"""Of the running scale: it remembers about 33 steps."""
PRIOR = 5.0
"""Steps that the usual scale counts for in the running one."""
LIVELIEST = 8.0
"""The largest running scale, in usual ones: a path that feeds on itself could grow without bound otherwise."""
LARGEST = 8.0
"""Features saturate here, in their usual sizes."""
LOOKED_AT = 256
"""Windows that usual sizes and cycles are taken from, at most."""
FARTHEST = 1e15
"""Moves count as no larger, so that no square overflows: an infinite one would spoil even the steps before it."""
RECENT = (2, 3, 4, 6, 9)
"""Lags that every series is seen at."""
SHARE_OF_WINDOW = 7 / 8
"""The longest cycle that is looked for, in windows."""
CYCLES = 2
"""How many cycles are looked for."""


@dataclass(frozen=True)
class Past:
    """What came before a step, of each variable; the leading axes are those of rows and, where there are all, steps.

    Arguments:
        anchor: The last value that was observed, 0 if there is none.
        lagged: The values some lags ago, carried forward where missing, 0 before the first.
        reached: Which lags lie within the window.
        square: The decayed sum of squared moves.
        moves: Their decayed number.
        total: The sum of what was observed.
        count: Its number.
        missing: Whether the last step is missing.
    """

    anchor: Float[Tensor, "*batch v"]
    lagged: Float[Tensor, "*batch l v"]
    reached: Float[Tensor, "*steps l 1"]
    square: Float[Tensor, "*batch v"]
    moves: Float[Tensor, "*batch v"]
    total: Float[Tensor, "*batch v"]
    count: Float[Tensor, "*batch v"]
    missing: Float[Tensor, "*batch v"]


class Relative(nn.Module):
    r"""Values relative to where a series stands: :math:`z_t = (x_t - a_t) / s_t`.

    :math:`a_t` is the last value observed before t and :math:`s_t` the root of a decayed mean of the squared moves
    before t, so a series that changes its level or its liveliness looks the same after as before. Both depend on the
    past alone: what a network says of :math:`z_t` is exactly a law of :math:`x_t`. Features are departures of earlier
    values and of the mean from the anchor, in running scales and in their own usual sizes: a smooth series goes much
    farther in a day than in a step.

    Arguments:
        variables: The number of variables V.
        steps: The number of steps T of a window.

    Example:
        >>> relative = Relative(variables=1, steps=4)
        >>> past = relative.all(torch.tensor([[[1.0], [2.0], [torch.nan], [4.0]]]))
        >>> past.anchor.ravel()
        tensor([0., 1., 2., 2.])
    """

    scale: Tensor
    lags: Tensor
    sizes: Tensor

    def __init__(self, variables: int, steps: int) -> None:
        super().__init__()
        self.variables = variables
        self.steps = steps
        lags = [*RECENT, *(12 * k + j for k in range(1, CYCLES + 1) for j in (-1, 0, 1))]
        self.register_buffer("scale", torch.ones(variables))
        self.register_buffer("lags", torch.tensor(lags))
        self.register_buffer("sizes", torch.ones(len(lags) + 1, variables))

    @property
    def features(self) -> int:
        """How many features a step has."""
        return self.variables * (len(self.lags) + 3) + 1

    @torch.no_grad()
    def fit(self, x: Float[Tensor, "n t v"]) -> None:
        """Take the usual scale of a move, the two clearest cycles and the usual sizes of departures from windows."""
        x = x[:: -(-len(x) // LOOKED_AT)]
        filled = self._carried(x)[0]
        moves = x[:, 1:] - x[:, :-1]
        scale = moves.square().nanmean((0, 1)).sqrt()
        self.scale.copy_(torch.where((scale > 0) & scale.isfinite(), scale, torch.ones_like(scale)))
        found = _cycles((filled / self.scale), int(SHARE_OF_WINDOW * self.steps))
        for i, cycle in enumerate(found):
            start = len(RECENT) + 3 * i
            self.lags[start : start + 3] = cycle + torch.arange(-1, 2, device=self.lags.device)
        past = self.all(x)
        departures, reached = self._departures(past, self.scales(past))
        sizes = (_bounded(departures).square().sum((0, 1)) / (reached.sum(0) * len(x)).clamp(min=1)).sqrt()
        self.sizes.copy_(torch.where((sizes > 0) & sizes.isfinite(), sizes, 1.0))

    def all(self, x: Float[Tensor, "n t v"]) -> Past:
        """The past of every step at once."""
        t = torch.arange(x.shape[1], device=x.device)
        filled, seen = self._carried(x)
        observed = ~x.isnan()
        moved = observed & _before(seen)
        anchor = _before(filled)
        age = t[:, None] - 1 - t
        decay = torch.where(age >= 0, DECAY ** age.clamp(min=0).to(x.dtype), 0.0)
        kept = observed.to(x.dtype)
        at = t[:, None] - self.lags
        return Past(
            anchor,
            filled[:, at.clamp(min=0)],
            (at >= 0).to(x.dtype).unsqueeze(-1),
            decay @ torch.where(moved, _bounded(filled - anchor), 0.0).square(),
            decay @ moved.to(x.dtype),
            _before((filled * kept).cumsum(1)),
            _before(kept.cumsum(1)),
            _before(1 - kept),
        )

    def moves(self, x: Float[Tensor, "*batch v"], anchor: Float[Tensor, "*batch v"], scale: Tensor) -> Tensor:
        """Values relative to their anchor, saturated; missing ones as if nothing moved."""
        return _saturated(torch.where(x.isnan(), 0.0, x - anchor) / scale)

    def scales(self, past: Past) -> Float[Tensor, "*batch v"]:
        """The running scale; 1, as wide as all values, where nothing was observed yet."""
        running = ((past.square + PRIOR * self.scale.square()) / (past.moves + PRIOR)).sqrt()
        return torch.where(past.count > 0, torch.minimum(running, LIVELIEST * self.scale), 1.0)

    def forward(self, past: Past) -> tuple[Float[Tensor, "*batch f"], Float[Tensor, "*batch v"]]:
        """The features of a step, and its running scale."""
        scale = self.scales(past)
        departures = self._departures(past, scale)[0] / self.sizes
        liveliness = (scale / self.scale).log()
        length = (1 + past.count.mean(-1, keepdim=True)).log() / 5
        features = [_saturated(departures).flatten(-2), liveliness, past.missing, length]
        return torch.cat(features, -1), scale

    def _departures(self, past: Past, scale: Tensor) -> tuple[Float[Tensor, "*batch m v"], Float[Tensor, "*steps m 1"]]:
        """How far lagged values and the mean lie from the anchor, in running scales, and where they are known."""
        mean = past.total / past.count.clamp(min=1)
        there = torch.cat([past.lagged, mean.unsqueeze(-2)], -2) - past.anchor.unsqueeze(-2)
        reached = torch.cat([past.reached, torch.ones_like(past.reached[..., :1, :])], -2)
        return there * reached / scale.unsqueeze(-2), reached

    def _carried(self, x: Float[Tensor, "n t v"]) -> tuple[Tensor, Tensor]:
        """Values carried forward over missing ones, 0 before the first; and whether there was any by then."""
        t = torch.arange(x.shape[1], device=x.device)[:, None]
        last = torch.where(x.isnan(), -1, t).cummax(1).values
        seen = last >= 0
        return torch.where(seen, x.nan_to_num().gather(1, last.clamp(min=0)), 0.0), seen


class History:
    """The same past, one step after another.

    Arguments:
        relative: What is asked of the past.
        n: The number of rows.
    """

    def __init__(self, relative: Relative, n: int) -> None:
        zero = relative.scale.new_zeros(n, relative.variables)
        self.lags: list[int] = relative.lags.tolist()
        self.values: list[Tensor] = []
        self.anchor = self.square = self.moves = self.total = self.count = self.missing = zero

    def past(self) -> Past:
        """What came before the next step."""
        t, zero = len(self.values), torch.zeros_like(self.anchor)
        lagged = torch.stack([self.values[t - lag] if lag <= t else zero for lag in self.lags], -2)
        reached = torch.tensor([[float(lag <= t)] for lag in self.lags]).to(zero)
        return Past(self.anchor, lagged, reached, self.square, self.moves, self.total, self.count, self.missing)

    def add(self, x: Float[Tensor, "n v"]) -> None:
        """Take the next step, NaN where missing."""
        observed = ~x.isnan()
        kept = observed.to(x.dtype)
        value = torch.where(observed, x, self.anchor)
        moved = kept * (self.count > 0)
        self.square = DECAY * self.square + moved * _bounded(value - self.anchor).square()
        self.moves = DECAY * self.moves + moved
        self.total = self.total + kept * value
        self.count = self.count + kept
        self.missing = 1 - kept
        self.anchor = value
        self.values.append(value)


def _before(x: Tensor) -> Tensor:
    """Each step's predecessor; 0 before the first."""
    return pad(x, (0, 0, 1, 0))[:, :-1]


def _bounded(z: Tensor) -> Tensor:
    return z.clamp(-FARTHEST, FARTHEST)


def _saturated(z: Tensor) -> Tensor:
    z = _bounded(z)
    return z * (1 + (z / LARGEST).square()).rsqrt()


def _cycles(x: Float[Tensor, "n t v"], longest: int) -> list[int]:
    """The lags at which values are nearest to what they were, of those that are nearer than all lags around."""
    distance = torch.stack([(x[:, lag:] - x[:, :-lag]).square().mean() for lag in range(1, max(longest, 1) + 1)])
    around = -torch.nn.functional.max_pool1d(-distance[None], 13, 1, 6)[0]
    inner = torch.arange(len(distance), device=x.device)
    dips = (distance == around) & (inner >= 3) & (inner < len(distance) - 1)
    at = dips.nonzero().squeeze(-1)
    return (at[distance[at].argsort()][:CYCLES] + 1).tolist()
