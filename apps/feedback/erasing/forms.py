"""The form of the page that erases a person."""

from __future__ import annotations

from django import forms

from apps.core.forms import ProductForm
from apps.feedback.erasing.people import ANNOTATOR, END_USER, LONGEST


class EraseForm(ProductForm):
    kind = forms.ChoiceField(
        label="Who it is",
        choices=[
            (END_USER, "An end user, by the name that the application gives them"),
            (ANNOTATOR, "Somebody who annotates or votes here, by e-mail address"),
        ],
        widget=forms.RadioSelect,
        initial=END_USER,
    )
    who = forms.CharField(label="Name or e-mail address", max_length=LONGEST)
