"""Which columns are modelled, which condition, and which are left out."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pushforward.errors import InputError, OptionError

__all__ = ["Selection", "as_names", "dropping", "listed"]


@dataclass(frozen=True)
class Selection:
    """A choice of columns by name.

    Arguments:
        columns: Those to model, in this order; ``None`` for all.
        drop: Those to leave out.
        context: Those that condition, in this order.

    Example:
        >>> Selection(drop=("b",), context=("c",)).of(["a", "b", "c"], "t.csv")
        (['a'], ['c'])
    """

    columns: tuple[str, ...] | None = None
    drop: tuple[str, ...] = ()
    context: tuple[str, ...] = ()

    def of(self, names: Sequence[str], where: str) -> tuple[list[str], list[str]]:
        """The modelled and the conditioning columns among ``names``; an ``InputError`` if one is missing."""
        repeated = [name for name, n in Counter(names).items() if n > 1]
        if repeated:
            raise InputError(f"{where} has several columns named {listed(repeated)}; give each a name of its own")
        for option, asked in (
            ("columns", self.columns or ()),
            ("drop", self.drop),
            ("context", self.context),
        ):
            unknown = [name for name in asked if name not in names]
            if unknown:
                own = f"its columns are {listed(names)}"
                raise OptionError(
                    f"{where} has no column {listed(unknown)}",
                    remedy=f"--{option} asks for it, but {own}",
                    fixed=f"the model is {'conditioned on it' if option == 'context' else 'fitted so'}, but {own}",
                )
        chosen = names if self.columns is None else self.columns
        modelled = [name for name in chosen if name not in self.drop and name not in self.context]
        if not modelled:
            raise InputError(f"{where}: no column is left to model; drop fewer of {listed(names)}")
        return modelled, list(self.context)


def as_names(names: str | Iterable[str] | None) -> tuple[str, ...] | None:
    """Names as a tuple; one string may hold several, separated by commas."""
    if names is None:
        return None
    return tuple(n.strip() for n in names.split(",")) if isinstance(names, str) else tuple(map(str, names))


def dropping(*names: str) -> str:
    """The option that leaves columns out, as a shell takes it.

    Example:
        >>> dropping("a", "temp (°C)")
        "--drop 'a,temp (°C)'"
    """
    return f"--drop {shlex.quote(','.join(names))}"


def listed(names: Iterable[object], most: int = 20) -> str:
    """Names in quotes, the first few if there are many.

    Example:
        >>> listed(["a", "b"])
        "'a', 'b'"
    """
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(repr(str(n)) for n in names[:most]) + more
