"""The catalogue: each bug, how it is planted, and the law that must catch it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import kl_divergence
from torch.nn.functional import logsigmoid, softplus

import laws
import training_laws
from laws import Case
from pushforward import fitting, objectives, storage
from pushforward.data import Schema
from pushforward.distributions import factorised
from pushforward.distributions.dequantised import Dequantised
from pushforward.distributions.factorised import Factorised
from pushforward.distributions.implicit import Implicit
from pushforward.distributions.latent import Latent
from pushforward.distributions.law import LowerBounded
from pushforward.distributions.ordered import Ordered
from pushforward.distributions.pushforward import Pushforward
from pushforward.distributions.scalar import ScalarMixture
from pushforward.distributions.standard import Logistic
from pushforward.event import Event
from pushforward.networks.masked import MaskedMLP
from pushforward.training import loop
from pushforward.training.state import Match


@dataclass(frozen=True)
class Mutant:
    """A bug.

    Arguments:
        name: What it is.
        plant: Puts it in place.
        caught_by: A law, bound to a case, which holds without it and must fail with it.
    """

    name: str
    plant: Callable[[pytest.MonkeyPatch], None]
    caught_by: Callable[[], None]


MUTANTS: list[Mutant] = []


def mutant(caught_by: Callable[[], None]) -> Callable[[Callable[[pytest.MonkeyPatch], None]], None]:
    def register(plant: Callable[[pytest.MonkeyPatch], None]) -> None:
        MUTANTS.append(Mutant(plant.__name__, plant, caught_by))

    return register


def on(law: Callable[[Case], None], family: str, event: str, context: int = 0) -> Callable[[], None]:
    return lambda: law(Case(family, event, context))


# ------------------------------------------------------------------------------------------------------------ densities


@mutant(on(laws.pushforward_is_a_change_of_variables, "flow", "continuous"))
def the_log_determinant_has_the_wrong_sign(patch: pytest.MonkeyPatch) -> None:
    def log_prob(self: Pushforward, x: Tensor) -> Tensor:
        z, log_det = self.bijection.inverse(x, self.context)
        return self.base.log_prob(z) - log_det

    patch.setattr(Pushforward, "log_prob", log_prob)


@mutant(on(laws.total_probability_is_one, "flow", "continuous"))
def the_log_determinant_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    def log_prob(self: Pushforward, x: Tensor) -> Tensor:
        return self.base.log_prob(self.bijection.inverse(x, self.context)[0])

    patch.setattr(Pushforward, "log_prob", log_prob)


@mutant(on(laws.samples_agree_with_density, "flow", "grid"))
def the_volume_of_a_cell_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    def log_weights(self: Dequantised, x: Tensor, k: int) -> Tensor:
        return self.base.log_prob(self.event.dequantise(x.expand(k, *x.shape)))

    patch.setattr(Dequantised, "log_weights", log_weights)


@mutant(on(laws.dequantising_fills_each_cell, "flow", "grid"))
def dequantising_noise_covers_a_tenth_of_the_cell(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Event, "dequantise", lambda self, y: y + 0.1 * self.width.to(y) * (torch.rand_like(y) - 0.5))


@mutant(on(laws.total_probability_is_one, "autoregressive", "grid"))
def the_edges_of_a_grid_do_not_collect_the_tails(patch: pytest.MonkeyPatch) -> None:
    cell = Logistic.log_cell

    def edgeless(self: Logistic, z: Tensor, half: Tensor, first: Tensor, last: Tensor) -> Tensor:
        nowhere = torch.zeros_like(first)
        return cell(self, z, half, nowhere, nowhere)

    patch.setattr(Logistic, "log_cell", edgeless)


@mutant(on(laws.total_probability_is_one, "autoregressive", "continuous"))
def the_scale_of_a_logistic_is_missing_from_its_density(patch: pytest.MonkeyPatch) -> None:
    def log_density(self: ScalarMixture, y: Tensor, parameters: Tensor) -> Tensor:
        log_weight, location, log_scale = self.read(parameters)
        t = (y.unsqueeze(-1) - location) * (-log_scale).exp()
        return (log_weight - t - 2 * softplus(-t)).logsumexp(-1)

    patch.setattr(ScalarMixture, "log_density", log_density)


@mutant(on(laws.samples_agree_with_density, "autoregressive", "continuous"))
def precision_is_used_as_scale_when_drawing(patch: pytest.MonkeyPatch) -> None:
    read, draw = ScalarMixture.read, ScalarMixture.draw

    def sharp(self: ScalarMixture, parameters: Tensor, shape: torch.Size) -> Tensor:
        log_weight, location, log_scale = read(self, parameters)
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(ScalarMixture, "read", lambda self, parameters: (log_weight, location, -log_scale))
            return draw(self, parameters, shape)

    patch.setattr(ScalarMixture, "draw", sharp)


@mutant(on(laws.conditionals_look_back_only, "autoregressive", "binary"))
def a_mask_lets_each_component_see_itself(patch: pytest.MonkeyPatch) -> None:
    init = MaskedMLP.__init__

    def leaky(self: MaskedMLP, *shape: Any, **options: Any) -> None:
        init(self, *shape, **options)
        self.last.mask.fill_(True)

    patch.setattr(MaskedMLP, "__init__", leaky)


@mutant(on(laws.samples_agree_with_density, "autoregressive", "binary"))
def sampling_forgets_what_was_drawn(patch: pytest.MonkeyPatch) -> None:
    def sample(self: Ordered, sample_shape: tuple[int, ...] = ()) -> Tensor:
        x = self.origin.expand(self._extended_shape(torch.Size(sample_shape)))
        return Factorised(self.marginals, self.conditionals(x)).sample()

    patch.setattr(Ordered, "sample", sample)


# ---------------------------------------------------------------------------------------------------------- calibration


@mutant(on(laws.pit_of_own_samples_is_uniform, "autoregressive", "continuous"))
def the_transform_asks_the_conditional_of_another_component(patch: pytest.MonkeyPatch) -> None:
    cdf = ScalarMixture.cdf
    patch.setattr(ScalarMixture, "cdf", lambda self, y, parameters: cdf(self, y, parameters.roll(1, -2)))


@mutant(on(laws.pit_has_the_density_for_its_jacobian, "autoregressive", "continuous"))
def precision_is_used_as_scale_in_the_distribution_function(patch: pytest.MonkeyPatch) -> None:
    def cdf(self: ScalarMixture, y: Tensor, parameters: Tensor) -> Tensor:
        log_weight, location, log_scale = self.read(parameters)
        return (log_weight.exp() * ((y.unsqueeze(-1) - location) * log_scale.exp()).sigmoid()).sum(-1)

    patch.setattr(ScalarMixture, "cdf", cdf)


@mutant(on(laws.pit_of_own_samples_is_uniform, "autoregressive", "binary"))
def the_transform_of_a_discrete_component_is_the_top_of_its_step(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(factorised.torch, "rand_like", torch.ones_like)


@mutant(on(laws.pit_grows_with_its_component, "autoregressive", "binary"))
def zero_and_one_are_swapped_in_the_transform(patch: pytest.MonkeyPatch) -> None:
    whole = Factorised.pit
    patch.setattr(Factorised, "pit", lambda self, x: whole(self, 1 - x))


@mutant(on(laws.pit_has_the_density_for_its_jacobian, "flow", "continuous"))
def a_flow_transforms_the_pattern_and_not_its_code(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Pushforward, "pit", lambda self, x: torch.special.ndtr(x))


@mutant(on(laws.pit_spreads_discrete_patterns, "flow", "grid"))
def the_transform_of_a_flow_forgets_to_dequantise(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Dequantised, "pit", lambda self, x: self.base.pit(x))


# -------------------------------------------------------------------------------------------------------------- context


@mutant(on(laws.context_changes_the_law, "flow", "continuous", 2))
def a_flow_ignores_its_context(patch: pytest.MonkeyPatch) -> None:
    init = Pushforward.__init__

    def deaf(self: Pushforward, base: object, bijection: object, context: Tensor | None = None) -> None:
        init(self, base, bijection, None if context is None else torch.zeros_like(context))

    patch.setattr(Pushforward, "__init__", deaf)


@mutant(on(laws.context_changes_the_law, "autoregressive", "continuous", 2))
def a_masked_network_ignores_its_context(patch: pytest.MonkeyPatch) -> None:
    forward = MaskedMLP.forward
    patch.setattr(MaskedMLP, "forward", lambda self, x, c=None: forward(self, x, None if c is None else 0 * c))


# --------------------------------------------------------------------------------------------------------------- bounds


@mutant(on(laws.bound_tightens_from_below, "vae", "continuous"))
def the_divergence_has_the_wrong_sign(patch: pytest.MonkeyPatch) -> None:
    def elbo(self: Latent, x: Tensor) -> Tensor:
        q = self.inference(x)
        return self.decoder(q.rsample()).log_prob(x) + kl_divergence(q, self.prior)

    patch.setattr(Latent, "elbo", elbo)


@mutant(on(laws.bound_tightens_from_below, "vae", "binary"))
def a_log_variance_is_used_as_a_deviation_when_drawing_codes(patch: pytest.MonkeyPatch) -> None:
    def log_weights(self: Latent, x: Tensor, k: int) -> Tensor:
        q = self.inference(x)
        z = q.mean + q.base_dist.scale.log() * torch.randn(k, *q.mean.shape, dtype=x.dtype)
        return self.decoder(z).log_prob(x) + self.prior.log_prob(z) - q.log_prob(z)

    patch.setattr(Latent, "log_weights", log_weights)


@mutant(on(laws.total_probability_is_one, "vae", "binary"))
def the_prior_is_missing_from_the_weights(patch: pytest.MonkeyPatch) -> None:
    def log_weights(self: Latent, x: Tensor, k: int) -> Tensor:
        q = self.inference(x)
        z = q.rsample(torch.Size([k]))
        return self.decoder(z).log_prob(x) - q.log_prob(z)

    patch.setattr(Latent, "log_weights", log_weights)


@mutant(on(laws.bound_tightens_from_below, "vae", "grid"))
def the_bound_sums_its_weights_instead_of_averaging(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(LowerBounded, "log_prob_bound", lambda self, x, k=1: self.log_weights(x, k).logsumexp(0))


@mutant(on(laws.bound_tightens_from_below, "vae", "mixed"))
def the_bound_averages_logarithms_and_does_not_tighten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(LowerBounded, "log_prob_bound", lambda self, x, k=1: self.log_weights(x, k).mean(0))


# ------------------------------------------------------------------------------------------------------------ gradients


@mutant(on(laws.gradient_reaches_every_parameter, "vae", "continuous"))
def codes_are_drawn_without_reparameterisation(patch: pytest.MonkeyPatch) -> None:
    def elbo(self: Latent, x: Tensor) -> Tensor:
        q = self.inference(x)
        return self.decoder(q.sample()).log_prob(x) - kl_divergence(q, self.prior).detach()

    patch.setattr(Latent, "elbo", elbo)


@mutant(on(laws.gradient_reaches_every_parameter, "gan", "continuous"))
def the_generator_is_taught_by_detached_samples(patch: pytest.MonkeyPatch) -> None:
    rsample = Implicit.rsample
    patch.setattr(Implicit, "rsample", lambda self, shape=(): rsample(self, shape).detach().requires_grad_())


@mutant(on(laws.samples_can_occur, "gan", "binary"))
def a_generator_is_not_rounded(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(laws.FAMILIES["gan"].architectures["perceptron"], "_exist", lambda self, x: x)


# ----------------------------------------------------------------------------------------------------------- objectives


@mutant(training_laws.the_adversary_is_judged_by_cross_entropy)
def the_discriminator_labels_are_swapped(patch: pytest.MonkeyPatch) -> None:
    swapped = lambda real, fake: -0.5 * (logsigmoid(-real).mean() + logsigmoid(fake).mean())  # noqa: E731
    patch.setattr(objectives, "adversary_loss", swapped)


@mutant(training_laws.the_saddle_point_has_two_losses_under_their_own_names)
def the_minimax_loss_is_the_non_saturating_one(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(objectives, "minimax_loss", objectives.non_saturating_loss)


@mutant(training_laws.the_penalty_is_of_the_gradient)
def the_penalty_carries_no_gradient(patch: pytest.MonkeyPatch) -> None:
    whole = objectives.gradient_penalty
    patch.setattr(objectives, "gradient_penalty", lambda logits, x: whole(logits, x).detach())


# ---------------------------------------------------------------------------------------------------- data and training


@mutant(training_laws.nothing_is_learnt_from_the_test_part)
def the_schema_is_fitted_on_all_data(patch: pytest.MonkeyPatch) -> None:
    fit, whole = Schema.fit, {}
    load = fitting.load

    def remembering(source: object, **options: object) -> object:
        whole["data"] = load(source, **options)
        return whole["data"]

    patch.setattr(fitting, "load", remembering)
    patch.setattr(Schema, "fit", lambda data, every=None: fit(whole["data"]))


@mutant(training_laws.likelihoods_are_in_the_units_of_the_data)
def the_change_of_units_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Schema, "log_det", lambda self, data: torch.zeros(len(data), dtype=torch.float64))


@mutant(training_laws.a_resumed_run_is_the_uninterrupted_one)
def a_resumed_optimiser_has_lost_its_memory(patch: pytest.MonkeyPatch) -> None:
    tensors = Match.tensors
    forgetful = lambda self: {n: t for n, t in tensors(self).items() if not n.startswith("optimiser/")}  # noqa: E731
    patch.setattr(Match, "tensors", forgetful)


@mutant(training_laws.a_resumed_run_is_the_uninterrupted_one)
def noise_goes_on_from_wherever_the_generator_is(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(loop.torch, "manual_seed", lambda seed: None)


@mutant(training_laws.the_global_random_state_is_left_alone)
def training_seeds_the_whole_process(patch: pytest.MonkeyPatch) -> None:
    import contextlib

    for module in (loop, fitting):
        patch.setattr(module, "isolated_randomness", lambda device: contextlib.nullcontext())


@mutant(training_laws.taking_the_held_out_figure_leaves_training_alone)
def averaged_weights_stay_in_the_model(patch: pytest.MonkeyPatch) -> None:
    import contextlib

    @contextlib.contextmanager
    def stuck(self: Match):
        self._put(self.average)
        yield

    patch.setattr(Match, "averaged", stuck)


@mutant(training_laws.altered_weights_are_recognised)
def checksums_are_not_compared(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(storage, "_digest_tensors", lambda tensors, record: "same")
