"""The form of a draft: its settings, the sweep, the held-out evaluation, the sample prompts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator

from apps.core.errors import ProductError
from apps.core.forms import ProductForm
from apps.training.models import FineTuningJob
from apps.training.planning.catalogue import BY_NAME, settings_for
from apps.training.planning.evaluation_fields import EvaluationFields
from apps.training.planning.plans import LONGEST_NAME, LONGEST_SAMPLE, MOST_SAMPLES
from apps.training.planning.setting import GROUPS, Setting
from apps.training.planning.sweeps import MOST_STEPS, MOST_TRIALS, SWEPT, objectives_of, swept_names

SETTING = "setting-"
#: Settings whose values stand behind the heading of their group.
_SHORT = (
    "learning_rate",
    "epochs",
    "max_length",
    "lora_r",
    "lora_alpha",
    "beta",
    "desirable_weight",
    "undesirable_weight",
    "precision",
    "keep_checkpoints",
)


class PlanForm(EvaluationFields, ProductForm):
    """All fields are named for what they are: "setting-learning_rate", "sweep-trials", "eval-dataset"."""

    name = forms.CharField(max_length=LONGEST_NAME)
    seed = forms.IntegerField(
        min_value=0,
        max_value=2**31 - 1,
        help_text="The same seed, data and machine give the same curve again.",
    )
    keep_samples = forms.MultipleChoiceField(
        label="Prompts answered at each checkpoint", required=False, widget=forms.CheckboxSelectMultiple
    )
    #: How many the page showed: those that a worker adds meanwhile stay.
    samples_shown = forms.IntegerField(required=False, widget=forms.HiddenInput)
    more_samples = forms.CharField(
        label="More of them",
        required=False,
        max_length=LONGEST_SAMPLE,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=f"One question a line; at most {MOST_SAMPLES} in all.",
    )

    def __init__(self, posted: Mapping[str, Any] | None = None, *, job: FineTuningJob) -> None:
        self.job = job
        super().__init__(posted, initial=_initial(job))
        for setting in settings_for(job.method, job.technique):
            self.fields[SETTING + setting.name] = setting_field(setting)
        self._add_sweep()
        self.offer_evaluation(job, posted)
        samples = self.fields["keep_samples"]
        assert isinstance(samples, forms.MultipleChoiceField)
        samples.choices = [
            (str(place), asked[-1]["content"]) for place, asked in enumerate(job.sample_prompts)
        ]

    def _add_sweep(self) -> None:
        swept = swept_names(self.job.method, self.job.technique)
        if not swept:
            return
        self.fields["sweep-on"] = forms.BooleanField(label="Try several settings first", required=False)
        self.fields["sweep-trials"] = _whole("Trials", 2, MOST_TRIALS)
        self.fields["sweep-steps"] = _whole("Steps of each", 1, MOST_STEPS)
        self.fields["sweep-objective"] = forms.ChoiceField(
            label="Best is", choices=list(objectives_of(self.job.method).items()), required=False
        )
        for name in swept:
            setting = BY_NAME[name]
            self.fields[f"sweep-{name}"] = forms.BooleanField(
                label=f"Vary {setting.label.lower()}", required=False
            )
            for bound, word in (("low", "from"), ("high", "to")):
                field = setting_field(setting)
                field.label, field.required, field.help_text = f"{setting.label} {word}", False, ""
                self.fields[f"sweep-{name}-{bound}"] = field

    # --- for the page ---

    def setting_groups(self) -> list[tuple[str, str, list[forms.BoundField]]]:
        """(heading, first values in short, fields), in the form's order; none is empty."""
        there = settings_for(self.job.method, self.job.technique)
        found = []
        for group, title in GROUPS.items():
            inside = [setting for setting in there if setting.group == group]
            fields = [self[SETTING + setting.name] for setting in inside]
            short = [each for each in zip(inside, fields, strict=True) if each[0].name in _SHORT]
            if inside:
                found.append((title, ", ".join(_in_short(*each) for each in short), fields))
        return found

    def sweep_rows(self) -> list[tuple[forms.BoundField, forms.BoundField, forms.BoundField]]:
        """(whether it varies, from, to) for each setting that a sweep can vary."""
        return [
            (self[f"sweep-{name}"], self[f"sweep-{name}-low"], self[f"sweep-{name}-high"])
            for name in swept_names(self.job.method, self.job.technique)
        ]

    def swept(self) -> dict[str, forms.BoundField]:
        """The fields of the sweep that are always there, by their names; {} where there is no sweep."""
        names = [name for name in ("on", "trials", "steps", "objective") if f"sweep-{name}" in self.fields]
        return {name: self[f"sweep-{name}"] for name in names}

    def settings_so_far(self) -> dict[str, Any]:
        """The settings as they are typed, valid or not; what cannot be read is as the job has it."""
        self.is_valid()
        typed = self.cleaned_data if self.is_bound else {}
        return {
            setting.name: typed.get(
                SETTING + setting.name, self.job.settings.get(setting.name, setting.default)
            )
            for setting in settings_for(self.job.method, self.job.technique)
        }

    # --- what it asks for ---

    def changes(self) -> dict[str, Any]:
        """Of a valid form, what `job_update` takes."""
        told = self.cleaned_data
        return {
            "name": told["name"],
            "seed": told["seed"],
            "settings": {
                name.removeprefix(SETTING): value for name, value in told.items() if name.startswith(SETTING)
            },
            "sweep": self.sweep(),
            "evaluation": self.evaluation(),
            "sample_prompts": self._samples(),
        }

    def sweep(self) -> dict[str, Any]:
        told = self.cleaned_data
        if not told.get("sweep-on"):
            return {}
        return {
            "trials": told["sweep-trials"] or 6,
            "steps": told["sweep-steps"] or 40,
            "objective": told["sweep-objective"] or "eval_loss",
            "space": {
                name: [told[f"sweep-{name}-low"], told[f"sweep-{name}-high"]]
                for name in swept_names(self.job.method, self.job.technique)
                if told[f"sweep-{name}"]
            },
        }

    def _samples(self) -> list[Any]:
        shown = self.cleaned_data["samples_shown"] or 0
        wanted = {int(place) for place in self.cleaned_data["keep_samples"]}
        kept = [
            asked for place, asked in enumerate(self.job.sample_prompts) if place in wanted or place >= shown
        ]
        return kept + [
            line.strip() for line in self.cleaned_data["more_samples"].splitlines() if line.strip()
        ]

    def add_product_error(self, error: ProductError) -> None:
        """At the fields as this form names them."""
        renamed = {
            name: messages
            for asked, messages in error.fields.items()
            for name in (asked, SETTING + asked, f"eval-{asked.replace('_version', '')}", f"{asked}-on")
            if name in self.fields
        }
        super().add_product_error(type(error)(error.detail, fields=renamed))


def _in_short(setting: Setting, field: forms.BoundField) -> str:
    """ "learning rate 5e-05"."""
    if setting.choices:
        return dict(setting.choices).get(str(field.value()), "").lower()
    value = field.value()
    return (
        f"{setting.label.lower()} {value:g}"
        if isinstance(value, float)
        else f"{setting.label.lower()} {value}"
    )


def setting_field(setting: Setting) -> forms.Field:
    """The field of a setting, with its bounds, and what is usual in its help."""
    if setting.kind == "choice":
        return forms.ChoiceField(label=setting.label, choices=setting.choices, help_text=setting.explanation)
    kind = forms.IntegerField if setting.kind == "integer" else forms.FloatField
    field = kind(
        label=f"{setting.label} ({setting.unit})" if setting.unit else setting.label,
        help_text=setting.explanation + _usual(setting),
        widget=forms.NumberInput(attrs={"step": "any" if setting.kind == "float" else "1"}),
    )
    if setting.low is not None:
        field.validators.append(MinValueValidator(setting.low))
        field.widget.attrs["min"] = f"{setting.low:.10g}"
    if setting.high is not None:
        field.validators.append(MaxValueValidator(setting.high))
        field.widget.attrs["max"] = f"{setting.high:.10g}"
    return field


def _usual(setting: Setting) -> str:
    if setting.safe_low is None or setting.safe_high is None:
        return ""
    return f" Usually {setting.safe_low:,g} to {setting.safe_high:,g}."


def _whole(label: str, low: int, high: int) -> forms.IntegerField:
    return forms.IntegerField(label=label, min_value=low, max_value=high, required=False)


def _initial(job: FineTuningJob) -> dict[str, Any]:
    sweep, space = job.sweep, job.sweep.get("space", {})
    found: dict[str, Any] = {
        "name": job.name,
        "seed": job.seed,
        "samples_shown": len(job.sample_prompts),
        "keep_samples": [str(place) for place in range(len(job.sample_prompts))],
        "sweep-on": bool(sweep),
        "sweep-trials": sweep.get("trials", 6),
        "sweep-steps": sweep.get("steps", 40),
        "sweep-objective": sweep.get("objective", "eval_loss"),
    }
    found |= {SETTING + name: value for name, value in job.settings.items()}
    for name, bounds in SWEPT.items():
        low, high = space.get(name, bounds)
        found |= {
            f"sweep-{name}": name in space if sweep else name == "learning_rate",
            f"sweep-{name}-low": low,
            f"sweep-{name}-high": high,
        }
    return found
