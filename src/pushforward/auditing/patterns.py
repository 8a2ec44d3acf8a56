"""What an audit accepts: checks that name what is wrong, what would decide the verdict by accident."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from pushforward.errors import InputError

__all__ = [
    "FEWEST",
    "MOST",
    "check_comparable",
    "check_features",
    "checked",
    "copies",
    "equals",
    "fractions",
    "repeated",
    "thinned",
]

FEWEST = 50
"""With fewer patterns of each kind hardly any difference would be noticed."""
MOST = 25_000
"""Beyond this the intervals are far narrower than any difference that matters."""


NOT_DRAWN = (
    "copies, or values that recur by themselves in data that were made unique or lie on a grid; "
    "the copying test takes the data to be independent draws"
)


def checked(
    what: str, x: np.ndarray, pictures: bool | None, columns: Sequence[str] | None
) -> Float[np.ndarray, "n ..."]:
    """Patterns as ``(n, D)``, or ``(n, H, W, C)`` if they are pictures; an error if they are neither."""
    x = np.asarray(x)
    if x.dtype.kind not in "biuf":
        raise InputError(f"{what} must hold numbers, but its type is {x.dtype}: encode text and dates as numbers first")
    x = x[:, None] if x.ndim == 1 else x
    as_pictures = x.ndim >= 3 if pictures is None else pictures
    if as_pictures and x.ndim not in (3, 4):
        raise InputError(f"{what} has shape {x.shape}, but pictures need (N, H, W) or (N, H, W, C)")
    if x.ndim not in (2, 3, 4) or 0 in x.shape[1:]:
        raise InputError(f"{what} has shape {x.shape}, but an audit needs rows (N, D) or pictures (N, H, W[, C])")
    if len(x) < FEWEST:
        raise InputError(f"{what} has {len(x)} patterns, but an audit needs {FEWEST} or more: draw or collect more")
    if not as_pictures:
        x = x.reshape(len(x), -1)
    elif x.ndim == 3:
        x = x[..., None]
    _check_finite(what, x, columns)
    return x


def check_comparable(a: tuple[str, np.ndarray], b: tuple[str, np.ndarray]) -> None:
    """Refuse two sets of patterns whose shapes or scales cannot belong together."""
    (name_a, x), (name_b, y) = a, b
    if x.ndim != y.ndim:
        raise InputError(f"{name_a} holds {_kind(x)} but {name_b} {_kind(y)}: give two of the same kind")
    if x.shape[1:] != y.shape[1:]:
        remedy = "give both the same columns" if x.ndim == 2 else "resize one to the other"
        raise InputError(f"{name_a} holds {_kind(x)} but {name_b} {_kind(y)}: {remedy}")
    if x.ndim == 4 and {_is_unit(x), _is_unit(y)} == {True, False} and _is_bytes(y if _is_unit(x) else x):
        raise InputError(f"one of {name_a} and {name_b} holds bytes 0…255 and the other fractions 0…1: rescale one")


def thinned(what: str, x: np.ndarray, rng: np.random.Generator, notes: list[str]) -> Int[np.ndarray, " n"]:
    """Positions of at most :data:`MOST` patterns, drawn at random and said so."""
    if len(x) <= MOST:
        return np.arange(len(x))
    notes.append(
        f"{what}: {MOST:,} of {len(x):,} patterns were drawn at random for the audit, and positions count these"
    )
    return np.sort(rng.choice(len(x), MOST, replace=False))


def repeated(what: str, x: np.ndarray) -> str | None:
    """A note if rows repeat one another as independent draws hardly would.

    Where most do, or the values of every column of a table recur, the law itself has rows that recur, and only
    repeating too evenly tells copies from draws of it.
    """
    counts = np.array(list(Counter(_rows(x)).values()))
    repeats = len(x) - len(counts)
    many = f"{what}: {repeats:,} of {len(x):,} patterns repeat another exactly"
    if repeats > len(x) / 2 or (x.ndim == 2 and _all_recur(x)):
        evenly = "more evenly than independent draws of any law would: no p-value here holds, so leave the copies out"
        return f"{many}, {evenly}" if _too_even(counts) else None
    draws = "the tests take patterns to be independent draws, so leave out any that are there by mistake"
    return f"{many}: {draws}" if repeats else None


def _all_recur(x: Float[np.ndarray, "n d"]) -> bool:
    """Whether every column's values are half as many as the rows or fewer: whole numbers, codes, rounded values."""
    return all(len(np.unique(column)) <= len(x) / 2 for column in x.T)


def _too_even(counts: Int[np.ndarray, " values"]) -> bool:
    r"""Whether values recur more evenly than draws of any law: in too few pairs of equal draws.

    Of laws that lead to D different values among n draws the uniform one, on S values with
    :math:`S (1 - (1 - 1/S)^n) = D`, has the fewest such pairs, :math:`\binom n2 / S` on average and with about that
    variance.
    """
    from scipy.optimize import brentq

    n, different = int(counts.sum()), len(counts)
    if different in (1, n):
        return False
    values = brentq(lambda s: -s * np.expm1(n * np.log1p(-1 / s)) - different, different, n**2)
    expected = n * (n - 1) / 2 / values
    return bool(float(counts @ (counts - 1)) / 2 < expected - 3 * np.sqrt(expected))


def equals(known: np.ndarray, fake: np.ndarray, what: str) -> str | None:
    """A note if many fake patterns are exactly known ones, of which hardly any two are equal.

    The copying test does not see it where a few patterns are repeated many times: then equal samples are each other's
    nearest.
    """
    rows_known, rows_fake = _rows(known), _rows(fake)
    n, distinct = len(rows_known), set(rows_known)
    equal = sum(row in distinct for row in rows_fake)
    by_chance = 2 * (n - len(distinct) + 3) / n  # a share, at most, with three more repetitions than were seen
    if equal <= len(rows_fake) * max(0.05, 4 * by_chance):
        return None
    return (
        f"{equal:,} of the {len(rows_fake):,} fake patterns equal one of the {what} exactly, of which hardly any two "
        f"are equal: {NOT_DRAWN}; it may overlook copies of very few patterns"
    )


def copies(a: tuple[str, np.ndarray], b: tuple[str, np.ndarray]) -> str | None:
    """A note if every fake pattern occurs among the real ones; an error if the two are one set.

    Of few values, draws may agree by chance but for their order, of which a single value has none.
    """
    (name_real, real), (name_fake, fake) = a, b
    rows_real, rows_fake = _rows(real), _rows(fake)
    known, made = set(rows_real), set(rows_fake)
    few_values = len(made) < len(rows_fake) / 2  # then equal rows are no surprise
    same_order = len(made) > 1 and rows_real == rows_fake
    same = same_order or sorted(rows_real) == sorted(rows_fake)
    if same and (same_order or not few_values):
        raise InputError(
            f"{name_fake} is identical to {name_real}: the same {len(fake):,} patterns; give generated patterns "
            "and data they were not taken from"
        )
    if same:
        return (
            f"{name_fake} has the values of {name_real}, and each of them as often: so would one file given twice, "
            "and so may draws of so few values by chance"
        )
    if few_values or not made <= known:
        return None
    return f"every one of the {len(fake):,} fake patterns occurs among the real ones: {NOT_DRAWN}"


def fractions(real: np.ndarray, fake: np.ndarray, names: Sequence[str]) -> str | None:
    """A note if some columns hold whole numbers in the data alone."""
    found = [name for j, name in enumerate(names) if _is_whole(real[:, j]) and not _is_whole(fake[:, j])]
    if not found:
        return None
    return (
        f"in {', '.join(found[:5])}{' …' if len(found) > 5 else ''} the data are whole numbers "
        "and the samples are not, which alone tells them apart: round the samples"
    )


def _rows(x: np.ndarray) -> list[bytes]:
    return [row.tobytes() for row in x.astype(np.float64) + 0.0]


def _is_whole(x: np.ndarray) -> bool:
    return bool((x == np.round(x)).all())


def _check_finite(what: str, x: np.ndarray, columns: Sequence[str] | None) -> None:
    if x.dtype.kind != "f" or np.isfinite(x).all():
        return
    row, *place = (int(i) for i in np.argwhere(~np.isfinite(x))[0])
    value = x[(row, *place)]
    if x.ndim == 2:
        name = columns[place[0]] if columns is not None and place[0] < len(columns) else place[0]
        where = f"row {row}, column {name!r}"
    else:
        where = f"picture {row}, pixel {place[0]}, {place[1]}"
    raise InputError(f"{what} holds {value} in {where} (counted from 0): drop or fill such values first")


def _kind(x: np.ndarray) -> str:
    if x.ndim == 2:
        return f"rows of {x.shape[1]} columns"
    _, h, w, c = x.shape
    return f"pictures of {h}×{w} with {c} channel{'s' if c > 1 else ''}"


def _is_unit(x: np.ndarray) -> bool:
    return x.dtype.kind == "f" and bool(x.min() >= 0 and x.max() <= 1)


def _is_bytes(x: np.ndarray) -> bool:
    return bool(x.min() >= 0 and 16 < x.max() <= 255)


def check_features(real: Float[np.ndarray, "n d"], fake: Float[np.ndarray, "m d"], least: int = 20) -> None:
    """Refuse features that cannot be compared.

    Raises:
        InputError: They are not two finite tables of one width with ``least`` rows each.
    """
    for name, x in (("real", real), ("fake", fake)):
        if x.ndim != 2 or len(x) < least:
            raise InputError(f"the {name} features have shape {x.shape}: give a table of at least {least} rows")
        if not np.isfinite(x).all():
            raise InputError(f"the {name} features hold NaN or infinite values: leave those rows out")
    if real.shape[1] != fake.shape[1]:
        raise InputError(
            f"real features have {real.shape[1]} columns and fake ones {fake.shape[1]}: take both from one extractor"
        )
