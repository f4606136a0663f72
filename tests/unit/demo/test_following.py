"""`manage.py demo` follows what workers do; whoever stops following stops nothing."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from llmops_web.management.commands import demo


@pytest.mark.parametrize(("asked", "follows"), [((), "run_demo"), (("--finetune",), "_fine_tuned")])
def test_ctrl_c_ends_the_following_in_a_sentence(
    asked: tuple[str, ...], follows: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo.Command if follows == "_fine_tuned" else demo, follows, interrupted)
    with pytest.raises(CommandError, match="goes on in the workers") as ended:
        call_command("demo", *asked)
    assert ended.value.returncode == 130
