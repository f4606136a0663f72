"""Feedback's own work."""

from __future__ import annotations
