"""The tag library of every page: states, dates, numbers, icons, figures. Builtin: no load is needed."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django import template
from django.forms import BoundField
from django.forms.boundfield import BoundWidget
from django.template.context import Context
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.core import figures
from apps.core.forms import widget_class
from apps.core.icons import icon_svg
from apps.core.states import State, state_of

register = template.Library()

register.filter("number", figures.number)
register.filter("duration", figures.duration)
register.filter("money", figures.money)
register.filter("score", figures.score)
register.filter("signed", figures.signed)


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """A Tabler outline icon, drawn inline and hidden from screen readers."""
    return icon_svg(name, css)


@register.inclusion_tag("components/empty_state.html")
def empty_state(
    title: str, text: str = "", url: str = "", label: str = "", icon_name: str = "inbox"
) -> dict[str, str]:
    """What a list shows when it has nothing: what belongs here, and the next thing to do."""
    return {"title": title, "text": text, "url": url, "label": label, "icon_name": icon_name}


@register.inclusion_tag("components/status_badge.html")
def status_badge(status: Any) -> dict[str, State]:
    """A status in words, with a colour and an icon that agree with it."""
    return {"state": state_of(str(getattr(status, "value", status)))}


@register.simple_tag
def when(moment: datetime | None, missing: str = "never") -> SafeString:
    """A moment in the one date format, e.g. "21 Nov 2026, 14:05", with the exact instant on hover."""
    if moment is None:
        return format_html('<span class="text-secondary">{}</span>', missing)
    local = timezone.localtime(moment) if timezone.is_aware(moment) else moment
    shown = f"{local.day} {local:%b %Y, %H:%M}"
    exact = f"{local:%Y-%m-%d %H:%M:%S %Z}".strip()
    return format_html(
        '<time class="when" datetime="{}" title="{}">{}</time>', local.isoformat(), exact, shown
    )


@register.inclusion_tag("components/sort_link.html", takes_context=True)
def sort_link(context: Context, field: str, label: str, default: str = "") -> dict[str, str]:
    """A table header that sorts by ?sort=field, and by ?sort=-field when it is followed again.

    `default` is the order the list has without a sort in its address, e.g. "-created".
    """
    request = context["request"]
    current = request.GET.get("sort", default)
    query = request.GET.copy()
    for stale in ("after", "before", "page"):
        query.pop(stale, None)
    query["sort"] = f"-{field}" if current == field else field
    direction = {field: "ascending", f"-{field}": "descending"}.get(current, "")
    return {"url": f"?{query.urlencode()}", "label": label, "direction": direction}


@register.inclusion_tag("components/metric_interval.html")
def metric_interval(mean: Any, low: Any = None, high: Any = None, level: int = 95) -> dict[str, Any]:
    """A mean with the interval of `level` percent around it; the interval is left out when unknown."""
    return {"mean": mean, "low": low, "high": high, "level": level}


@register.inclusion_tag("components/plot.html")
def plot(figure: Any, label: str, size: str = "m") -> dict[str, str]:
    """A plotly figure: JSON text, a dict, or an object with to_json(). `size` is "s", "m" or "l".

    `label` says in words what the figure shows; a screen reader reads it instead.
    """
    if hasattr(figure, "to_json"):
        figure = figure.to_json()
    text = figure if isinstance(figure, str) else json.dumps(figure)
    return {"figure": text, "label": label, "size": size}


@register.inclusion_tag("components/progress.html")
def progress(done: int, total: int | None, label: str, cancelled: int = 0) -> dict[str, Any]:
    """How far a job is. A total of None means that it is not known yet; what was cancelled is not done."""
    percent = None if total is None else (100 if total == 0 else int(100 * done / total))
    return {"done": done, "total": total, "label": label, "percent": percent, "cancelled": cancelled}


@register.filter
def control(field: BoundField, extra: str = "") -> SafeString:
    """A form field's control alone, with the stylesheet's classes (plus `extra`)."""
    own = str(field.field.widget.attrs.get("class", ""))
    classes = [own, widget_class(field.field.widget), extra, "is-invalid" if field.errors else ""]
    unique = dict.fromkeys(" ".join(classes).split())
    return field.as_widget(attrs={"class": " ".join(unique)} if unique else None)


@register.filter
def options(field: BoundField) -> list[BoundWidget]:
    """The inputs of a group of radio buttons or checkboxes, with the stylesheet's class."""
    inputs = list(field.subwidgets)
    for each in inputs:
        each.data["attrs"]["class"] = widget_class(field.field.widget)
    return inputs


@register.filter
def kind_of_control(field: BoundField) -> str:
    """ "checkbox", "group" (several inputs under one legend), "file" or "plain": how a field is laid out."""
    if field.widget_type == "checkbox":
        return "checkbox"
    if field.use_fieldset:
        return "group"
    return "file" if "file" in field.widget_type else "plain"


@register.filter
def level_class(level: str) -> str:
    """The colour class of a message level, whatever dialect it is written in."""
    return {"error": "danger", "danger": "danger", "warning": "warning", "success": "success"}.get(
        level, "info"
    )
