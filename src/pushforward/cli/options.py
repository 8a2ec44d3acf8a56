"""Options and arguments that several commands share, and what their texts mean."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import typer

from pushforward.waiting import reading_pictures

Source = Annotated[
    str,
    typer.Argument(help="digits; a CSV, TSV, Parquet, .npy or .npz file; or a folder or zip of pictures."),
]
Directory = Annotated[Path, typer.Argument(help="A run's directory.")]
Seed = Annotated[int, typer.Option(min=0, help="Of every random choice.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what stands at --out.")]
Steps = Annotated[int | None, typer.Option(help="Train this many steps; with it the result is reproducible.")]
Budget = Annotated[str | None, typer.Option(help="Train this long: 90s, 10m, 2h.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Key = Annotated[str | None, typer.Option(help="Which array of an .npz file.")]
Columns = Annotated[str | None, typer.Option(help="Use these columns alone: a,b,c.")]
Drop = Annotated[str | None, typer.Option(help="Leave these columns out: a,b,c.")]
Context = Annotated[str | None, typer.Option(help="Columns that condition the model and are not modelled: a,b.")]
Delimiter = Annotated[str | None, typer.Option(help="What separates a text file's cells.")]
Time = Annotated[str | None, typer.Option(help="The column of time stamps: rows are a series.")]
Series = Annotated[bool, typer.Option("--series", help="Rows are equal steps of a series without time stamps.")]
Window = Annotated[int | None, typer.Option(help="Steps of a series in one pattern.")]
Size = Annotated[str | None, typer.Option(help="Resize and crop pictures: 32, or 32x48 for height × width.")]
Mode = Annotated[str | None, typer.Option(help="Read pictures as L (grey) or RGB.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave out corrupt pictures, and count them.")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", help="Replace a default: --set hidden=[64,64] --set learning_rate=1e-3."),
]
Model = Annotated[str, typer.Option(help="flow, autoregressive, vae or gan.")]


PYTHON = MappingProxyType({"True": True, "False": False, "None": None})
"""What Python spells otherwise than JSON."""


def names(text: str | None) -> list[str] | None:
    """Names between commas."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def assignments(pairs: list[str] | None) -> dict[str, Any]:
    """``name=value`` pairs, each value read as Python's or JSON's, or as text where it is neither."""
    options: dict[str, Any] = {}
    for name, text in texts(pairs).items():
        try:
            options[name] = PYTHON[text] if text in PYTHON else json.loads(text)
        except ValueError:
            options[name] = text
    return options


def texts(pairs: list[str] | None, known: Collection[str] = ()) -> dict[str, str]:
    """``name=value`` pairs, each value as it is written; a known name may hold the sign itself."""
    from pushforward.errors import InputError

    found: dict[str, str] = {}
    for pair in pairs or []:
        name = max((each for each in known if pair.startswith(f"{each}=")), key=len, default=pair.partition("=")[0])
        sign, text = pair[len(name) : len(name) + 1], pair[len(name) + 1 :]
        if not sign or not name:
            raise InputError(f"{pair!r} is not of the form name=value")
        if name in found:
            raise InputError(f"{name!r} is set more than once, at last by {pair!r}; set it once")
        found[name] = text
    return found


def reading(
    key: str | None,
    columns: str | None,
    drop: str | None,
    delimiter: str | None,
    size: str | None,
    mode: str | None,
    skip_bad: bool,
) -> dict[str, Any]:
    """Arguments of :func:`pushforward.load` from options; those not given are left out."""
    given = {
        "key": key,
        "columns": names(columns),
        "drop": names(drop),
        "delimiter": None if delimiter is None else delimiter.replace("\\t", "\t"),
        "size": None if size is None else _size(size),
        "mode": mode,
        "skip_bad": skip_bad or None,
    }
    return {name: value for name, value in given.items() if value is not None} | {"progress": reading_pictures()}


def of_series(time: str | None, series: bool, window: int | None) -> dict[str, Any]:
    """Arguments of :func:`pushforward.load` that make rows a series; those not given are left out."""
    given = {"time": time, "series": series or None, "window": window}
    return {name: value for name, value in given.items() if value is not None}


def numbers(text: str) -> list[float]:
    """Numbers between commas."""
    from pushforward.errors import InputError

    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"{text!r} is no list of numbers: write .05,.5,.95") from None


def _size(text: str) -> int | tuple[int, int]:
    from pushforward.errors import InputError

    parts = text.lower().replace("×", "x").split("x")
    if not all(part.strip().isdigit() and int(part) > 0 for part in parts) or len(parts) not in (1, 2):
        raise InputError(f"the size {text!r} is not one: write 32, or 32x48 for height × width")
    return int(parts[0]) if len(parts) == 1 else (int(parts[0]), int(parts[1]))
