"""The statistics of runs and comparisons: pure functions of numbers, each with the source of its formula.

numpy and scipy are imported when a function is called, so that importing this package costs nothing.
"""

from __future__ import annotations

from .bootstrap import bootstrap_intervals
from .intervals import MeanInterval, mean_interval
from .multiplicity import holm
from .paired import PairedResult, paired_comparison

__all__ = [
    "MeanInterval",
    "PairedResult",
    "bootstrap_intervals",
    "holm",
    "mean_interval",
    "paired_comparison",
]
