"""Limits on calls to a provider, one for each credential and shared by all workers, kept in Valkey.

Two limits with two questions. How many calls may I have under way (`Member.renew`): an adaptive limit that
starts low, doubles while calls are clean and the limit is really used, is cut when the provider says 429, and
is shared fairly among the runs that want it. How many calls may I start (`Window.take`): requests and tokens
over the last minute. Both are asked for many calls at once, so that a call costs no round trip of its own.

When Valkey does not answer, work goes on with a few calls at a time: the provider's own limit still stands.
"""

from __future__ import annotations

from .concurrency import Grant, Member, Outcomes
from .window import Taken, Window, one_turn

__all__ = ["Grant", "Member", "Outcomes", "Taken", "Window", "one_turn"]
