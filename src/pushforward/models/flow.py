"""The flow family: exact, by an invertible map."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution

from pushforward.bijections import Affine, Bijection, Chain, Inverse, Logit, Triangular
from pushforward.distributions.base import BASES
from pushforward.distributions.pushforward import Pushforward
from pushforward.event import Event
from pushforward.models.arrangements import Arrangement, Mixing, arranged, univariate
from pushforward.models.dequantisation import Dequantisation
from pushforward.models.model import Model

__all__ = ["Flow"]


class Flow(Model):
    r"""A normalizing flow of vectors: codes of a known law, moved by an invertible map.

    .. math:: z \sim p_0, \qquad x = f_\theta(z, c).

    With couplings and splines it is a neural spline flow (RQ-NSF (C)), with couplings and affine maps RealNVP, with
    masked networks and affine maps MAF, or IAF if inverted.

    Sources: Dinh, Sohl-Dickstein and Bengio (2017), RealNVP; Papamakarios, Pavlakou and Murray (2017), MAF; Kingma et
    al. (2016), IAF; Durkan, Bekasov, Murray and Papamakarios (2019), "Neural Spline Flows".

    Arguments:
        event: What one pattern is; discrete components are dequantised, which leaves a lower bound.
        context: The width of the context.
        arrangement: ``coupling`` (both directions in one pass), ``autoregressive`` (more expressive, draws one
            component after another) or ``inverse`` (draws in one pass, learns one component after another).
        map: The univariate map: ``spline`` or ``affine``.
        base: The law of codes: ``normal``, ``student``, ``mixture`` or ``uniform``.
        mixing: What comes between transforms: a ``permutation``, or a ``linear`` map that is learned besides.
        transforms: How many transforms.
        hidden: The hidden layers of each transform's network.
        bins: The number of bins of each spline.
        bound: Where the splines end and the identity begins, in standard deviations of the prepared patterns.
        whiten: Whether to start from the covariance of the patterns, not their variances alone. It makes the flow of
            a few correlated columns learn much faster, and that of many pixels overfit sooner.
        dequantisation: ``uniform``, or ``variational`` for noise that is learned.

    Example:
        >>> import torch
        >>> _ = torch.manual_seed(0)
        >>> flow = Flow(Event.continuous(3), context=2, transforms=2, hidden=(16,))
        >>> law = flow(torch.zeros(5, 2))
        >>> law.log_prob(law.sample()).shape
        torch.Size([5])
    """

    def __init__(
        self,
        event: Event,
        context: int = 0,
        arrangement: Arrangement = "coupling",
        map: str = "spline",  # noqa: A002  # the field's word
        base: str = "normal",
        mixing: Mixing = "permutation",
        transforms: int = 5,
        hidden: Sequence[int] = (128, 128),
        bins: int = 8,
        bound: float = 5.0,
        whiten: bool = False,
        dequantisation: str = "uniform",
    ) -> None:
        shape = {"transforms": transforms, "hidden": list(hidden), "bins": bins, "bound": bound, "whiten": whiten}
        parts = {"arrangement": arrangement, "map": map, "base": base, "mixing": mixing}
        super().__init__(event, context, **parts, **shape, dequantisation=dequantisation)
        if base not in BASES:
            raise ValueError(f"the base is one of {', '.join(BASES)}, not {base!r}")
        self.base = BASES[base](event.size)
        g = univariate(map, bins, bound)
        links = arranged(arrangement, mixing, event.size, context, transforms, hidden, g)
        # Uniform codes lie in a cube, patterns may lie anywhere.
        inner: list[Bijection] = [Inverse(Logit(-1.0, 1.0))] if base == "uniform" else []
        outer = Triangular(event.size) if whiten else Affine(event.size)
        self.dequantisation = Dequantisation(event, context, dequantisation)
        self.bijection = Chain([*inner, *links, outer, *self.dequantisation.limits()])

    def forward(self, context: Float[Tensor, "*batch c"] | None = None) -> Distribution:
        """The law of patterns, with the batch shape of the context."""
        context = self.checked(context)
        batch = () if context is None else context.shape[:-1]
        origin = next(self.parameters()).new_zeros(*batch, self.event.size)
        law: Distribution = self.dequantisation(Pushforward(self.base(origin), self.bijection, context), context)
        return law

    def _prepare(self, x: Float[Tensor, "n d"], context: Float[Tensor, "n c"] | None) -> None:
        """Standardise the patterns of a first batch, discrete components spread over their cells; then see the base."""
        x = self.dequantisation.prepared_with(x)
        self.bijection.prepare(x, context)
        self.base.prepare(self.bijection.inverse(x, context)[0])
