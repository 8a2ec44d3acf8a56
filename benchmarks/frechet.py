"""The Fréchet distance of 2,048 features: from features to the figure, against torchmetrics and a matrix root.

4,096 real and as many fake rows, in batches of 512 for torchmetrics, which accumulates them; both in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.harness import Case, Options, alternate, installed, main
from pushforward.auditing.gaussian_distance import frechet_distance

BATCH = 512


def features(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Correlated columns of unequal spread, as a network's are; the fake ones are shifted and wider."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(d, d)) * np.exp(-np.linspace(0, 4, d)) / d**0.5
    real, fake = (rng.normal(size=(n, d)) @ mix for _ in range(2))
    return real, 1.1 * fake + 0.01


def moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean = x.mean(0)
    centred = x - mean
    return mean, centred.T @ centred / (len(x) - 1)


def ours(real: np.ndarray, fake: np.ndarray) -> float:
    return frechet_distance(*moments(real), *moments(fake))


class Given(nn.Module):
    """An extractor whose pictures are features already."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.num_features = d

    def forward(self, x: Tensor) -> Tensor:
        return x


def torchmetrics(real: np.ndarray, fake: np.ndarray) -> float:
    from torchmetrics.image.fid import FrechetInceptionDistance

    metric = FrechetInceptionDistance(Given(real.shape[1]))
    for x, is_real in ((real, True), (fake, False)):
        for batch in torch.from_numpy(x).split(BATCH):
            metric.update(batch, real=is_real)
    return float(metric.compute())


def matrix_root(real: np.ndarray, fake: np.ndarray) -> float:
    from scipy.linalg import sqrtm

    a, b = (np.cov(x, rowvar=False) for x in (real, fake))
    shift = real.mean(0) - fake.mean(0)
    return float(shift @ shift + np.trace(a) + np.trace(b) - 2 * np.trace(np.real(sqrtm(a @ b))))


def floor(real: np.ndarray, fake: np.ndarray) -> Callable[[], object]:
    """Two covariances and the eigenvalues of one symmetric matrix."""
    return lambda: (real.T @ real, np.linalg.eigvalsh(fake.T @ fake))


def cases(options: Options) -> Iterator[Case]:
    peers = {"torchmetrics": torchmetrics} if installed(["torchmetrics"]) else {}
    d = 512 if options.quick else 2048
    real, fake = features(2 * d, d)
    runs = {"ours": partial(ours, real, fake), **{n: partial(f, real, fake) for n, f in peers.items()}}
    times = alternate({**runs, "floor": floor(real, fake)}, rounds=3, warmup=1 if options.quick else 0)
    yield Case(f"features to distance, d = {d:,}", times.pop("ours"), times, "ms", times.pop("floor"))
    mine = ours(real, fake)
    values = {n: f(real, fake) for n, f in {**peers, "scipy sqrtm": matrix_root}.items()}
    worst = max(abs(mine - value) for value in values.values())
    yield Case(f"distance, d = {d:,}", mine, values, "squared features", difference=worst)


if __name__ == "__main__":
    main(cases, __doc__)
