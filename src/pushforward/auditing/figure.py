"""A figure of the audit: an estimate with its interval, beside where equal laws would have put it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from pushforward.evidence import Estimate

__all__ = ["Figure", "Null"]


@dataclass(frozen=True, eq=False)
class Null:
    """The law of a figure if both sets of patterns followed one law, at these sizes.

    Arguments:
        values: Draws of the figure under that hypothesis.

    Example:
        >>> null = Null(np.arange(41.0))
        >>> null.mean, null.low, null.high
        (20.0, 1.0, 39.0)
    """

    values: Float[np.ndarray, " draws"] = field(repr=False)

    @property
    def mean(self) -> float:
        """Where equal laws put the figure on average: rarely at its ideal value."""
        return float(np.mean(self.values))

    @property
    def low(self) -> float:
        """Below it equal laws put the figure once in forty times."""
        return float(np.quantile(self.values, 0.025))

    @property
    def high(self) -> float:
        """Above it equal laws put the figure once in forty times."""
        return float(np.quantile(self.values, 0.975))


@dataclass(frozen=True, eq=False)
class Figure:
    """An estimate, and its null law where it has one.

    Arguments:
        estimate: The value with its interval, n, units and, where it is a test, its p-value. Its name carries
            the protocol: features, neighbours, reference.
        null: Where equal laws would have put the value.

    Example:
        >>> figure = Figure(Estimate("coverage", 0.91, 0.89, 0.93, 1000, "share"), Null(np.full(8, 0.75)))
        >>> figure.to_json()["null"]
        0.75
    """

    estimate: Estimate
    null: Null | None = None

    @property
    def value(self) -> float:
        """The estimate's value."""
        return self.estimate.value

    @property
    def p_value(self) -> float | None:
        """Of equal laws, where the figure is a test."""
        return self.estimate.p_value

    def to_json(self) -> dict[str, Any]:
        """The estimate's plain values, with the null's mean and its central 95 %."""
        null = self.null
        return {
            **self.estimate.to_json(),
            "null": None if null is None else null.mean,
            "null_low": None if null is None else null.low,
            "null_high": None if null is None else null.high,
        }

    def __str__(self) -> str:
        if self.null is None:
            return str(self.estimate)
        return f"{self.estimate}; equal laws: {self.null.mean:.3f} [{self.null.low:.3f}, {self.null.high:.3f}]"
