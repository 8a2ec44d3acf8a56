"""The answers that players of the game saved: read with checks, and pooled."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from pushforward.auditing.shares import clopper_pearson
from pushforward.errors import InputError
from pushforward.evidence import Estimate

__all__ = ["FORMAT", "Pool", "error_interval", "p_of_guessing", "pool_answers"]

FORMAT = {"pushforward": "game answers", "version": 1}


@dataclass(frozen=True)
class Pool:
    """What several people answered in one game.

    Arguments:
        game: The game's fingerprint.
        error: The share of wrong answers, with the p-value of guessing; HYPE's deception rate.
        on_real: The share of real pictures taken for generated.
        on_fake: The share of generated pictures taken for real.
        people: Every player's own share of wrong answers, by name.
    """

    game: str
    error: Estimate
    on_real: Estimate
    on_fake: Estimate
    people: dict[str, Estimate]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        figures = {"error": self.error, "on_real": self.on_real, "on_fake": self.on_fake}
        people = {name: estimate.to_json() for name, estimate in self.people.items()}
        return {"game": self.game, **{k: v.to_json() for k, v in figures.items()}, "people": people}

    def __str__(self) -> str:
        return "\n".join(map(str, [self.error, self.on_real, self.on_fake, *self.people.values()]))


def pool_answers(files: Sequence[str | Path]) -> Pool:
    """Read the answers that players of one game saved, and pool them.

    Raises:
        InputError: If a file is not one that the game's page saved, belongs to another game, or a name comes twice.
    """
    if not files:
        raise InputError("there are no answers to pool; give the JSON files that players saved from the game's page")
    saved: dict[str, dict[str, Any]] = {}
    for path in map(Path, files):
        answers = _read(path)
        name = " ".join(answers["name"].split())
        if (twice := name.casefold()) in saved:
            raise InputError(f"{path} holds the answers of {name}, who is in the pool already; leave one file out")
        first = next(iter(saved.values()), answers)
        if (answers["game"], answers["truth"]) != (first["game"], first["truth"]):
            raise InputError(f"{path} belongs to another game than {files[0]}; pool the answers of one game at a time")
        saved[twice] = {**answers, "name": name}
    truth = np.array([letter == "R" for letter in first["truth"]])
    answers_real = np.array([[letter == "R" for letter in one["answers"]] for one in saved.values()])
    return _pool(first["game"], [one["name"] for one in saved.values()], answers_real, truth)


def _pool(game: str, names: list[str], answers: Bool[np.ndarray, "p n"], truth: Bool[np.ndarray, " n"]) -> Pool:
    wrong = answers != truth
    protocol = f"HYPE∞, {truth.sum()} real + {(~truth).sum()} generated, {len(names)} player{'s' * (len(names) > 1)}"
    return Pool(
        game,
        _estimate(f"error rate ({protocol})", wrong, p_of_guessing(answers, truth)),
        _estimate("real taken for generated", wrong[:, truth]),
        _estimate("generated taken for real", wrong[:, ~truth]),
        {
            name: _estimate(f"error rate of {name}", wrong[[i]], p_of_guessing(answers[[i]], truth))
            for i, name in enumerate(names)
        },
    )


def _estimate(name: str, wrong: Bool[np.ndarray, "p n"], p_value: float | None = None) -> Estimate:
    low, high = error_interval(wrong)
    return Estimate(name, float(wrong.mean()), low, high, wrong.size, "share", p_value=p_value)


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give a file saved from the game's page") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON; give a file saved from the game's page") from error
    if not _is_answers(value):
        raise InputError(f"{path} holds no complete answers of a game; give a file saved from the game's page")
    return dict(value)


def _is_answers(value: Any) -> bool:
    if not isinstance(value, dict) or not FORMAT.items() <= value.items():
        return False
    text = [value.get(key) for key in ("game", "name", "truth", "answers")]
    if not all(isinstance(item, str) and item.strip() for item in text):
        return False
    truth, answers = value["truth"], value["answers"]
    return len(answers) == len(truth) == 2 * truth.count("R") and set(truth) | set(answers) == {"R", "G"}


def error_interval(wrong: Bool[np.ndarray, "p n"], level: float = 0.05) -> tuple[float, float]:
    r"""The exact interval of an error rate; of several players, at the number of answers that theirs are worth.

    One player: Clopper & Pearson (1934). Several see the same pictures, and neither one player's answers nor the
    answers to one picture are independent, so the :math:`pn` answers are worth

    .. math:: n^* = pn \frac{\bar e (1 - \bar e)}{MS_\text{players} + MS_\text{pictures} - MS_\text{rest}}
        \left(\frac{t_{pn-1}}{t_{p-1}}\right)^2 \le pn

    with the mean squares of the two-way table of errors (after Korn & Graubard 1998). It speaks of further players
    and further pictures of both laws, and is conservative for few players. Where nobody erred, or always, the spread
    is unknown, and the answers count as one player's.

    Example:
        >>> low, high = error_interval(np.arange(100)[None] < 30)
        >>> f"{low:.3f} {high:.3f}"
        '0.212 0.400'
    """
    players, pictures = wrong.shape
    rate = float(wrong.mean())
    n = _worth(wrong.astype(np.float64), level) if players > 1 and 0 < rate < 1 else float(pictures)
    return clopper_pearson(rate * n, n, level)


def _worth(wrong: Float[np.ndarray, "p n"], level: float) -> float:
    from scipy.stats import t

    players, pictures = wrong.shape
    rate, by_player, by_picture = wrong.mean(), wrong.mean(1, keepdims=True), wrong.mean(0, keepdims=True)
    rest = (wrong - by_player - by_picture + rate) ** 2
    spread = pictures * ((by_player - rate) ** 2).sum() / (players - 1)
    spread += (players * ((by_picture - rate) ** 2).sum() - rest.sum() / (players - 1)) / (pictures - 1)
    quantiles = t.ppf(1 - level / 2, wrong.size - 1) / t.ppf(1 - level / 2, players - 1)
    share = rate * (1 - rate) * quantiles**2
    return float(wrong.size * min(1.0, share / spread)) if spread > share else float(wrong.size)


def p_of_guessing(answers: Bool[np.ndarray, "p n"], truth: Bool[np.ndarray, " n"]) -> float:
    r"""The exact two-sided p-value of the hypothesis that the answers know nothing of the truth.

    Which half of the pictures is real was drawn by chance. With the answers held fixed, the number :math:`T` of "real"
    answers to real pictures follows, under that hypothesis, its law over all :math:`\binom{2m}{m}` ways to label the
    pictures, and :math:`p = P(|T - E T| \ge |t - E T|)`. No habit of answering, and no agreement between players,
    invalidates it; with one player it is Fisher's exact test (1935).

    Example:
        >>> truth = np.arange(8) < 4
        >>> round(p_of_guessing(truth[None], truth), 4)  # all of 8 right: two of 70 labellings are as far out
        0.0286
    """
    votes = answers.sum(0)
    total, m = int(votes.sum()), len(truth) // 2
    law = np.zeros((m + 1, total + 1))  # of the real pictures so far, and the "real" answers to them
    law[0, 0] = 1.0
    for v in map(int, votes):
        real = np.zeros_like(law)
        real[1:, v:] = law[:-1, : total + 1 - v]
        law = (law + real) / 2  # halved at each picture, so that no count overflows
    far = np.abs(2 * np.arange(total + 1) - total)
    return float(min(1.0, law[m, far >= far[int(votes[truth].sum())]].sum() / law[m].sum()))
