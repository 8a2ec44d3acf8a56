"""The fifth family of ``docs/design.md``, taken from there: one file and two entries, and it obeys every law."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

import pushforward as pf
from laws import EVENTS, LAWS, Case
from pushforward.families import DEFAULTS, FAMILIES, Configuration, Family
from pushforward.models.model import Model
from pushforward.training.game import likelihood_game

DOCUMENT = Path(__file__).parent.parent / "docs" / "design.md"


@pytest.fixture(scope="module")
def gaussian(tmp_path_factory: pytest.TempPathFactory) -> Iterator[type[Model]]:
    """The class in the document, imported from a file as it would be."""
    (code,) = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.M | re.S)
    path = tmp_path_factory.mktemp("models") / "gaussian.py"
    path.write_text(code, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("gaussian", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["gaussian"] = module
    spec.loader.exec_module(module)
    yield module.Gaussian
    del sys.modules["gaussian"]


@pytest.fixture(autouse=True)
def _registered(gaussian: type[Model], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, "gaussian", Family({"gaussian": gaussian}, likelihood_game))
    for row in DEFAULTS.values():
        monkeypatch.setitem(row, "gaussian", {"gaussian": Configuration({"scale": 1.0}, {"learning_rate": 1e-2}, 256)})


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("context", [0, 2])
@pytest.mark.parametrize("event", EVENTS)
def test_it_obeys_every_law(event: str, context: int, law: Callable[[Case], None]) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for dtype in (torch.float64, torch.float32):
            law(Case("gaussian", event, context, dtype))


def test_it_goes_through_every_door_and_finds_the_maximum_of_the_likelihood(tmp_path: Path) -> None:
    x = np.random.default_rng(0).multivariate_normal([3.0, -2.0], [[4.0, 1.5], [1.5, 1.0]], size=800)
    run = pf.fit(x, "gaussian", out=tmp_path / "run", steps=600, device="cpu")
    parts = run.splits()
    train = parts.train.numeric()
    best = multivariate_normal(train.mean(0), np.cov(train.T, bias=True)).logpdf(parts.test.numeric())
    figure = run.log_likelihood()
    assert figure.kind == "exact" and figure.nats == pytest.approx(best.mean(), abs=0.03)
    assert np.allclose(run.score_samples(x)[0][:5], pf.open(run.directory).score_samples(x)[0][:5])
    assert run.sample(2000, seed=1).numeric().mean(0) == pytest.approx([3.0, -2.0], abs=0.3)


def test_it_is_named_when_an_unknown_one_is_asked_for() -> None:
    with pytest.raises(pf.InputError, match="gan, gaussian"):
        pf.fit(np.zeros((30, 2)), "sixth")
