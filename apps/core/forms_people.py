"""Forms for people, projects and keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib.auth.password_validation import password_validators_help_texts
from django.core.validators import RegexValidator
from django.utils import timezone

from apps.core.audit_log import action_words
from apps.core.forms import ProductForm
from apps.core.roles import Role

_no_nul = RegexValidator("\x00", "NUL characters are not allowed.", inverse_match=True)


def roles_up_to(highest: Role) -> list[tuple[int, str]]:
    """The roles that somebody with `highest` may give, highest last."""
    return [(role.value, role.label.capitalize()) for role in Role if role <= highest]


def _role_field(label: str = "Role") -> forms.TypedChoiceField:
    return forms.TypedChoiceField(label=label, coerce=lambda value: Role(int(value)))


class ProjectForm(ProductForm):
    name = forms.CharField(
        max_length=120, help_text="As it is shown. The address of a project never changes."
    )


class InviteForm(ProductForm):
    email = forms.EmailField(max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    role = _role_field()

    def __init__(self, *args: Any, highest: Role, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = roles_up_to(highest)  # type: ignore[attr-defined]
        self.fields["role"].initial = Role.VIEWER.value  # more is given on purpose, not by default


class RoleForm(ProductForm):
    role = _role_field()

    def __init__(self, *args: Any, highest: Role, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = roles_up_to(highest)  # type: ignore[attr-defined]


class ApiKeyForm(ProductForm):
    LIFETIMES = (("30", "30 days"), ("90", "90 days"), ("365", "One year"), ("", "Never"))

    name = forms.CharField(
        max_length=120, help_text="Who or what will use the key, e.g. “nightly evaluation”."
    )
    role = _role_field()
    lifetime = forms.ChoiceField(label="Expires after", choices=LIFETIMES, required=False, initial="90")

    def __init__(self, *args: Any, highest: Role, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = roles_up_to(highest)  # type: ignore[attr-defined]
        self.fields["role"].initial = min(Role.EDITOR, highest).value

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        days = cleaned.get("lifetime")
        cleaned["expires_at"] = timezone.now() + timedelta(days=int(days)) if days else None
        return cleaned


class NewPasswordForm(ProductForm):
    """A password, twice. Its strength is checked by the service, which knows the person."""

    password = forms.CharField(
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        strip=False,
        max_length=1000,
        validators=[_no_nul],
    )
    password_again = forms.CharField(
        label="Password again",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        strip=False,
        max_length=1000,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password"].help_text = " ".join(password_validators_help_texts())

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        first, second = cleaned.get("password"), cleaned.get("password_again")
        if first and second and first != second:
            self.add_error("password_again", "The two passwords differ.")
        return cleaned


class NewPersonForm(NewPasswordForm):
    name = forms.CharField(
        label="Your name",
        max_length=120,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    field_order: tuple[str, ...] = ("name", "password", "password_again")


class SetupForm(NewPersonForm):
    email = forms.EmailField(
        label="Your email",
        max_length=254,
        help_text="You sign in with it.",
        widget=forms.EmailInput(attrs={"autocomplete": "username"}),
    )
    project_name = forms.CharField(
        label="First project", max_length=120, help_text="What your team works on. It can be renamed."
    )
    field_order = ("email", "name", "password", "password_again", "project_name")


class AccountForm(ProductForm):
    name = forms.CharField(
        max_length=120,
        required=False,
        help_text="As others see it beside your email.",
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )


class EmailForm(ProductForm):
    email = forms.EmailField(
        label="New email",
        max_length=254,
        help_text="You sign in with it from then on.",
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    password = forms.CharField(
        label="Your password",
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        strip=False,
        max_length=1000,
    )


class AccountCareForm(ProductForm):
    """What an admin does for, or about, the account of somebody else."""

    do = forms.ChoiceField(choices=[(name, name) for name in ("reset-link", "factor", "off", "on")])


class AuditFilterForm(ProductForm):
    action = forms.ChoiceField(required=False)
    actor = forms.CharField(label="By", max_length=254, required=False)
    target = forms.CharField(label="To what", max_length=254, required=False)
    since = forms.DateField(label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, actions: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["action"].choices = [("", "All"), *((name, action_words(name)) for name in actions)]  # type: ignore[attr-defined]
