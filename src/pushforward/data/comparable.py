"""Data sets that are compared, in one form: columns, steps, sizes and levels."""

from __future__ import annotations

from dataclasses import replace

from pushforward.data.dataset import Dataset
from pushforward.errors import InputError

__all__ = ["in_form_of"]


def in_form_of(real: Dataset, fake: Dataset, what: str) -> Dataset:
    """``fake`` with the order of columns and the levels of pictures that ``real`` has; refused where it cannot be."""
    if (real.kind == "pictures") != (fake.kind == "pictures"):
        both = f"{real.name} ({real.describe()}) with {fake.name} ({fake.describe()})"
        raise InputError(f"cannot compare {both}; give two tables or two sets of pictures")
    if real.kind == "pictures":
        _check_pictures(real, fake)
        return fake if real.levels is None else fake.on_levels(real.levels)
    _check_series(real, fake)
    if "array" in (real.kind, fake.kind) and len(real.columns) == len(fake.columns):
        return fake  # an array's columns go by their place
    missing = [c for c in real.columns if c not in fake.columns]
    extra = [c for c in fake.columns if c not in real.columns]
    if missing or extra:
        parts = [f"{what} {', '.join(names[:5])}" for what, names in (("lacks", missing), ("also has", extra)) if names]
        unlike = f"{fake.name} (the {what}) {' and '.join(parts)}, unlike {real.name} (the data)"
        raise InputError(f"{unlike}; give both the same columns")
    if fake.kind == "series" and fake.columns != real.columns:
        order = [fake.columns.index(name) for name in real.columns]
        return replace(fake, columns=real.columns, values=fake.windows[..., order])
    return replace(fake, columns=real.columns)


def _check_series(real: Dataset, fake: Dataset) -> None:
    """Refuse a series beside rows that are none, other steps and other windows, with the option that mends it."""
    if "series" not in (real.kind, fake.kind):
        return
    if real.kind != fake.kind:
        both = f"{real.name} ({real.describe()}) with {fake.name} ({fake.describe()})"
        raise InputError(f"cannot compare {both}; read both as series, with --time or --series")
    if real.interval and fake.interval and real.interval != fake.interval:
        unlike = f"{fake.name} has steps of {fake.interval} where {real.name} has {real.interval}"
        raise InputError(f"{unlike}; resample one to the steps of the other")
    own, other = (data.windows.shape[1] for data in (real, fake))
    if own != other:
        unlike = f"{fake.name} has windows of {other} steps where {real.name} has {own}"
        raise InputError(f"{unlike}; read both with --window {own}")


def _check_pictures(real: Dataset, fake: Dataset) -> None:
    """Refuse pictures of another size or with other colours, with the option that brings them together."""
    form, other = (x.numeric().shape[1:] for x in (real, fake))
    option = "--mode L or --mode RGB" if form[:2] == other[:2] else f"--size {form[0]}x{form[1]}"
    remedy = f"bring them together, for folders with {option}"
    if "digits" in (real.file_kind, fake.file_kind):  # which no option frames, nor would others have their levels then
        remedy = "give pictures of 8×8 in grey beside the digits, in their 17 levels"
    if form != other:
        both = f"{real.name} ({real.describe()}) with {fake.name} ({fake.describe()})"
        raise InputError(f"cannot compare {both}; {remedy}")
