"""Two targets against each other: what is the same, what changed and by how much, what cannot be compared."""

from bnspec.compare.answers import compare
from bnspec.compare.model import Change, Comparison, Kind, Weight
from bnspec.compare.places import merged
from bnspec.compare.words import sentence

__all__ = ["Change", "Comparison", "Kind", "Weight", "compare", "merged", "sentence"]
