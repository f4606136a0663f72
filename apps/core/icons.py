"""Tabler's outline icons, drawn inline. The front-end build writes them to one file."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe


class UnknownIcon(LookupError):
    """A template asks for an icon that Tabler does not have."""


@cache
def _drawings() -> dict[str, str]:
    path = Path(settings.BASE_DIR) / "static" / "dist" / "icons.json"
    if not path.is_file():
        return {}  # the front end is not built: pages work, without icons
    drawings: dict[str, str] = json.loads(path.read_text("utf-8"))
    return drawings


def icon_svg(name: str, css: str = "") -> SafeString:
    """The icon as an <svg> that screen readers skip; put words beside it.

    Raises UnknownIcon when there is no such icon.
    """
    drawings = _drawings()
    if drawings and name not in drawings:
        raise UnknownIcon(f"Tabler has no outline icon {name!r}; see https://tabler.io/icons")
    return format_html(
        '<svg class="icon {}" width="24" height="24" viewBox="0 0 24 24" fill="none" stroke="currentColor" '
        'stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" '
        'focusable="false">{}</svg>',
        css,
        mark_safe(drawings.get(name, "")),  # noqa: S308  # paths of our own build
    )
