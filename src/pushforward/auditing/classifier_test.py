"""The classifier two-sample test: several discriminators, every answer on a pattern not seen before."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from pushforward.auditing.discriminators import FEATURES, PICTURES, Learner, combined, limited
from pushforward.auditing.figure import Figure, Null
from pushforward.auditing.resampling import is_smallest, permutation_p_value, relabellings
from pushforward.auditing.stages import Pool, Stage
from pushforward.auditing.statistics import balanced_accuracy, gains, js_lower_bound

__all__ = ["ClassifierTest", "classifier_test"]

RELABELLINGS = 999
FAINT = 1e-3  # a discriminator that has found nothing still answers, hardly believed
TOGETHER = "all of them combined"


@dataclass(frozen=True, eq=False)
class ClassifierTest:
    """How often, and with what confidence, discriminators told fake patterns from real ones.

    Arguments:
        p_value: Of equal laws, corrected for having tried several discriminators.
        accuracy: The combined discriminator's, on held-out patterns.
        js: The Jensen–Shannon divergence's lower bound from its answers, in nats.
        each: Every discriminator's accuracy with its own p-value.
        log_odds: The combined log-odds of being real, for each held-out pattern.
        position: Where each of them stands in the pool.
        n_train: How many patterns the last of them learnt from.
    """

    p_value: float
    accuracy: Figure
    js: Figure
    each: dict[str, Figure]
    log_odds: Float[np.ndarray, " n"] = field(repr=False)
    position: Int[np.ndarray, " n"] = field(repr=False)
    n_train: int

    @property
    def n_test(self) -> int:
        """How many patterns were judged."""
        return len(self.position)

    @property
    def strongest(self) -> str:
        """The discriminator of the smallest p-value; of several, as in clear cases, the one most often right.

        Where all of them combined are right as often, it is they.
        """
        return min(self.each, key=lambda name: (self.each[name].p_value, -self.each[name].value, name != TOGETHER))

    @property
    def clear(self) -> bool:
        """Whether no relabelling did as well."""
        return is_smallest(self.p_value, RELABELLINGS)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"p_value": self.p_value, "each": {name: figure.to_json() for name, figure in self.each.items()}}


def classifier_test(
    pool: Pool, stages: list[Stage], rng: np.random.Generator, level: float = 0.05, reference: str = "data"
) -> ClassifierTest:
    r"""Let discriminators learn and answer, stage by stage, and test whether they tell the two apart.

    The statistic of discriminator c is its held-out cross-entropy (9), written as the gain

    .. math:: G_c = \log 2 + \tfrac12 \overline{\log \pi_c}(\text{real}) +
        \tfrac12 \overline{\log(1 - \pi_c)}(\text{fake}).

    Within a stage its law under equal laws is that of relabelling the stage's patterns; standardised by it,
    the stages' statistics add up with weights :math:`\sqrt{n_k}`. The p-value is that of the largest sum among
    the discriminators and their combination, relabelled together (Westfall & Young 1993), so having tried
    several costs no more than their differences do. Sources: Lopez-Paz & Oquab (2017); Kim, Ramdas, Singh &
    Wasserman (2021).

    Arguments:
        pool: The patterns.
        stages: What is learnt from and what is judged, each judged independently of what came before.
        rng: Of seeds and relabellings.
        level: One minus the intervals' coverage.
        reference: What the real patterns are, for the figures' names.

    Example:
        >>> from pushforward.auditing.stages import one_after_another
        >>> rng = np.random.default_rng(0)
        >>> pool = Pool(np.arange(400) < 200, np.where(np.arange(400) < 200, 0, 1)[:, None] + rng.normal(size=(400, 2)))
        >>> classifier_test(pool, one_after_another(pool, rng), rng).p_value
        0.001
    """
    judged = [_judge(pool, stage, int(rng.integers(2**31))) for stage in stages]
    nulls = [_relabelled(answers, pool.real[stage.test], rng) for answers, stage in zip(judged, stages, strict=True)]
    weights = np.sqrt([len(stage.test) for stage in stages])
    sums = sum(w * _standardised(null) for w, null in zip(weights, nulls, strict=True))
    every = np.concatenate(judged)
    position = np.concatenate([stage.test for stage in stages])
    real = pool.real[position]
    names = [*_learners(pool), TOGETHER]
    p_values = [permutation_p_value(float(column[0]), column[1:]) for column in sums.T]
    accuracies = _accuracies(judged, [pool.real[stage.test] for stage in stages], rng)
    figures = {name: _accuracy(every[:, c], real, level, p_values[c], accuracies[:, c]) for c, name in enumerate(names)}
    together = every[:, -1]
    largest = sums.max(1)
    p_value = permutation_p_value(float(largest[0]), largest[1:])
    share = np.array([len(stage.test) for stage in stages]) / len(position)
    js = js_lower_bound(together[real], together[~real], level)
    null = sum(w * null[1:, -1] for w, null in zip(share, nulls, strict=True))
    named = replace(
        figures[TOGETHER].estimate, name=f"accuracy of a classifier (reference: {reference})", p_value=p_value
    )
    return ClassifierTest(
        p_value,
        Figure(named, figures[TOGETHER].null),
        Figure(replace(js, p_value=p_values[-1]), Null(null)),
        figures,
        together,
        position,
        len(stages[-1].train),
    )


def _learners(pool: Pool) -> dict[str, tuple[Learner, np.ndarray]]:
    """The discriminators that apply, each with what it looks at."""
    looking = {name: (learner, pool.features) for name, learner in FEATURES.items()}
    if pool.pictures is None:
        return looking
    return looking | {name: (learner, pool.pictures) for name, learner in PICTURES.items()}


def _judge(pool: Pool, stage: Stage, seed: int) -> Float[np.ndarray, "m learners"]:
    """Each discriminator's calibrated log-odds on the stage's patterns, those of all combined in the last column."""
    real, n = pool.real[stage.train], len(stage.train)
    learners = _learners(pool).values()
    learnt = [learner(view[stage.train], real, seed) for learner, view in learners]
    answers = np.stack([model.answer(view[stage.test]) for model, (_, view) in zip(learnt, learners, strict=True)], 1)
    alone = np.concatenate([combined([model], real) for model in learnt])
    together = combined(learnt, real)
    columns = [*(np.maximum(alone, FAINT) * answers).T, answers @ np.maximum(together, FAINT)]
    return limited(np.stack(columns, 1), n)


def _relabelled(
    answers: Float[np.ndarray, "m learners"], real: Bool[np.ndarray, " m"], rng: np.random.Generator
) -> Float[np.ndarray, "draws learners"]:
    """The gain of each discriminator: as observed in the first row, and relabelled in the others."""
    n = int(real.sum())
    labels = np.concatenate([real[None], relabellings(n, len(real) - n, RELABELLINGS, rng)]).astype(np.float64)
    for_real, for_fake = gains(answers), gains(-answers)
    return np.asarray(0.5 * (labels @ for_real / n + (1 - labels) @ for_fake / (len(real) - n)))


def _standardised(null: Float[np.ndarray, "draws learners"]) -> Float[np.ndarray, "draws learners"]:
    """In units of the relabelled law; 0 for a discriminator that gave every pattern the same answer."""
    spread = null[1:].std(0)
    return np.where(spread > 1e-12, (null - null[1:].mean(0)) / np.maximum(spread, 1e-12), 0.0)


def _accuracies(
    judged: list[Float[np.ndarray, "m learners"]], real: list[Bool[np.ndarray, " m"]], rng: np.random.Generator
) -> Float[np.ndarray, "draws learners"]:
    """Accuracies under relabelling within each stage, for the figures' null laws."""
    n, m = (sum(int((labels == kind).sum()) for labels in real) for kind in (True, False))
    right = np.zeros((RELABELLINGS, judged[0].shape[1]))
    for answers, labels in zip(judged, real, strict=True):
        k = int(labels.sum())
        draws = relabellings(k, len(labels) - k, RELABELLINGS, rng).astype(np.float64)
        called = (answers > 0).astype(np.float64)
        right += 0.5 * (draws @ called / n + (1 - draws) @ (1 - called) / m)
    return right


def _accuracy(
    answers: Float[np.ndarray, " m"],
    real: Bool[np.ndarray, " m"],
    level: float,
    p_value: float,
    null: Float[np.ndarray, " draws"],
) -> Figure:
    """The balanced accuracy of one discriminator; an answer of exactly 0 counts as fake, whatever the pattern is."""
    n = int(real.sum())
    right_real, right_fake = int((answers[real] > 0).sum()), int((answers[~real] <= 0).sum())
    return Figure(balanced_accuracy(right_real, n, right_fake, len(real) - n, level, p_value), Null(null))
