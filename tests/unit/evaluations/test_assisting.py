"""Other processes are asked for help when this one's processor is full, and not before."""

from __future__ import annotations

from apps.evaluations.engine.assisting import LOOK_EVERY_S, Helpers


class Clocks:
    wall = 0.0
    used = 0.0


def looked(share: float, seconds: int) -> int:
    """How often help was called for by a process that uses this share of a processor."""
    clocks, called = Clocks(), []
    helpers = Helpers(
        lambda: called.append(clocks.wall), clock=lambda: clocks.wall, processor=lambda: clocks.used
    )
    for _ in range(int(seconds / 0.05)):
        clocks.wall += 0.05
        clocks.used += 0.05 * share
        helpers.look()
    return len(called)


def test_a_process_with_time_to_spare_works_alone() -> None:
    assert looked(0.8, seconds=30) == 0


def test_a_full_processor_calls_for_help_and_again_after_a_while() -> None:
    assert looked(0.97, seconds=10) == 1
    assert looked(0.97, seconds=30) == 2


def test_a_moment_is_not_enough_to_tell() -> None:
    assert looked(1.0, seconds=int(LOOK_EVERY_S) - 1) == 0
