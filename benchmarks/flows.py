"""Neural spline flows, coupling and autoregressive: a training step and sampling, against zuko, nflows and normflows.

Five transforms, hidden layers 128 × 2, eight bins, batches of 512 in 8 and 43 dimensions, AdamW (fused).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from statistics import geometric_mean
from time import perf_counter

import torch
from torch import Tensor, nn

from benchmarks.harness import Case, Options, alternate, installed, main
from pushforward.bijections import Affine, Coupling, MaskedAutoregressive, Permutation
from pushforward.bijections.spline_tensors import SHIFT
from pushforward.event import Event
from pushforward.models.arrangements import Arrangement
from pushforward.models.flow import Flow

BATCH, TRANSFORMS, WIDTH, BINS, BOUND = 512, 5, 128, 8, 5.0
IN_A_ROW = 10
DIMENSIONS, ARRANGEMENTS = (8, 43), ("coupling", "autoregressive")

Contestant = tuple[nn.Module, Callable[[Tensor], Tensor], Callable[[], Tensor]]
"""The parameters, the log-density of a batch, and how to draw one."""


def ours(d: int, arrangement: Arrangement) -> Contestant:
    shape = {"transforms": TRANSFORMS, "hidden": (WIDTH, WIDTH), "bins": BINS, "bound": BOUND}
    flow = Flow(Event.continuous(d), arrangement=arrangement, **shape)
    return flow, lambda x: flow().log_prob(x), lambda: flow().sample((BATCH,))


def zuko(d: int, arrangement: Arrangement) -> Contestant:
    """Its default takes as many passes as there are components; two make a coupling."""
    from zuko.flows import NSF

    passes = 2 if arrangement == "coupling" else None
    flow = NSF(d, transforms=TRANSFORMS, hidden_features=(WIDTH, WIDTH), bins=BINS, passes=passes)
    return flow, lambda x: flow().log_prob(x), torch.no_grad()(lambda: flow().sample((BATCH,)))


def nflows(d: int, arrangement: Arrangement) -> Contestant:
    return nflows_twin(ours(d, arrangement)[0], d)


def normflows(d: int, arrangement: Arrangement) -> Contestant:
    """One residual block is the nearest to two hidden layers that it offers."""
    from normflows import NormalizingFlow, flows
    from normflows.distributions import DiagGaussian

    if arrangement == "coupling":
        made, other = flows.CoupledRationalQuadraticSpline, "reverse_mask"
    else:
        made, other = flows.AutoregressiveRationalQuadraticSpline, "permute_mask"
    shape = {"num_bins": BINS, "tail_bound": BOUND}
    links = [made(d, 1, WIDTH, **shape, **{other: bool(i % 2)}) for i in range(TRANSFORMS)]
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


def products(d: int, arrangement: Arrangement, backward: bool) -> Callable[[], None]:
    """The matrix products of the five networks alone: what no implementation with dense products can go below."""
    inputs, moved = (d // 2, d - d // 2) if arrangement == "coupling" else (d, d)
    widths = [inputs, WIDTH, WIDTH, (3 * BINS - 1) * moved]
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

    links = [_twin(link, d) for link in reversed(flow.bijection.links) if not isinstance(link, Affine)]
    peer = Peer(CompositeTransform(links), StandardNormal([d]))
    return peer, peer.log_prob, torch.no_grad()(lambda: peer.sample(BATCH))


def _twin(link: nn.Module, d: int) -> nn.Module:
    from nflows.transforms import MaskedPiecewiseRationalQuadraticAutoregressiveTransform as PeerAutoregressive
    from nflows.transforms import Permutation as PeerPermutation
    from nflows.transforms import PiecewiseRationalQuadraticCouplingTransform as PeerCoupling

    shape = {"num_bins": BINS, "tails": "linear", "tail_bound": BOUND}
    if isinstance(link, Permutation):
        return PeerPermutation(link.back)
    if isinstance(link, MaskedAutoregressive):
        peer = PeerAutoregressive(d, WIDTH, **shape)
        peer.autoregressive_net = Masked(link.network, d)
        return peer
    peer = PeerCoupling([0] * (d // 2) + [1] * (d - d // 2), Perceptron, **shape)
    peer.transform_net.take(link)
    return peer


class Perceptron(nn.Sequential):
    """The network of an nflows coupling: ours, in the shape nflows expects."""

    hidden_features = WIDTH  # nflows divides by its root

    def __init__(self, inputs: int, outputs: int) -> None:
        first, second, last = nn.Linear(inputs, WIDTH), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, outputs)
        super().__init__(first, nn.ReLU(), second, nn.ReLU(), last)

    def forward(self, x: Tensor, context: None = None) -> Tensor:
        return super().forward(x)

    def take(self, coupling: Coupling) -> None:
        """Take the parameters of one of our couplings."""
        first, _, second, _, last = self.to(coupling.network.last.weight.dtype)
        for mine, theirs in zip(coupling.network.hidden, [first, second], strict=True):
            theirs.load_state_dict(mine.state_dict())
        last.weight.data.copy_(_rearranged(coupling.network.last.weight.data, WIDTH**0.5))
        last.bias.data.copy_(_rearranged(coupling.network.last.bias.data[:, None], WIDTH**0.5, SHIFT).view(-1))


class Masked(nn.Module):
    """The network of an nflows autoregressive map: ours, with its outputs in the order nflows expects."""

    def __init__(self, network: nn.Module, d: int) -> None:
        super().__init__()
        self.first, self.blocks = network.first, network.blocks
        self.last = nn.Linear(WIDTH, (3 * BINS - 1) * d).to(network.last.weight.dtype)
        self.last.weight.data.copy_(_rearranged(network.last.weight.data))
        self.last.bias.data.copy_(_rearranged(network.last.bias.data[:, None], shift=SHIFT).view(-1))
        self.mask = _rearranged(network.last.mask.to(self.last.weight))

    def forward(self, x: Tensor, context: None = None) -> Tensor:
        h = self.first(x)
        for block in self.blocks:
            h = h + block(h.relu())
        return nn.functional.linear(h.relu(), self.last.weight * self.mask, self.last.bias)


def _rearranged(rows: Tensor, scale: float = 1.0, shift: float = 0.0) -> Tensor:
    """From (width–height pairs, derivatives) × component to component × (widths, heights, derivatives)."""
    rows = rows.unflatten(0, (3 * BINS - 1, -1))
    pairs = rows[: 2 * BINS].unflatten(0, (BINS, 2)).transpose(0, 1).flatten(0, 1)
    return torch.cat([pairs * scale, rows[2 * BINS :] + shift]).transpose(0, 1).flatten(0, 1)


def equality(d: int, arrangement: Arrangement = "coupling") -> Case:
    """Log-densities of our flow and of nflows' with the same parameters, in float64."""
    x = 2 * torch.randn(BATCH, d, dtype=torch.float64)
    flow = ours(d, arrangement)[0].double()
    for link in flow.bijection.links[:-1]:
        for p in link.parameters():
            p.data += 0.05 * torch.randn_like(p)
    log_prob = nflows_twin(flow, d)[1]
    with torch.no_grad():
        mine, theirs = flow().log_prob(x), log_prob(x)
    case = f"{arrangement}: mean log-density at equal parameters, d = {d}"
    values = mine.mean().item(), {"nflows": theirs.mean().item()}
    return Case(case, *values, "nats", difference=(mine - theirs).abs().max().item())


def compiled(d: int, arrangement: Arrangement, rounds: int) -> Iterator[Case]:
    """Our training step through torch.compile (inductor): what it brings, and what it costs first."""
    x, eager, fused = torch.randn(BATCH, d), ours(d, arrangement), ours(d, arrangement)
    step = training_step((fused[0], torch.compile(fused[1], fullgraph=True), fused[2]), x)
    start = perf_counter()
    step()
    seconds = perf_counter() - start
    times = alternate({"compiled": step, "eager": training_step(eager, x)}, rounds)
    yield Case(f"{arrangement}: compiled training step, d = {d}", times["compiled"], {"eager": times["eager"]}, "ms")
    yield Case(f"{arrangement}: time to compile, d = {d}", seconds, {}, "s")


def mean(task: str, cases: list[Case]) -> Case:
    """The geometric mean over cases of our times and of the best peer's in each; its ratio is that of the ratios."""
    best = {"best of each": geometric_mean(min(case.peers.values()) for case in cases)}
    return Case(f"{task}, geometric mean", geometric_mean(case.ours for case in cases), best, "ms")


def measured(
    task: str, d: int, arrangement: Arrangement, contestants: Mapping[str, Contestant], rounds: int, in_a_row: int = 1
) -> Case:
    """All contestants at one task, in turns."""
    x, trains = torch.randn(BATCH, d), task.startswith("training step")
    runs = {name: training_step(c, x) if trains else c[2] for name, c in contestants.items()}
    times = alternate({**runs, "floor": products(d, arrangement, trains)}, rounds, in_a_row=in_a_row)
    mine, floor = times.pop("ours"), times.pop("floor")
    return Case(f"{arrangement}: {task}, d = {d}", mine, times, "ms", floor)


def cases(options: Options) -> Iterator[Case]:
    peers = installed(PEERS)
    tasks: dict[str, list[Case]] = {"training step": [], f"training step, {IN_A_ROW} in a row": [], "sampling 512": []}
    for arrangement in ARRANGEMENTS:
        for d in DIMENSIONS:
            torch.manual_seed(0)
            contestants = {"ours": ours(d, arrangement), **{name: PEERS[name](d, arrangement) for name in peers}}
            slow = d > 8 or arrangement == "autoregressive"
            for task, done in tasks.items():
                in_a_row = IN_A_ROW if "in a row" in task else 1
                rounds = ((4 if slow else 12) if options.quick else (20 if slow else 60)) // in_a_row + 1
                done.append(measured(task, d, arrangement, contestants, rounds, in_a_row))
                yield done[-1]
            if "nflows" in peers:
                yield equality(d, arrangement)
    if peers:
        yield from (mean(task, done) for task, done in tasks.items())
    if not options.quick:
        for arrangement in ARRANGEMENTS:
            yield from compiled(8, arrangement, 60)


if __name__ == "__main__":
    main(cases, __doc__)
