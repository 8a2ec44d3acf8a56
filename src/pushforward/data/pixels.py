"""The encoding of pictures: bytes to [−1, 1] on a grid, or two levels to {0, 1}."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np

from pushforward.data.dataset import Array, Dataset, blocks
from pushforward.errors import InputError
from pushforward.event import Block, Event

__all__ = ["Pixels"]


@dataclass(frozen=True)
class Pixels:
    r"""The encoding of pictures as vectors in the order channels, height, width.

    .. math:: y = (x - m) / m, \quad m = (\text{levels} - 1) / 2, \qquad \text{or } y = (x - a) / (b - a)

    for pictures of two values a < b, which are binary. Either has a probability: the log-determinant is 0.

    Arguments:
        height: In pixels.
        width: In pixels.
        colour: Whether there are three channels.
        levels: A byte's values are 0 to ``levels - 1``.
        two: The two values of binary pictures.
    """

    height: int
    width: int
    colour: bool
    levels: int
    two: tuple[int, int] | None = None

    @classmethod
    def fit(cls, data: Dataset) -> Pixels:
        """Fit to training pictures."""
        x = data.pictures
        if all(bool((block == x[:1]).all()) for block in blocks(x)):
            raise InputError(f"{data.name}: all pictures are equal, so there is nothing to learn; give other data")
        levels = data.levels or 256
        present = np.zeros(256, bool)
        for block in blocks(x):
            present[block] = True
            if present.sum() > 2:
                break
        values = np.flatnonzero(present).tolist()
        two = (values[0], values[1]) if values in ([0, 1], [0, 255]) else None
        return cls(x.shape[1], x.shape[2], x.ndim == 4, levels, two)

    @property
    def event(self) -> Event:
        """What one encoded picture is."""
        channels = 3 if self.colour else 1
        size = channels * self.height * self.width
        grid = Block("grid", size, 2.0 / (self.levels - 1), -1.0, 1.0)
        return Event((grid if self.two is None else Block.binary(size),), (channels, self.height, self.width))

    def encode(self, data: Dataset, out: Array) -> None:
        """Fill ``(N, D)`` with the encoded pictures."""
        shift, scale = self._affine
        start = 0
        for block in blocks(data.pictures):
            vectors = (np.moveaxis(block, -1, 1) if self.colour else block).reshape(len(block), -1)
            out[start : start + len(block)] = (vectors.astype(out.dtype) - shift) / scale
            start += len(block)

    def log_det(self, data: Dataset) -> Array:
        """0 per picture, −∞ for one with a value that cannot occur, shape ``(N,)``."""
        can = self._possible
        possible = [can[block].reshape(len(block), -1).all(axis=1) for block in blocks(data.pictures)]
        return np.where(np.concatenate([np.zeros(0, bool), *possible]), 0.0, -np.inf)

    def contradiction(self, data: Dataset) -> str:
        """Which value of the first picture cannot occur; empty if all can."""
        first = np.asarray(data.pictures[0])
        wrong = first[~self._possible[first]]
        had = f"0 to {self.levels - 1}" if self.two is None else f"{self.two[0]} or {self.two[1]}"
        return f"a pixel holds {wrong[0]}, and training had {had}" if wrong.size else ""

    def decode(self, y: Array) -> dict[str, Any]:
        """The pictures, as arguments of :class:`Dataset`, from ``(N, D)``."""
        vectors = np.concatenate([np.empty((0, y.shape[1]), np.uint8), *map(self._bytes, blocks(y))])
        shape = (len(y), 3, self.height, self.width) if self.colour else (len(y), self.height, self.width)
        pictures = vectors.reshape(shape)
        pictures = np.ascontiguousarray(np.moveaxis(pictures, 1, -1)) if self.colour else pictures
        return {"kind": "pictures", "values": pictures, "levels": self.levels}

    def _bytes(self, y: Array) -> Array:
        if self.two is not None:
            return np.where(y >= 0.5, np.uint8(self.two[1]), np.uint8(self.two[0]))
        shift, scale = self._affine
        bytes_: Array = np.rint(y * scale + shift).clip(0, self.levels - 1).astype(np.uint8)
        return bytes_

    def check(self, data: Dataset) -> None:
        """Name the difference in kind, size, colour or levels."""
        if data.kind != "pictures":
            raise InputError(f"{data.name} holds rows of numbers, but the model was fitted on pictures; give pictures")
        h, w = data.pictures.shape[1:3]
        if (h, w) != (self.height, self.width):
            raise InputError(
                f"{data.name} has pictures of {h}×{w}, but the model was fitted on {self.height}×{self.width}"
                "; resize them with --size"
            )
        if (data.pictures.ndim == 4) != self.colour:
            was, mode = ("in colour", "RGB") if self.colour else ("grey", "L")
            raise InputError(f"{data.name}: the model was fitted on pictures that are {was}; give --mode {mode}")
        if data.levels != self.levels:
            raise InputError(
                f"{data.name} has pictures of {data.levels} levels, but the model was fitted on {self.levels}"
                "; give pictures of as many"
            )

    def describe(self) -> str:
        """The pictures in a line."""
        values = f"{self.levels} levels" if self.two is None else f"two values, {self.two[0]} and {self.two[1]}"
        return f"pictures: {self.height}×{self.width}, {'colour' if self.colour else 'grey'}, {values}"

    def to_json(self) -> dict[str, Any]:
        """Plain values that rebuild it."""
        return {"kind": "pictures", **asdict(self), "two": self.two and list(self.two)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Pixels:
        """The inverse of :meth:`to_json`."""
        given = {name: v for name, v in value.items() if name != "kind"}
        return cls(**{**given, "two": cast("tuple[int, int] | None", given["two"] and tuple(given["two"]))})

    @property
    def _possible(self) -> Array:
        """Whether each value of a byte can occur."""
        return np.isin(np.arange(256), np.arange(self.levels) if self.two is None else self.two)

    @property
    def _affine(self) -> tuple[float, float]:
        if self.two is not None:
            return float(self.two[0]), float(self.two[1] - self.two[0])
        return (self.levels - 1) / 2, (self.levels - 1) / 2
