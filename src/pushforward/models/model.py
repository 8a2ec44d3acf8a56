"""The one contract of all families: a module whose forward returns a distribution."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Distribution

from pushforward.event import Event

__all__ = ["Model", "beside"]


class Model(nn.Module, ABC):
    """A model is a module whose ``forward`` returns a distribution: ``model(context)``.

    The constructor's arguments are its configuration: plain values that go to JSON and rebuild it. A family passes them
    on to this constructor, which keeps them.

    Arguments:
        event: What one pattern is.
        context: The width C of the context, 0 if there is none.
        config: The remaining arguments of the family's constructor, by name.
    """

    takes_missing: ClassVar[bool] = False
    """Whether patterns may hold NaN where a value is missing."""
    gains_from_bfloat16: ClassVar[bool] = False
    """Whether its networks learn faster in bfloat16 even on processors: convolutions do, small perceptrons do not."""

    def __init__(self, event: Event, context: int = 0, **config: Any) -> None:
        super().__init__()
        if context < 0:
            raise ValueError(f"the context's width cannot be negative, as {context} is")
        self.event = event.made()
        self.context = context
        self.config = config

    @abstractmethod
    def forward(self, context: Float[Tensor, "*batch c"] | None = None) -> Distribution:
        """The law of patterns, given a context of shape ``(*batch, C)`` where the model has one."""

    @torch.no_grad()
    def prepare(self, x: Float[Tensor, "n d"], context: Float[Tensor, "n c"] | None = None) -> None:
        """Initialise what depends on data from a first batch.

        Raises:
            ValueError: If they are no patterns of the event, or not finite.
        """
        size, own = self.event.size, next(self.parameters()).dtype
        if x.dim() != 2 or x.shape[1] != size or x.dtype != own:
            received = f"{tuple(x.shape)} of {x.dtype}"
            raise ValueError(f"a first batch has the shape (n, {size}) and the type {own}, not {received}")
        if bool((x.isinf() | (x.isnan() & (not self.takes_missing))).any()):
            raise ValueError("a first batch holds values that are not finite; leave those patterns out")
        context = self.checked(context)
        if context is not None and context.shape[:-1] != x.shape[:1]:
            raise ValueError(f"a first batch of {len(x)} patterns has as many contexts, not {tuple(context.shape)}")
        self._prepare(x, context)

    def _prepare(self, x: Float[Tensor, "n d"], context: Float[Tensor, "n c"] | None) -> None:
        """What a family does with a first batch; most have nothing to do here."""

    def penalty(self) -> Float[Tensor, ""] | float:
        """What training adds to the loss of a batch, in nats a pattern: minus the log-density of a prior of weights."""
        return 0.0

    def calibrate(self, x: Float[Tensor, "n d"], context: Float[Tensor, "n c"] | None = None) -> None:
        """Adjust on validation patterns, once training is over, what it cannot judge; most families have nothing."""

    def checked(self, context: Float[Tensor, "*batch c"] | None) -> Float[Tensor, "*batch c"] | None:
        """The context as given, or a ``ValueError`` that names what was expected and what was received."""
        if context is not None and not isinstance(context, Tensor):
            raise ValueError(f"a context is a tensor, not {type(context).__name__}; convert it by torch.as_tensor(c)")
        received = "none" if context is None else f"one of shape {tuple(context.shape)}"
        if self.context == 0 and context is not None:
            raise ValueError(f"this model takes no context, but received {received}")
        if self.context and (context is None or context.shape[-1:] != (self.context,)):
            raise ValueError(f"this model needs a context of shape (…, {self.context}), but received {received}")
        if context is None:
            return None
        if not context.is_floating_point():
            raise ValueError(f"a context is floating-point numbers, not {context.dtype}; convert it, as by c.float()")
        own = next(self.parameters()).dtype
        if context.dtype != own:
            raise ValueError(f"the context is {context.dtype} and the model {own}; give context.to({own})")
        return context

    def to_json(self) -> dict[str, Any]:
        """The configuration, as plain values that rebuild the model."""
        return {"event": self.event.to_json(), "context": self.context, **self.config}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Model:
        """Build a model from its configuration, with fresh weights."""
        return cls(**{**value, "event": Event.from_json(value["event"])})

    def extra_repr(self) -> str:
        """The configuration, for ``repr``."""
        return ", ".join(
            f"{k}={v!r}" for k, v in {"d": self.event.size, "context": self.context, **self.config}.items()
        )


def beside(t: Float[Tensor, "*batch d"], context: Float[Tensor, "*#batch c"] | None) -> Float[Tensor, "*batch e"]:
    """What a network is fed: a tensor with the context beside it, if there is one."""
    return t if context is None else torch.cat([t, context.expand(*t.shape[:-1], -1)], -1)
