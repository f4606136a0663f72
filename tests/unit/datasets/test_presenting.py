"""Text reads as text."""

from __future__ import annotations

from apps.datasets.presenting import readable


def test_nested_values_read_as_an_outline() -> None:
    value = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": None, "tools": []}]
    assert readable(value) == (
        "–\n  role: user\n  content: Hi\n–\n  role: assistant\n  content: (none)\n  tools: (none)"
    )


def test_text_is_left_alone() -> None:
    assert readable('{"not": "parsed"}') == '{"not": "parsed"}'
