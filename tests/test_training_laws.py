"""The laws of objectives, data and training hold."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from training_laws import TRAINING_LAWS


@pytest.mark.parametrize("law", TRAINING_LAWS, ids=lambda law: law.__name__)
def test_law(law: Callable[[], None]) -> None:
    law()
