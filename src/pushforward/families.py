"""The families, and for each kind of data the defaults that do well on it: one table.

To add a family: one file in ``models/``, one entry in :data:`FAMILIES`, one column of :data:`DEFAULTS`.
To add an architecture to a family: one file, its name in :data:`FAMILIES`, and an entry in each row that it suits.
To add a kind of data: one row of :data:`DEFAULTS` and its line in :func:`kind_of`.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pushforward.errors import InputError
from pushforward.event import Event
from pushforward.models.autoregressive import MaskedAutoregressive, TransformerAutoregressive
from pushforward.models.flow import Flow
from pushforward.models.gan import GAN
from pushforward.models.model import Model
from pushforward.models.multiscale import MultiScaleFlow
from pushforward.models.patches import PatchFlow
from pushforward.models.pictures import ConvolutionalAutoregressive
from pushforward.models.series import StepAutoregressive
from pushforward.models.vae import VAE
from pushforward.sizes import sized
from pushforward.training.game import Game, adversarial_game, likelihood_game

__all__ = ["DEFAULTS", "FAMILIES", "Configuration", "Family", "configure", "family", "kind_of"]


@dataclass(frozen=True)
class Family:
    """Model classes by the name of their architecture, and the game they are trained by."""

    architectures: Mapping[str, type[Model]]
    game: Callable[..., Game]
    density: bool = True
    """Whether its law says anything about log p(x)."""


@dataclass(frozen=True)
class Configuration:
    """Arguments of the model's constructor and of its game, the batch size, and the architecture's name."""

    model: Mapping[str, Any] = field(default_factory=dict)
    game: Mapping[str, Any] = field(default_factory=dict)
    batch: int = 256
    architecture: str = ""

    def replaced(self, options: Mapping[str, Any], of: Family) -> Configuration:
        """With some values replaced by name, wherever they belong."""
        model, game, batch = dict(self.model), dict(self.game), self.batch
        of_game, of_model = _arguments(of.game, skip=1), _arguments(of.architectures[self.architecture], skip=2)
        places = {**dict.fromkeys(of_game, game), **dict.fromkeys(of_model, model)}
        usual = {**of_game, **of_model, **self.game, **self.model, "batch": batch}
        for name, value in options.items():
            if name not in usual:
                raise InputError(
                    f"unknown option {name!r} for this model; it has {', '.join(sorted((*usual, 'architecture')))}"
                )
            if not _alike(value, usual[name]):
                raise InputError(
                    f"the option {name} cannot be {_as_json(value)}; give it the form of {_as_json(usual[name])}"
                )
            if not _within(value, usual[name]):
                least = _least(usual[name])
                raise InputError(
                    f"the option {name} cannot be {_as_json(value)}; give a number from {least} to below {MOST:,.0f}"
                )
            if name == "batch":
                batch = value
            else:
                places[name][name] = value
        return replace(self, model=model, game=game, batch=batch)


FAMILIES: dict[str, Family] = {
    "flow": Family({"vector": Flow, "multiscale": MultiScaleFlow, "patches": PatchFlow}, likelihood_game),
    "autoregressive": Family(
        {
            "masked": MaskedAutoregressive,
            "transformer": TransformerAutoregressive,
            "convolutional": ConvolutionalAutoregressive,
            "steps": StepAutoregressive,
        },
        likelihood_game,
    ),
    "vae": Family({"perceptron": VAE}, likelihood_game),
    "gan": Family({"perceptron": GAN}, adversarial_game, density=False),
}

_C = Configuration
# fmt: off
DEFAULTS: dict[str, dict[str, dict[str, Configuration]]] = {
    "table": {
        "flow": {
            "vector": _C({"base": "student", "transforms": 5, "hidden": [128, 128], "bins": 8, "whiten": True},
                         {"learning_rate": 4e-3}, 512),
        },
        "autoregressive": {
            "masked": _C({"hidden": [256, 256], "components": 10}, {"learning_rate": 2e-3}, 512),
            "transformer": _C({"width": 64, "layers": 2, "heads": 4, "components": 10}, {"learning_rate": 2e-3}, 256),
        },
        "vae": {
            "perceptron": _C({"latent": 8, "hidden": [256, 256], "components": 5}, {"learning_rate": 1e-3}, 256),
        },
        "gan": {
            "perceptron": _C({"latent": 16, "hidden": [256, 256]}, {"learning_rate": 2e-3, "penalty": 0.1}, 256),
        },
    },
    "binary": {
        "flow": {
            "vector": _C({"transforms": 5, "hidden": [128, 128], "bins": 8}, {"learning_rate": 2e-3}, 512),
        },
        "autoregressive": {
            "masked": _C({"hidden": [512, 512]}, {"learning_rate": 2e-3}, 256),
            "transformer": _C({"width": 64, "layers": 2, "heads": 4}, {"learning_rate": 2e-3}, 128),
        },
        "vae": {
            "perceptron": _C({"latent": 16, "hidden": [256, 256]}, {"learning_rate": 1e-3}, 256),
        },
        "gan": {
            "perceptron": _C({"latent": 32, "hidden": [256, 256]}, {"learning_rate": 2e-3, "penalty": 0.1}, 128),
        },
    },
    "pictures": {
        "flow": {
            "vector": _C({"transforms": 6, "hidden": [256, 256], "bins": 8}, {"learning_rate": 1e-3}, 256),
            "multiscale": _C({"transforms": 6, "hidden": [64, 64], "bins": 8}, {"learning_rate": 1e-3}, 128),
            "patches": _C({"transforms": 4, "width": 64, "layers": 2, "heads": 4}, {"learning_rate": 1e-3}, 128),
        },
        "autoregressive": {
            "convolutional": _C({"width": 32, "layers": 4, "components": 10}, {"learning_rate": 3e-3}, 32),
            "masked": _C({"hidden": [512, 512], "components": 5}, {"learning_rate": 1e-3}, 128),
        },
        "vae": {
            "perceptron": _C({"latent": 32, "hidden": [256, 256], "components": 3}, {"learning_rate": 1e-3}, 128),
        },
        "gan": {
            "perceptron": _C({"latent": 32, "hidden": [256, 256]}, {"learning_rate": 2e-3, "penalty": 0.1}, 64),
        },
    },
    "series": {
        "flow": {
            "vector": _C({"transforms": 5, "hidden": [256, 256], "bins": 8, "whiten": True},
                         {"learning_rate": 2e-3}, 256),
        },
        "autoregressive": {
            "steps": _C({"hidden": [96, 128], "layers": 5, "components": 10, "dropout": 0.5, "variable_dropout": 0.5,
                         "members": 2},
                         {"learning_rate": 2e-3, "weight_decay": 1e-2}, 16),
            "masked": _C({"hidden": [512, 512], "components": 5}, {"learning_rate": 1e-3}, 256),
        },
        "vae": {
            "perceptron": _C({"latent": 16, "hidden": [256, 256], "components": 3}, {"learning_rate": 1e-3}, 256),
        },
        "gan": {
            "perceptron": _C({"latent": 32, "hidden": [256, 256]}, {"learning_rate": 2e-3, "penalty": 0.1}, 128),
        },
    },
}
"""By kind of data, family and architecture; the first architecture is the default."""
# fmt: on


MOST = 1e9
"""No option is a number as great as this."""

MANY = 1_000_000
"""Rows, where nobody says how many there are."""


def kind_of(event: Event) -> str:
    """The row of the table that an event belongs to."""
    if event.picture is not None:
        return "pictures"
    if event.series is not None:
        return "series"
    return "binary" if bool(event.binary.all()) else "table"


def family(name: str) -> Family:
    """A family by name, or an error that lists them."""
    if name not in FAMILIES:
        raise InputError(f"unknown model {name!r}; choose one of {', '.join(FAMILIES)}")
    return FAMILIES[name]


def configure(name: str, event: Event, options: Mapping[str, Any], rows: int = MANY) -> Configuration:
    """The defaults of a family for so many rows of an event, with ``options`` replaced by name.

    One of the options may be ``architecture``.

    Raises:
        InputError: If the family, the architecture or an option is unknown.
    """
    chosen, kind = family(name), kind_of(event)
    options = {option: _plain(value) for option, value in options.items()}
    suitable = DEFAULTS[kind][name]
    architecture = options.get("architecture", next(iter(suitable)))
    if not isinstance(architecture, str) or architecture not in suitable:
        raise InputError(
            f"there is no architecture {architecture!r} of {name} for {_KINDS[kind]}; "
            f"choose one of {', '.join(suitable)}"
        )
    rest = {option: value for option, value in options.items() if option != "architecture"}
    usual = replace(suitable[architecture], architecture=architecture)
    return usual.replaced(sized(kind, name, architecture, event, rows, rest), chosen).replaced(rest, chosen)


_KINDS = {"table": "tables", "binary": "binary data", "pictures": "pictures", "series": "series"}


def _arguments(function: Callable[..., Any], skip: int) -> dict[str, Any]:
    """The arguments by name, without the first few, and their defaults."""
    parameters = list(inspect.signature(function).parameters.values())[skip:]
    return {parameter.name: parameter.default for parameter in parameters}


def _plain(value: Any) -> Any:
    """A value of NumPy, or a list of such, as Python's own."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def _as_json(value: Any) -> str:
    """A value as ``--set`` takes it."""
    return json.dumps(value, ensure_ascii=False, skipkeys=True, default=repr)


def _alike(value: Any, usual: Any) -> bool:
    """Whether a value is of the kind of the usual one: a whole number, a number, a text, or a list of such."""
    if isinstance(usual, (list, tuple)):
        return isinstance(value, (list, tuple)) and all(_alike(v, usual[0]) for v in value)
    if isinstance(usual, (bool, str)):
        return type(value) is type(usual)
    kinds: Any = (int, float) if isinstance(usual, float) else int
    return isinstance(value, kinds) and not isinstance(value, bool)


def _within(value: Any, usual: Any) -> bool:
    """Whether a value like the usual one, or each in a list of such, is no number out of range."""
    if isinstance(usual, (list, tuple)):
        return all(_within(v, usual[0]) for v in value)
    return isinstance(usual, (bool, str)) or _least(usual) <= value < MOST


def _least(usual: Any) -> int:
    """A count is at least 1; a rate or a penalty may also be 0."""
    usual = usual[0] if isinstance(usual, (list, tuple)) else usual
    return 0 if isinstance(usual, float) else 1
