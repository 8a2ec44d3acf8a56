"""Neural spline coupling flows: a training step and sampling, against zuko, nflows and normflows.

Five couplings, hidden layers 128 × 2, eight bins, batches of 512 in 8 and 43 dimensions, AdamW (fused).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn

from benchmarks.harness import Case, Options, alternate, installed, main
from pushforward.bijections import Affine, Coupling, Permutation
from pushforward.bijections.spline import SHIFT
from pushforward.event import Event
from pushforward.models.flow import Flow

BATCH, TRANSFORMS, WIDTH, BINS, BOUND = 512, 5, 128, 8, 5.0

Contestant = tuple[nn.Module, Callable[[Tensor], Tensor], Callable[[], Tensor]]
"""The parameters, the log-density of a batch, and how to draw one."""


def ours(d: int) -> Contestant:
    flow = Flow(Event.continuous(d), transforms=TRANSFORMS, hidden=(WIDTH, WIDTH), bins=BINS, bound=BOUND)
    return flow, lambda x: flow().log_prob(x), lambda: flow().sample((BATCH,))


def zuko(d: int) -> Contestant:
    from zuko.flows import NSF

    flow = NSF(d, transforms=TRANSFORMS, hidden_features=(WIDTH, WIDTH), bins=BINS, passes=2)
    return flow, lambda x: flow().log_prob(x), torch.no_grad()(lambda: flow().sample((BATCH,)))


class Perceptron(nn.Sequential):
    """The network of an nflows coupling: ours, in the shape nflows expects."""

    hidden_features = WIDTH  # nflows divides by its root

    def __init__(self, inputs: int, outputs: int) -> None:
        first, second, last = nn.Linear(inputs, WIDTH), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, outputs)
        super().__init__(first, nn.ReLU(), second, nn.ReLU(), last)

    def forward(self, x: Tensor, context: None = None) -> Tensor:
        return super().forward(x)


def nflows(d: int) -> Contestant:
    return nflows_twin(ours(d)[0], d)


def normflows(d: int) -> Contestant:
    """One residual block is the nearest to two hidden layers that it offers."""
    from normflows import NormalizingFlow
    from normflows.distributions import DiagGaussian
    from normflows.flows import CoupledRationalQuadraticSpline as Spline

    links = [Spline(d, 1, WIDTH, num_bins=BINS, tail_bound=BOUND, reverse_mask=bool(i % 2)) for i in range(TRANSFORMS)]
    flow = NormalizingFlow(DiagGaussian(d, trainable=False), links)
    return flow, flow.log_prob, torch.no_grad()(lambda: flow.sample(BATCH)[0])


PEERS = {"zuko": zuko, "nflows": nflows, "normflows": normflows}


def training_step(contestant: Contestant, x: Tensor) -> Callable[[], None]:
    module, log_prob, _ = contestant
    optimiser = torch.optim.AdamW(module.parameters(), lr=1e-4, fused=True)

    def step() -> None:
        optimiser.zero_grad()
        (-log_prob(x).mean()).backward()
        optimiser.step()

    return step


def products(d: int, backward: bool) -> Callable[[], None]:
    """The matrix products of the five networks alone: what no implementation can go below."""
    widths = [d // 2, WIDTH, WIDTH, (3 * BINS - 1) * (d - d // 2)]
    layers = [(torch.randn(BATCH, m), torch.randn(n, m)) for m, n in pairwise(widths)]
    gradients = [torch.randn(BATCH, n) for n in widths[1:]]

    def run() -> None:
        for _ in range(TRANSFORMS):
            for (h, w), g in zip(layers, gradients, strict=True):
                h @ w.T
                if backward:
                    g @ w, g.T @ h

    return run


def nflows_twin(flow: nn.Module, d: int) -> Contestant:
    """An nflows flow with the parameters of ours, but for the standardisation, which it does not have."""
    from nflows.distributions import StandardNormal
    from nflows.flows import Flow as Peer
    from nflows.transforms import CompositeTransform
    from nflows.transforms import Permutation as PeerPermutation

    links = [
        PeerPermutation(link.back) if isinstance(link, Permutation) else _coupling_twin(link, d)
        for link in reversed(flow.bijection.links)
        if not isinstance(link, Affine)
    ]
    peer = Peer(CompositeTransform(links), StandardNormal([d]))
    return peer, peer.log_prob, torch.no_grad()(lambda: peer.sample(BATCH))


def _coupling_twin(coupling: Coupling, d: int) -> nn.Module:
    from nflows.transforms import PiecewiseRationalQuadraticCouplingTransform as PeerCoupling

    mask = [0] * (d // 2) + [1] * (d - d // 2)
    peer = PeerCoupling(mask, Perceptron, num_bins=BINS, tails="linear", tail_bound=BOUND)
    peer.to(coupling.network.last.weight.dtype)
    first, _, second, _, last = peer.transform_net
    for mine, theirs in zip(coupling.network.hidden, [first, second], strict=True):
        theirs.load_state_dict(mine.state_dict())
    last.weight.data.copy_(_rearranged(coupling.network.last.weight.data))
    bias = _rearranged(coupling.network.last.bias.data[:, None]).view(-1, 3 * BINS - 1)
    bias[:, 2 * BINS :] += SHIFT
    last.bias.data.copy_(bias.flatten())
    return peer


def _rearranged(rows: Tensor) -> Tensor:
    """From (width–height pairs, derivatives) × component to component × (widths, heights, derivatives)."""
    rows = rows.unflatten(0, (3 * BINS - 1, -1))
    pairs = rows[: 2 * BINS].unflatten(0, (BINS, 2)).transpose(0, 1).flatten(0, 1)
    return torch.cat([pairs * WIDTH**0.5, rows[2 * BINS :]]).transpose(0, 1).flatten(0, 1)


def equality(d: int) -> Case:
    """Log-densities of our flow and of nflows' with the same parameters, in float64."""
    x = 2 * torch.randn(BATCH, d, dtype=torch.float64)
    flow = ours(d)[0].double()
    for link in flow.bijection.links[:-1]:
        for p in link.parameters():
            p.data += 0.05 * torch.randn_like(p)
    log_prob = nflows_twin(flow, d)[1]
    with torch.no_grad():
        mine, theirs = flow().log_prob(x), log_prob(x)
    case = f"mean log-density at equal parameters, d = {d}"
    values = mine.mean().item(), {"nflows": theirs.mean().item()}
    return Case(case, *values, "nats", difference=(mine - theirs).abs().max().item())


def cases(options: Options) -> Iterator[Case]:
    peers = installed(PEERS)
    for d, rounds in ((8, 12 if options.quick else 60), (43, 4 if options.quick else 30)):
        torch.manual_seed(0)
        x = torch.randn(BATCH, d)
        contestants = {"ours": ours(d), **{name: PEERS[name](d) for name in peers}}
        for case, backward in ((f"training step, d = {d}", True), (f"sampling 512, d = {d}", False)):
            runs = {n: training_step(c, x) if backward else c[2] for n, c in contestants.items()}
            times = alternate({**runs, "floor": products(d, backward)}, rounds)
            mine, floor = times.pop("ours"), times.pop("floor")
            yield Case(case, mine, times, "ms", floor)
        if "nflows" in peers:
            yield equality(d)


if __name__ == "__main__":
    main(cases, __doc__)
