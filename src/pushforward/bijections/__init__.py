"""Invertible maps with their log-determinants, one file per kind."""

from pushforward.bijections.affine import Affine
from pushforward.bijections.bijection import Bijection
from pushforward.bijections.chain import Chain
from pushforward.bijections.coupling import Coupling, Univariate
from pushforward.bijections.permutation import Permutation
from pushforward.bijections.spline import RationalQuadratic
from pushforward.bijections.triangular import Triangular

__all__ = [
    "Affine",
    "Bijection",
    "Chain",
    "Coupling",
    "Permutation",
    "RationalQuadratic",
    "Triangular",
    "Univariate",
]
