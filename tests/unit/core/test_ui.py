"""The tag library and the form templates: what people read, and what a screen reader is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django import forms
from django.template import engines
from django.test import RequestFactory, override_settings

from apps.core import figures
from apps.core.errors import Conflict
from apps.core.forms import ProductForm
from apps.core.icons import UnknownIcon, icon_svg
from apps.core.states import state_of


def drawn(source: str, **context: object) -> str:
    return engines["django"].from_string(source).render(context)


def drawn_for(query: str, source: str) -> str:
    request = RequestFactory().get(f"/list?{query}")
    return engines["django"].from_string(source).render({"request": request})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0"),
        (1234567, "1,234,567"),
        (12.5, "12.5"),
        (-3, "−3"),
        ("", "–"),
        (float("nan"), "–"),
    ],
)
def test_counts_are_grouped_and_missing_is_no_zero(value: object, text: str) -> None:
    assert figures.number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0.812, "812 ms"),
        (0.9996, "1.0 s"),
        (4.23, "4.2 s"),
        (9.97, "10 s"),
        (59.7, "1 min"),
        (192, "3 min 12 s"),
        (7500, "2 h 5 min"),
        (90000, "1 d 1 h"),
        (timedelta(seconds=42), "42 s"),
        (-2, "−2.0 s"),
        (-0.0002, "0 ms"),
    ],
)
def test_durations_have_the_unit_that_suits(seconds: object, text: str) -> None:
    assert figures.duration(seconds) == text


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (None, "–"),
        (Decimal("0"), "$0"),
        (Decimal("0.0021"), "$0.0021"),
        (Decimal("0.000000123"), "$0.00000012"),
        (Decimal("1234.5"), "$1,234.50"),
        (-0.5, "−$0.50"),
        (-1e-15, "$0"),
    ],
)
def test_small_money_keeps_two_figures(usd: object, text: str) -> None:
    assert figures.money(usd) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (1.0, "1.000"),
        (0.61234, "0.612"),
        (45.678, "45.68"),
        (123.45, "123.5"),
        (-0.0001, "0.000"),
    ],
)
def test_scores_have_about_three_decimals(value: object, text: str) -> None:
    assert figures.score(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.05, "+0.050"), (-0.012, "−0.012"), (0, "0.000"), (None, "–")])
def test_a_difference_always_shows_its_sign(value: object, text: str) -> None:
    assert figures.signed(value) == text


def test_a_moment_is_machine_readable_and_in_one_format() -> None:
    html = drawn("{% when moment %}", moment=datetime(2026, 11, 21, 14, 5, tzinfo=UTC))
    assert "<time" in html
    assert "2026-11-21T" in html
    assert " Nov 2026, " in html


def test_no_moment_reads_as_words() -> None:
    assert "never" in drawn("{% when moment %}", moment=None)
    assert "not yet" in drawn("{% when moment 'not yet' %}", moment=None)


def test_sorting_turns_round_and_forgets_the_cursor() -> None:
    html = drawn_for("sort=name&after=abc&q=x", '{% sort_link "name" "Name" %}')
    assert 'href="?sort=-name&amp;q=x"' in html or 'href="?q=x&amp;sort=-name"' in html
    assert "sorted ascending" in html
    assert "after=" not in html


def test_a_list_shows_the_order_it_has_by_default() -> None:
    assert "sorted descending" in drawn_for("", '{% sort_link "created" "Made" default="-created" %}')


def test_a_status_reads_in_words_with_a_tone() -> None:
    html = drawn("{% status_badge 'failed' %}")
    assert "Failed" in html
    assert "state-bad" in html
    assert state_of("some_new_state").label == "Some new state"


def test_an_interval_is_left_out_when_unknown() -> None:
    assert "[0.540, 0.670]" in drawn("{% metric_interval 0.61 0.54 0.67 %}")
    assert "[" not in drawn("{% metric_interval 0.61 %}")


def test_a_figure_is_escaped_into_its_attribute() -> None:
    html = drawn("{% plot figure 'Scores' %}", figure={"data": [{"name": 'a"><script>'}]})
    assert "<script>" not in html
    assert 'aria-label="Scores"' in html


@pytest.mark.parametrize(("total", "text"), [(200, "120 of 200 · 60%"), (None, "120")])
def test_progress_says_how_far(total: int | None, text: str) -> None:
    html = " ".join(drawn("{% progress 120 total 'Items' %}", total=total).split())
    assert text in html
    assert ("value=" in html) is (total is not None)


def test_an_empty_list_says_what_to_do_next() -> None:
    html = drawn('{% empty_state title="No prompts yet" text="Write one." url="/new" label="New prompt" %}')
    assert "No prompts yet" in html
    assert 'href="/new"' in html


def test_user_text_is_escaped_everywhere() -> None:
    evil = "<img src=x>"
    assert "<img" not in drawn("{% empty_state title=t text=t %}{% status_badge t %}", t=evil)
    assert "<img" not in drawn('{% include "components/_toast.html" with detail=t %}', t=evil)


def test_an_icon_is_hidden_from_screen_readers() -> None:
    assert 'aria-hidden="true"' in icon_svg("plus")


def test_an_icon_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.core.icons._drawings", lambda: {"plus": ""})
    with pytest.raises(UnknownIcon, match="no-such-icon"):
        icon_svg("no-such-icon")


class SampleForm(ProductForm):
    name = forms.CharField(help_text="Shown in lists.")
    body = forms.CharField(widget=forms.Textarea(attrs={"class": "tall"}))
    kind = forms.ChoiceField(choices=[("a", "A")])
    mode = forms.ChoiceField(choices=[("x", "Greedy"), ("y", "Sampling")], widget=forms.RadioSelect)
    active = forms.BooleanField(required=False)
    token = forms.CharField(widget=forms.HiddenInput, required=False)


def test_a_form_labels_describes_and_marks_its_fields() -> None:
    html = str(SampleForm({"body": "text I typed", "kind": "a", "mode": "x"}))
    assert 'aria-describedby="id_name_helptext id_name_error"' in html
    assert 'id="id_name_helptext"' in html
    assert 'id="id_name_error"' in html
    assert 'aria-invalid="true"' in html
    assert "text I typed" in html
    for control in ("form-control", "tall form-control", "form-select", "form-check-input"):
        assert control in html
    assert "<legend" in html
    assert html.count('name="token"') == 1


def test_what_a_service_refused_is_shown_where_it_belongs() -> None:
    form = SampleForm({"name": "x", "body": "y", "kind": "a", "mode": "x"})
    form.add_product_error(Conflict("Taken.", fields={"name": ["There is a prompt with this name."]}))
    form.add_product_error(Conflict("Someone saved a newer version."))
    assert form.errors["name"] == ["There is a prompt with this name."]
    assert "Someone saved a newer version." in str(form)


@pytest.mark.parametrize("template", ["400", "403", "404", "500", "403_csrf"])
@override_settings(
    STORAGES={"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
)
def test_error_pages_say_what_to_do(template: str) -> None:
    request = RequestFactory().get("/")
    html = (
        engines["django"].get_template(f"{template}.html").render({}, request if template != "500" else None)
    )
    assert "data-problem-detail" in html
    assert html.count("<h1") == 1
    assert "style=" not in html
