"""The order in which patterns are learnt from: a function of the seed and the step, so that nothing has to be saved."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from pushforward.training.game import Batch

__all__ = ["Stream", "seed_of"]


class Stream:
    """Batches without replacement, epoch after epoch, each epoch in an order of its own.

    The batch of a step depends on the seed and the step alone. A resumed run therefore sees what it would have seen,
    and each of several processes can take its own share of every batch.

    Arguments:
        gather: Fetches the patterns of some indices, as a batch on the device.
        size: The number of patterns.
        batch: How many make a batch; never more than there are.
        seed: Of the order.

    Example:
        >>> x = torch.arange(6.0).unsqueeze(-1)
        >>> stream = Stream(lambda i: Batch(x[i]), size=6, batch=3, seed=0)
        >>> torch.cat([stream[0].x, stream[1].x]).flatten().sort().values
        tensor([0., 1., 2., 3., 4., 5.])
    """

    def __init__(self, gather: Callable[[Tensor], Batch], size: int, batch: int, seed: int) -> None:
        if size < 1 or batch < 1:
            raise ValueError(f"a stream needs patterns and a positive batch size, not {size} and {batch}")
        self.gather = gather
        self.size = size
        self.batch = min(batch, size)
        self.seed = seed
        self._order = lru_cache(maxsize=2)(self._shuffle)

    def __getitem__(self, step: int) -> Batch:
        """The batch of a step."""
        epoch, place = divmod(step, self.size // self.batch)
        return self.gather(self._order(epoch)[place * self.batch : (place + 1) * self.batch])

    def _shuffle(self, epoch: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed_of(self.seed, "order", epoch))
        return torch.randperm(self.size, generator=generator)


def seed_of(*parts: int | str) -> int:
    """A 63-bit seed that differs wherever any part does.

    Example:
        >>> seed_of(0, "order", 1) != seed_of(0, "order", 2)
        True
    """
    import hashlib

    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
