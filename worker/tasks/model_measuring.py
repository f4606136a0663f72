"""Measurements of models: going on with those whose runs have ended."""

from __future__ import annotations

from apps.training.measuring import settling
from worker.registry import sweeper

sweeper("training.measurements")(settling.measurements_sweep)
