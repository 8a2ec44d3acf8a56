"""All conditionals of a window of a series: a causal network over steps, a masked one within each."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import softplus

from pushforward.networks.causal import CausalConvolutions
from pushforward.networks.hiding import VariableDropout
from pushforward.networks.masked import MaskedMLP
from pushforward.networks.regression import regressions
from pushforward.networks.relative import History, Past, Relative

__all__ = ["StepNetwork"]

SMALLEST_LOG_SCALE = -2.0
"""A floor under scales, in running ones: values that repeat would otherwise be all that a network learns of."""
CHUNK = 256
"""Windows whose features are held at once."""
LAST = 8
"""Steps of each window that the regression sees: those with a past to look back at."""
SMALL = 0.01
"""What is left of the last layer's weights where a regression says more."""


class StepNetwork(nn.Module):
    r"""The parameters of every component of a window ``(T, V)`` given the components before it.

    Step t is seen through :class:`~pushforward.networks.relative.Relative` features of the steps before it and its own
    context; causal convolutions over steps make :math:`h_t` of them, and a masked perceptron, told :math:`h_t` and the
    features, gives each variable's parameters from the variables before it. What it is told also reaches the parameters
    directly, by a line that :meth:`fit` begins as a vector autoregression. Locations are counted from the anchor
    :math:`a_t` in running scales :math:`s_t`, log-scales from :math:`\log s_t`.

    Arguments:
        steps: T.
        roles: For each parameter of each of the V variables 1 if it is a location, 2 if it is a log-scale, 0 otherwise.
        context: The width of a step's context.
        hidden: The width of the convolutions, then the widths of the perceptron's hidden layers.
        layers: The number of convolutions.
        dropout: The share of h that is hidden from the perceptron at each step of training.
        variable_dropout: The largest probability by which ``hiding`` hides a variable from a window in training.

    Attributes:
        widening: What is added to each variable's log-scales, ``(V,)``, once training is over.
    """

    roles: Tensor
    owner: Tensor
    widening: Tensor

    def __init__(
        self,
        steps: int,
        roles: Sequence[Sequence[int]],
        context: int,
        hidden: Sequence[int],
        layers: int,
        dropout: float = 0.0,
        variable_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not hidden:
            raise ValueError("hidden names no width; give that of the convolutions, then those of the hidden layers")
        self.steps = steps
        self.counts = counts = [len(each) for each in roles]
        self.relative = Relative(len(counts), steps)
        inputs, width = self.relative.features + context, hidden[0]
        self.first = nn.Linear(inputs, width)
        self.causal = CausalConvolutions(width, layers)
        self.dropout = nn.Dropout(dropout)
        self.hiding = VariableDropout(variable_dropout)
        self.head = MaskedMLP(counts, hidden[1:] or hidden[:1], width + inputs, direct=True)
        owner = [i for i, count in enumerate(counts) for _ in range(count)]
        self.register_buffer("roles", torch.tensor([role for each in roles for role in each]), persistent=False)
        self.register_buffer("owner", torch.tensor(owner), persistent=False)
        self.register_buffer("widening", torch.zeros(len(counts)))

    @torch.no_grad()
    def fit(self, x: Float[Tensor, "n d"], context: Float[Tensor, "n c"] | None = None) -> None:
        r"""Start as a linear vector autoregression, estimated by ridge from windows in their order.

        Locations stand at :math:`a_t + s_t (b_v^\top (1, f_t, z_{t,<v}) + e_v m_k)`, of features f, moves z, errors
        :math:`e_v` of the regression and the K places :math:`m_k` that a mixture starts from; log-scales grow by
        :math:`\log e_v`. What is left to learn is where, how and how surely that is wrong.
        """
        self.relative.fit(x.unflatten(-1, (self.steps, -1)))
        contexts = [None] * len(x) if context is None else context.split(CHUNK)
        seen = [self._regressed(part, c) for part, c in zip(x.split(CHUNK), contexts, strict=False)]
        inputs, moves = (torch.cat(parts) for parts in zip(*seen, strict=True))
        found = regressions(inputs, moves)
        v, location, owner = len(self.counts), self.roles == 1, self.owner
        weights = torch.where(location[:, None], found.weights[owner], 0.0)
        constant, features, before = weights.split([1, inputs.shape[1] - 1, v], -1)
        assert self.head.skip is not None  # it was asked for
        hidden = features.new_zeros(len(owner), self.first.out_features)
        self.head.skip.weight.copy_(torch.cat([before, hidden, features], -1))
        error, last = found.error[owner], self.head.last
        last.weight.mul_(SMALL)
        spread = torch.where(location, error * last.bias + constant.squeeze(-1), last.bias)
        last.bias.copy_(torch.where(self.roles == 2, last.bias + error.log(), spread))

    @torch.no_grad()
    def start_as(self, other: StepNetwork) -> None:
        """Start as another network that was fitted: from the same regression, but with hidden weights of its own."""
        self.relative.load_state_dict(other.relative.state_dict())
        assert self.head.skip is not None and other.head.skip is not None  # they were asked for
        self.head.skip.weight.copy_(other.head.skip.weight)
        self.head.last.weight.mul_(SMALL)
        self.head.last.bias.copy_(other.head.last.bias)

    def _regressed(self, x: Float[Tensor, "n d"], context: Float[Tensor, "n c"] | None) -> tuple[Tensor, Tensor]:
        """A constant and the features of the last steps of windows, and their moves, weighed by what is observed."""
        steps = x.unflatten(-1, (self.steps, -1))
        features, past, scale = self._seen(steps, context)
        moves = self.relative.moves(steps, past.anchor, scale)
        weight = (~steps.isnan()).to(x.dtype).mean(-1, keepdim=True).sqrt()
        last = slice(max(self.steps - LAST, self.steps // 2), None)
        inputs = torch.cat([torch.ones_like(weight), features], -1)
        return (weight * inputs)[:, last].flatten(0, 1), (weight * moves)[:, last].flatten(0, 1)

    def _seen(self, steps: Float[Tensor, "n t v"], context: Float[Tensor, "n c"] | None) -> tuple[Tensor, Past, Tensor]:
        """What is known of every step beforehand: its features, its past and its running scale."""
        past = self.relative.all(steps)
        features, scale = self.relative(past)
        if context is not None:
            features = torch.cat([features, context.unflatten(-1, (self.steps, -1))], -1)
        return features, past, scale

    @property
    def remembered(self) -> int:
        """The numbers that a walk keeps for each row."""
        return self.causal.remembered(self.steps) + self.head.remembered + self.steps * len(self.counts)

    def forward(self, x: Float[Tensor, "n d"], context: Float[Tensor, "n c"] | None = None) -> Float[Tensor, "n p"]:
        """All parameters, step by step; x may hold NaN where it is missing."""
        steps = x.unflatten(-1, (self.steps, len(self.counts)))  # (n, T, V)
        features, past, scale = self._seen(steps, context)
        h = self.dropout(self.causal(self.first(features)))
        moves = self.relative.moves(steps, past.anchor, scale)
        parameters = self.head(moves, torch.cat([h, features], -1))
        return self._absolute(parameters, past.anchor, scale).flatten(1)  # (n, T, P) → (n, T P)

    def walk(
        self, n: int, context: Float[Tensor, "n c"] | None = None, begun: Float[Tensor, "n t v"] | None = None
    ) -> Generator[Float[Tensor, "n count"], Float[Tensor, " n"], None]:
        """The same parameters one component after another; ``begun`` holds first steps that are known already."""
        history, memory = History(self.relative, n), self.causal.memory()
        contexts = None if context is None else context.unflatten(-1, (self.steps, -1))
        known = 0 if begun is None else begun.shape[1]
        for t in range(self.steps):
            past = history.past()
            features, scale = self.relative(past)
            if contexts is not None:
                features = torch.cat([features, contexts[:, t]], -1)
            h = self.causal.step(self.first(features), memory)
            if begun is not None and t < known:
                history.add(begun[:, t])
                continue
            head = self.head.walk(n, torch.cat([h, features], -1))
            x: list[Tensor] = []
            parameters = next(head)
            for i in range(len(self.counts)):
                mine = slice(sum(self.counts[:i]), sum(self.counts[: i + 1]))
                x.append((yield self._absolute(parameters, past.anchor, scale, mine)))
                if i + 1 < len(self.counts):
                    move = self.relative.moves(x[i], past.anchor[:, i], scale[:, i])
                    parameters = head.send(move)
            history.add(torch.stack(x, -1))

    def _absolute(self, parameters: Tensor, anchor: Tensor, scale: Tensor, which: slice = slice(None)) -> Tensor:
        """Locations and log-scales in the units of x."""
        roles, owner = self.roles[which], self.owner[which]
        anchor, scale = anchor[..., owner], scale[..., owner]
        moved = torch.where(roles == 1, anchor + scale * parameters, parameters)
        floored = SMALLEST_LOG_SCALE + softplus(parameters - SMALLEST_LOG_SCALE)
        log_scale = floored + scale.log() + self.widening[owner]
        return torch.where(roles == 2, log_scale, moved)
