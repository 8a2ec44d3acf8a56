"""The audit's two parts and other packages' tests, each from the same data to a p-value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from pushforward.auditing.classifier_test import classifier_test
from pushforward.auditing.features import extract
from pushforward.auditing.kernel import kernel_test
from pushforward.auditing.stages import Pool, one_after_another
from pushforward.auditing.two_sample import RELABELLINGS

__all__ = ["CLASSIFIERS", "CONTESTANTS", "CRITICAL", "KERNELS", "LEVEL", "MARKS", "OURS", "TESTS", "Found", "overall"]

LEVEL = 0.05
SHARE = 0.9
"""Of the level that goes to the kernels, the rest being the classifiers'."""
OURS, KERNELS, CLASSIFIERS = "ours", "ours: kernels", "ours: classifiers"
CRITICAL = ("sbi: c2st, forest", "sbi: c2st, network")
"""Tests that give no p-value; the level is held by their law under equal laws, simulated at the same sizes."""
TESTS = (
    *(OURS, KERNELS, CLASSIFIERS, *CRITICAL),
    *("hyppo: energy", "hyppo: MMD", "hyppo: Hotelling", "hyppo: smooth CF"),
    *("scipy: Kolmogorov–Smirnov", "scipy: Cramér–von Mises", "scipy: Epps–Singleton"),
)

Rows = np.ndarray
Found = dict[str, float]
"""A p-value for each test, or an accuracy for c2st."""


def kernels(real: Rows, fake: Rows, rng: np.random.Generator) -> Found:
    x, y = extract("columns", real, fake).sets
    return {KERNELS: kernel_test(x, y, rng, draws=RELABELLINGS).p_value}


def classifiers(real: Rows, fake: Rows, rng: np.random.Generator) -> Found:
    features = np.concatenate(extract("columns", real, fake).sets)
    pool = Pool(np.arange(len(features)) < len(real), features)
    return {CLASSIFIERS: classifier_test(pool, one_after_another(pool, rng), rng).p_value}


def scipy(real: Rows, fake: Rows, rng: np.random.Generator) -> Found:
    """Each column by itself, with Bonferroni's correction."""
    from scipy.stats import cramervonmises_2samp, epps_singleton_2samp, ks_2samp

    tests: dict[str, Callable[..., Any]] = {
        "scipy: Kolmogorov–Smirnov": ks_2samp,
        "scipy: Cramér–von Mises": cramervonmises_2samp,
        "scipy: Epps–Singleton": epps_singleton_2samp,
    }
    d = real.shape[1]
    return {name: d * min(float(test(real[:, j], fake[:, j]).pvalue) for j in range(d)) for name, test in tests.items()}


def hyppo(real: Rows, fake: Rows, rng: np.random.Generator) -> Found:
    """With the chi-squared p-values that it takes by default."""
    from hyppo.ksample import MMD, Energy, Hotelling, SmoothCFTest

    np.random.seed(int(rng.integers(2**31)))  # noqa: NPY002  # its smooth characteristic functions draw from there
    tests = {"energy": Energy, "MMD": MMD, "Hotelling": Hotelling}
    if len(real) == len(fake):  # elsewhere it fails
        tests["smooth CF"] = SmoothCFTest
    return {f"hyppo: {name}": float(test().test(real, fake)[1]) for name, test in tests.items()}


def sbi(real: Rows, fake: Rows, rng: np.random.Generator) -> Found:
    """Accuracies, of its default, a random forest, and of its network."""
    from sbi.utils.metrics import c2st

    x, y = (torch.from_numpy(rows).float() for rows in (real, fake))
    seed = int(rng.integers(2**31))
    return {name: float(c2st(x, y, seed, classifier=kind)) for kind, name in zip(("rf", "mlp"), CRITICAL, strict=True)}


CONTESTANTS = {"kernels": kernels, "classifiers": classifiers, "scipy": scipy, "hyppo": hyppo, "sbi": sbi}
MARKS = {"kernels": KERNELS, "classifiers": CLASSIFIERS, "scipy": "scipy", "hyppo": "hyppo", "sbi": "sbi"}
"""How the names of each one's tests begin."""


def overall(of_kernels: float, of_classifiers: float) -> float:
    """The audit's p-value: the smaller of the two, each over its share of the level (Bonferroni)."""
    return min(1.0, of_kernels / SHARE, of_classifiers / (1 - SHARE))
