"""Forms that look the same everywhere and can show an error that a service raised."""

from __future__ import annotations

from django import forms
from django.forms.renderers import TemplatesSetting

from apps.core.errors import ProductError


class ProductFormRenderer(TemplatesSetting):
    """Draws every form and field with the product's own templates."""

    form_template_name = "components/form.html"
    field_template_name = "components/field.html"


def widget_class(widget: forms.Widget) -> str:
    """The stylesheet's class for a control; "" where the control has none."""
    if isinstance(widget, forms.CheckboxInput | forms.RadioSelect | forms.CheckboxSelectMultiple):
        return "form-check-input"
    if isinstance(widget, forms.Select):
        return "form-select"
    if isinstance(widget, forms.MultiWidget) or widget.is_hidden:
        return ""
    return "form-control"


class ProductForm(forms.Form):
    """A form of a page. Rooms derive theirs from it and render it with `{{ form }}`."""

    def add_product_error(self, error: ProductError) -> None:
        """Show what a service refused, at the fields it names, else above the form.

        Nothing that was typed is lost: the view renders this same bound form again.
        """
        named = {field: messages for field, messages in error.fields.items() if field in self.fields}
        for field, messages in named.items():
            self.add_error(field, list(messages))
        if not named:
            self.add_error(None, error.detail)
