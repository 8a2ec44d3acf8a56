"""The families, and for each kind of data the defaults that do well on it: one table.

To add a family: one file in ``models/``, one entry in :data:`FAMILIES`, one column of :data:`DEFAULTS`.
To add a kind of data: one row of :data:`DEFAULTS` and its line in :func:`kind_of`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pushforward.errors import InputError
from pushforward.event import Event
from pushforward.models.autoregressive import MaskedAutoregressive
from pushforward.models.flow import Flow
from pushforward.models.gan import GAN
from pushforward.models.model import Model
from pushforward.models.vae import VAE
from pushforward.training.game import Game, adversarial_game, likelihood_game

__all__ = ["DEFAULTS", "FAMILIES", "Configuration", "Family", "configure", "family", "kind_of"]


@dataclass(frozen=True)
class Family:
    """A model class and the game it is trained by."""

    model: type[Model]
    game: Callable[..., Game]
    density: bool = True
    """Whether its law says anything about log p(x)."""


@dataclass(frozen=True)
class Configuration:
    """Arguments of the model's constructor and of its game, and the batch size."""

    model: Mapping[str, Any] = field(default_factory=dict)
    game: Mapping[str, Any] = field(default_factory=dict)
    batch: int = 256

    def replaced(self, options: Mapping[str, Any], of: Family) -> Configuration:
        """With some values replaced by name, wherever they belong."""
        model, game, batch = dict(self.model), dict(self.game), self.batch
        of_game, of_model = _arguments(of.game, skip=1), _arguments(of.model, skip=2)
        places = {**dict.fromkeys(of_game, game), **dict.fromkeys(of_model, model)}
        usual = {**of_game, **of_model, **self.game, **self.model, "batch": batch}
        for name, value in options.items():
            if name not in usual:
                raise InputError(f"unknown option {name!r} for this model; it has {', '.join(sorted(usual))}")
            if not _alike(value, usual[name]):
                raise InputError(f"the option {name} cannot be {value!r}; give it the form of {usual[name]!r}")
            if name == "batch":
                batch = value
            else:
                places[name][name] = value
        return Configuration(model, game, batch)


FAMILIES: dict[str, Family] = {
    "flow": Family(Flow, likelihood_game),
    "autoregressive": Family(MaskedAutoregressive, likelihood_game),
    "vae": Family(VAE, likelihood_game),
    "gan": Family(GAN, adversarial_game, density=False),
}

_C = Configuration
# fmt: off
DEFAULTS: dict[str, dict[str, Configuration]] = {
    "table": {
        "flow":           _C({"transforms": 5, "hidden": [128, 128], "bins": 8, "whiten": True},
                             {"learning_rate": 4e-3}, 512),
        "autoregressive": _C({"hidden": [256, 256], "components": 10},           {"learning_rate": 2e-3}, 512),
        "vae":            _C({"latent": 8, "hidden": [256, 256], "components": 5}, {"learning_rate": 1e-3}, 256),
        "gan":            _C({"latent": 16, "hidden": [256, 256]}, {"learning_rate": 2e-3, "penalty": 0.1}, 256),
    },
    "binary": {
        "flow":           _C({"transforms": 5, "hidden": [128, 128], "bins": 8}, {"learning_rate": 2e-3}, 512),
        "autoregressive": _C({"hidden": [512, 512]},                             {"learning_rate": 2e-3}, 256),
        "vae":            _C({"latent": 16, "hidden": [256, 256]},               {"learning_rate": 1e-3}, 256),
        "gan":            _C({"latent": 32, "hidden": [256, 256]}, {"learning_rate": 2e-3, "penalty": 0.1}, 128),
    },
    "pictures": {
        "flow":           _C({"transforms": 6, "hidden": [256, 256], "bins": 8}, {"learning_rate": 1e-3}, 256),
        "autoregressive": _C({"hidden": [512, 512], "components": 5},            {"learning_rate": 1e-3}, 128),
        "vae":            _C({"latent": 32, "hidden": [256, 256], "components": 3}, {"learning_rate": 1e-3}, 128),
        "gan":            _C({"latent": 32, "hidden": [256, 256]}, {"learning_rate": 2e-3, "penalty": 0.1}, 64),
    },
}
# fmt: on


def kind_of(event: Event) -> str:
    """The row of the table that an event belongs to."""
    if event.picture is not None:
        return "pictures"
    return "binary" if bool(event.binary.all()) else "table"


def family(name: str) -> Family:
    """A family by name, or an error that lists them."""
    if name not in FAMILIES:
        raise InputError(f"unknown model {name!r}; choose one of {', '.join(FAMILIES)}")
    return FAMILIES[name]


def configure(name: str, event: Event, options: Mapping[str, Any]) -> Configuration:
    """The defaults of a family for an event, with ``options`` replaced by name.

    Raises:
        InputError: If the family or an option is unknown.
    """
    chosen = family(name)
    return DEFAULTS[kind_of(event)][name].replaced(options, chosen)


def _arguments(function: Callable[..., Any], skip: int) -> dict[str, Any]:
    """The arguments by name, without the first few, and their defaults."""
    parameters = list(inspect.signature(function).parameters.values())[skip:]
    return {parameter.name: parameter.default for parameter in parameters}


def _alike(value: Any, usual: Any) -> bool:
    """Whether a value is of the kind of the usual one: a whole number, a number, a text, or a list of such."""
    if isinstance(usual, (list, tuple)):
        return isinstance(value, (list, tuple)) and all(_alike(v, usual[0]) for v in value)
    if isinstance(usual, (bool, str)):
        return type(value) is type(usual)
    kinds: Any = (int, float) if isinstance(usual, float) else int
    # A count is at least 1; a rate or a penalty may also be 0.
    return (
        isinstance(value, kinds)
        and not isinstance(value, bool)
        and (0 if isinstance(usual, float) else 1) <= value < 1e9
    )
