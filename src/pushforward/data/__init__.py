"""Data of every kind, and a fitted, exactly invertible encoding of them with its log-determinant."""

from pushforward.data.dataset import Dataset
from pushforward.data.export import export
from pushforward.data.load import load
from pushforward.data.schema import Schema
from pushforward.data.split import Splits, split

__all__ = ["Dataset", "Schema", "Splits", "export", "load", "split"]
