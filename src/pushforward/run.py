"""A run: one directory that holds a model, what it learnt from, how, and how well.

``run.json`` (sealed) · ``model.safetensors`` (the weights to use) · ``checkpoints/`` · ``metrics.jsonl`` ·
``samples/`` · ``report.html``, and ``data.*`` where the data came from memory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

from pushforward.arguments import by_name, checked_seed, refuse_beyond_memory, whole_number
from pushforward.data import Dataset, Schema, Splits, load, split
from pushforward.data.context import ContextColumn
from pushforward.distributions.law import LowerBounded
from pushforward.distributions.likelihood import log_prob_values
from pushforward.distributions.ordered import Ordered
from pushforward.errors import InputError, NoDensityError, RunError, options_of_model
from pushforward.evidence import Kind, LogLikelihood
from pushforward.families import FAMILIES, Family
from pushforward.forecasting import Forecast, forecast, history_of
from pushforward.models.model import Model
from pushforward.record import migrated
from pushforward.storage import read_json, read_tensors, write_json
from pushforward.training.checkpoint import Checkpoints
from pushforward.training.loop import isolated_randomness
from pushforward.training.stream import seed_of

__all__ = ["Run", "open_run"]

IMPORTANCE_SAMPLES = "the number k of importance samples"
NUMBERS_AT_ONCE = 1 << 24
"""Numbers that one pass of a network may hold, …"""
EACH = 64
"""… of which it needs so many for each component, if it is a wide one of pictures, …"""
OF_CATEGORY = 8
"""… and so many for each category."""


class Run:
    """A trained model, or one that can be trained further, with all that belongs to it.

    Arguments:
        directory: Where it lies.
        device: Where the model computes.

    Raises:
        RunError: If there is no run there, it is damaged, or its format is newer than this version knows.
    """

    def __init__(self, directory: str | Path, device: str = "cpu") -> None:
        self.directory = Path(directory)
        self.device = torch.device(device)
        if not (self.directory / "run.json").is_file():
            raise RunError(f"{self.directory} is not a run: it holds no run.json; fit a model with `pushforward fit`")
        self.record = migrated(read_json(self.directory / "run.json"), self.directory)

    def __repr__(self) -> str:
        return f"Run({str(self.directory)!r}, {self.name} of {self.record['data']['description']}, {self.status})"

    @property
    def name(self) -> str:
        """The family's name."""
        return str(self.record["family"])

    @property
    def family(self) -> Family:
        """The family."""
        return FAMILIES[self.name]

    @property
    def architecture(self) -> str:
        """The name of the model's architecture among its family's."""
        return str(self.record["architecture"])

    @property
    def status(self) -> str:
        """``running``, ``interrupted``, ``stopped early`` or ``finished``."""
        return str(self.record["status"])

    @property
    def seed(self) -> int:
        """The seed of every random choice."""
        return int(self.record["seed"])

    @property
    def checkpoints(self) -> Checkpoints:
        """Its checkpoints."""
        return Checkpoints(self.directory / "checkpoints")

    @cached_property
    def schema(self) -> Schema:
        """How patterns become tensors and back."""
        return Schema.from_json(self.record["schema"])

    @property
    def context_names(self) -> list[str]:
        """The columns that condition the model; a calendar is none of them."""
        return [column.name for column in self.schema.context if isinstance(column, ContextColumn)]

    @property
    def results(self) -> dict[str, Any]:
        """What was measured when training ended; empty before."""
        return dict(self.record["results"])

    @property
    def log_likelihood_of_test(self) -> LogLikelihood | None:
        """The likelihood of the data kept for the verdict, as measured when training ended."""
        value = self.results.get("log_likelihood")
        return None if value is None else LogLikelihood.from_json(value)

    @cached_property
    def model(self) -> Model:
        """The model with its best weights: those of the end, or of the last checkpoint while there is no end."""
        model = self.fresh_model()
        final = self.directory / "model.safetensors"
        if final.is_file():
            model.load_state_dict(read_tensors(final)[0])
        else:  # not at its end yet
            tensors, _ = self.checkpoints.latest()
            weights = {n.removeprefix("model/"): t for n, t in tensors.items() if n.startswith("model/")}
            for part in ("average/", "best/"):
                weights |= {n.removeprefix(part): t for n, t in tensors.items() if n.startswith(part)}
            model.load_state_dict(weights)
        return model.eval()

    def weights_are_whole(self) -> bool:
        """Whether the weights of the end are there and unaltered."""
        try:
            read_tensors(self.directory / "model.safetensors")
        except RunError:
            return False
        return True

    def fresh_model(self) -> Model:
        """The model with the weights it starts from."""
        with isolated_randomness(self.device):
            torch.manual_seed(seed_of(self.seed, "weights"))
            return self.family.architectures[self.architecture].from_json(self.record["model"]).to(self.device)

    def data(self, beside: str | None = None) -> Dataset:
        """The data it learns from, read again.

        Arguments:
            beside: A column that the model does not know, to have beside the patterns.

        Raises:
            InputError: If they are gone.
            RunError: If they are not what they were.
        """
        origin = dict(self.record["data"]["origin"])
        if self.record["data"]["inside"]:
            origin["source"] = str(self.directory / origin["source"])
        if origin["source"] != "digits" and not Path(origin["source"]).exists():
            gone = f"{self.directory} needs the data that it learnt from, but there is no {origin['source']} any more"
            raise InputError(f"{gone}; restore it, or fit again")
        if beside is not None:
            origin["context"] = [*self.context_names, beside]
        dataset = load(**origin)
        if not self.learns_from(dataset):
            raise RunError(
                f"the data at {origin['source']} are no longer those this run learnt from (their fingerprint differs); "
                "restore them, or fit again"
            )
        return dataset

    def learns_from(self, dataset: Dataset) -> bool:
        """Whether it learns from these data, whatever else stands beside their patterns."""
        known = {column.name for column in self.schema.context}
        own = {name: x for name, x in dataset.context.items() if name in known}
        return replace(dataset, context=own).fingerprint() == str(self.record["data"]["fingerprint"])

    def reading(self, source: Any) -> dict[str, Any]:
        """How to read another source as the run's own data were read: the pictures' size and mode, what a series is."""
        origin = self.record["data"]["origin"]
        read = {name: origin[name] for name in ("size", "mode") if origin.get(name) is not None}
        return read | self.reading_of_series()

    def reading_of_series(self) -> dict[str, Any]:
        """How to read another source as a series, if the run's own data were one."""
        origin, series = self.record["data"]["origin"], self.schema.event.series
        way = {name: origin[name] for name in ("time", "series") if origin.get(name)}
        return {**way, "window": series[0]} if way and series is not None else way

    def read(self, source: Any, **reading: Any) -> Dataset:
        """Another source as the run's own data were read, with what conditions the model; its options are fixed.

        Raises:
            InputError: If it cannot be read, or lacks a condition.
        """
        with options_of_model():
            return load(source, **{"context": self.context_names or None, **self.reading_of_series(), **reading})

    def splits(self, beside: str | None = None) -> Splits:
        """The data, as they were divided, with what :meth:`data` puts beside them."""
        return split(self.data(beside), seed=self.seed)

    def metrics(self) -> list[dict[str, Any]]:
        """The rows of ``metrics.jsonl``; a last row cut off by a kill is left out."""
        path = self.directory / "metrics.jsonl"
        rows = []
        for line in path.read_text(errors="replace").splitlines() if path.is_file() else []:
            try:
                rows.append(json.loads(line))
            except ValueError:
                break
        return rows

    def save(self) -> None:
        """Write ``run.json``."""
        write_json(self.directory / "run.json", self.record)

    def sample(self, n: int, seed: int = 0, given: Mapping[str, Any] | None = None) -> Dataset:
        """Draw ``n`` patterns of the kind the data came in.

        Arguments:
            n: How many.
            seed: The same seed gives the same patterns.
            given: A value for each column of the context, where the model has one; and values of the first columns of
                an autoregressive model, which are then conditioned on exactly.

        Raises:
            InputError: If the model cannot condition on what is given.
        """
        n, seed = whole_number(n, "the number of patterns", such=100), checked_seed(seed)
        given = by_name(given, "the values given", {"label": 3})
        if n < 1:
            raise InputError(f"cannot draw {n} patterns; ask for one or more")
        refuse_beyond_memory(n, self.schema.event.size, "patterns")
        return self._draw(n, seed, self.schema.context_from(given, n), given)

    def sample_like(self, dataset: Dataset, seed: int = 0) -> Dataset:
        """Draw as many patterns as a data set has, under its contexts."""
        return self._draw(len(dataset), seed, self.schema.encode_context(dataset), {})

    def forecast(self, history: Any, horizon: int, n: int = 200, seed: int = 0, **reading: Any) -> Forecast:
        """Draw paths of what follows a history, where the model is an autoregressive one of a series.

        Arguments:
            history: A file, a frame, an array or a series; its last steps are conditioned on.
            horizon: How many steps to look ahead; more than half a window rolls the window.
            n: How many paths.
            seed: The same seed gives the same paths.
            reading: ``columns``, ``drop``, ``delimiter`` and ``key``, by default as the run's own data were read.
        """
        past = history_of(history, self.schema, **{**self.record["data"]["origin"], **reading})
        return forecast(self.model, self.schema, past, horizon, n, seed)

    def score_samples(self, data: Any, k: int = 100, seed: int = 0) -> tuple[np.ndarray[Any, Any], Kind]:
        """The log-likelihood of each pattern in nats, in the data's own units, and its kind.

        Arguments:
            data: Anything :func:`load` takes.
            k: Importance samples, where the model is known by a bound.
            seed: Of the bound's random choices.

        Raises:
            NoDensityError: If the model has no density.
            InputError: If the data have other columns than the model learnt.
        """
        self.require_density()
        k, seed = whole_number(k, IMPORTANCE_SAMPLES, such=100, least=1), checked_seed(seed)
        dataset = self.schema.conform(data if isinstance(data, Dataset) else self.read(data))
        x, context = self.schema.encode(dataset), self.schema.encode_context(dataset)
        values, kind = self.encoded_log_prob(x, context, k, seed)
        return (values + self.schema.log_det(dataset)).numpy(), kind

    @property
    def at_once(self) -> int:
        """How many patterns the model is fed at once."""
        event = self.schema.event
        return max(1, NUMBERS_AT_ONCE // max(EACH * event.size, OF_CATEGORY * sum(event.feature_counts)))

    def require_density(self) -> None:
        """Raise a :class:`NoDensityError`, which says what to ask instead, if the model has no density."""
        if not self.family.density:
            raise NoDensityError(
                f"a {self.name} has no density, so it cannot say how likely data are; ask how far its samples can be "
                f"told from data: `pushforward audit DATA {self.directory}`, or pushforward.audit"
            )

    def encoded_log_prob(self, x: Tensor, context: Tensor | None, k: int, seed: int) -> tuple[Tensor, Kind]:
        """The log-likelihood of encoded patterns, in encoded units, chunk by chunk."""
        bounded = isinstance(self.model(None if context is None else context[:1].to(self.device)), LowerBounded)
        chunk = max(1, self.at_once // (k if bounded else 1))
        values, kind = [], Kind.EXACT
        with isolated_randomness(self.device), torch.no_grad():
            torch.manual_seed(seed_of(seed, "score"))
            for start in range(0, len(x), chunk):
                part = slice(start, start + chunk)
                c = None if context is None else context[part].to(self.device)
                value, kind = log_prob_values(self.model(c), x[part].to(self.device), k)
                values.append(value.cpu().double())
        return torch.cat(values), kind

    def log_likelihood(self, data: Any = None, k: int = 100, seed: int = 0) -> LogLikelihood:
        """The mean log-likelihood of data under the model, as a number that knows what it is.

        Arguments:
            data: Anything :func:`load` takes; by default the part kept for the verdict.
            k: Importance samples, where the model is known by a bound.
            seed: Of the bound's random choices.
        """
        values, kind = self.score_samples(self.splits().test if data is None else data, k, seed)
        return self.summary(values, kind, int(k))

    def summary(self, values: np.ndarray[Any, Any], kind: Kind, k: int) -> LogLikelihood:
        """The mean of what :meth:`score_samples` gave."""
        event = self.schema.event
        dims = event.size if event.is_discrete else None
        return LogLikelihood.of(values.tolist(), kind, dims, k if kind is Kind.LOWER_BOUND else None)

    def _draw(self, n: int, seed: int, context: Tensor | None, given: Mapping[str, Any]) -> Dataset:
        """Patterns under contexts, which go on from the first components that are given, chunk by chunk."""
        prefix = self.schema.prefix_from(given)
        chunk, parts = self.at_once, []
        with isolated_randomness(self.device), torch.no_grad():
            torch.manual_seed(seed_of(seed, "sample"))
            for start in range(0, n, chunk):
                size = min(chunk, n - start)
                law = self.model(None if context is None else context[start : start + size].to(self.device))
                if prefix is not None:
                    parts.append(self._completed(law, prefix.to(self.device).expand(size, -1)).cpu())
                else:
                    parts.append(law.sample(() if context is not None else (size,)).cpu())
        return self.schema.decode(torch.cat(parts), context, given)

    def _completed(self, law: Distribution, prefix: Tensor) -> Tensor:
        if not isinstance(law, Ordered):
            raise InputError(
                f"this {self.name} model cannot condition on what it models; use --model autoregressive "
                "with one order, or fit with --context"
            )
        return law.completed(prefix)


def open_run(directory: str | Path, device: str = "cpu") -> Run:
    """Open a run: ``pushforward.open("runs/flow")``."""
    return Run(directory, device)
