"""Discriminators: what learns on one part of the patterns and answers on another.

To add one: a module here and a line in the table. ``PICTURES`` learn from the pictures themselves, ``FEATURES`` from
vectors, be they a table's columns or a picture's features.
"""

from __future__ import annotations

from pushforward.auditing.discriminators.convolutions import convolutions
from pushforward.auditing.discriminators.learnt import Learner, Learnt, LogOdds, combined, limited
from pushforward.auditing.discriminators.linear import logistic
from pushforward.auditing.discriminators.neighbours import neighbours
from pushforward.auditing.discriminators.perceptron import perceptron
from pushforward.auditing.discriminators.trees import trees

__all__ = ["FEATURES", "PICTURES", "Learner", "Learnt", "LogOdds", "combined", "limited"]

FEATURES: dict[str, Learner] = {
    "gradient-boosted trees": trees,
    "logistic regression": logistic,
    "nearest neighbours": neighbours,
    "a small network": perceptron,
}
PICTURES: dict[str, Learner] = {"a convolutional network": convolutions}
