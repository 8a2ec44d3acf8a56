"""What an audit compares: any two of data, samples and runs, as data sets in one form."""

from pushforward.sides.compared import FEWEST, Sides, ignore
from pushforward.sides.runs import PATTERNS_AT_MOST, real_side, sides_of_run
from pushforward.sides.sources import sides

__all__ = ["FEWEST", "PATTERNS_AT_MOST", "Sides", "ignore", "real_side", "sides", "sides_of_run"]
