"""Every registered model against every law."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from laws import LAWS, Case, cases


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("case", cases(), ids=str)
def test_law(case: Case, law: Callable[[Case], None]) -> None:
    before = torch.random.get_rng_state()
    torch.manual_seed(0)
    try:
        law(case)
    finally:
        torch.random.set_rng_state(before)
