"""Invertible maps with their log-determinants, one file per kind."""

from pushforward.bijections.affine import Affine
from pushforward.bijections.bijection import Bijection
from pushforward.bijections.chain import Chain
from pushforward.bijections.circular import CircularRationalQuadratic
from pushforward.bijections.coupling import Coupling
from pushforward.bijections.inverse import Inverse
from pushforward.bijections.logit import Logit
from pushforward.bijections.lu import LULinear
from pushforward.bijections.masked import MaskedAutoregressive
from pushforward.bijections.monotonic_affine import MonotonicAffine
from pushforward.bijections.multiscale import MultiScale
from pushforward.bijections.patches import AutoregressivePixels
from pushforward.bijections.permutation import Permutation
from pushforward.bijections.picture_coupling import ChannelCoupling, CheckerboardCoupling
from pushforward.bijections.pictures import ActivationNormalisation, EachPixel, OnPictures, PointwiseConvolution
from pushforward.bijections.spline import RationalQuadratic
from pushforward.bijections.squeeze import Squeeze
from pushforward.bijections.triangular import Triangular
from pushforward.bijections.univariate import Univariate
from pushforward.bijections.within import Within

__all__ = [
    "ActivationNormalisation",
    "Affine",
    "AutoregressivePixels",
    "Bijection",
    "Chain",
    "ChannelCoupling",
    "CheckerboardCoupling",
    "CircularRationalQuadratic",
    "Coupling",
    "EachPixel",
    "Inverse",
    "LULinear",
    "Logit",
    "MaskedAutoregressive",
    "MonotonicAffine",
    "MultiScale",
    "OnPictures",
    "Permutation",
    "PointwiseConvolution",
    "RationalQuadratic",
    "Squeeze",
    "Triangular",
    "Univariate",
    "Within",
]
