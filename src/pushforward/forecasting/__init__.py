"""What a series does next: a history, sample paths that go on from it, and scores of them."""

from pushforward.forecasting.forecast import Forecast
from pushforward.forecasting.history import history_of
from pushforward.forecasting.paths import forecast, goes_on
from pushforward.forecasting.scores import crps

__all__ = ["Forecast", "crps", "forecast", "goes_on", "history_of"]
