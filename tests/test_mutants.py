"""Each planted bug is caught: its law holds without it (or else this says nothing) and fails with it."""

from __future__ import annotations

import pytest

from mutants.catalogue import MUTANTS, Mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_caught(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.caught_by()
    mutant.plant(monkeypatch)
    with pytest.raises((AssertionError, RuntimeError)):
        mutant.caught_by()


def test_there_are_enough() -> None:
    assert len(MUTANTS) >= 12
