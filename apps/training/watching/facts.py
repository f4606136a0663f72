"""What a job was made of and where it trained: all that its result can be made again with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from apps.core import figures
from apps.providers.local_model.folder import MODEL_NAME
from apps.training.models import FineTuningJob
from apps.training.planning.catalogue import settings_for
from apps.training.planning.setting import Setting

_HARDWARE = {
    "machine": "Machine",
    "system": "System",
    "cpu": "Processor",
    "cores": "Cores",
    "memory_bytes": "Memory",
}


@dataclass(frozen=True, slots=True)
class Fact:
    label: str
    value: str
    url: str = ""
    #: A hash or a version: set in the face of code.
    code: bool = False


@dataclass(frozen=True, slots=True)
class FactGroup:
    title: str
    facts: list[Fact]


def facts_of(job: FineTuningJob, chosen: Mapping[str, Any]) -> list[FactGroup]:
    """`chosen`: what a sweep has chosen instead of the job's own settings."""
    groups = [
        FactGroup("Trains", _what(job)),
        FactGroup("Data", _rows(job)),
        FactGroup("Settings", _settings(job, chosen)),
        FactGroup("Where", _where(job)),
        FactGroup("Libraries", _libraries(job)),
    ]
    return [group for group in groups if group.facts]


def base_words(job: FineTuningJob) -> str:
    """The base as people call it."""
    if job.base_version is not None:
        return job.base_version.full_name if job.base_version.base_id else job.base_version.name
    base = job.base
    kinds = {
        "embedded": MODEL_NAME,
        "folder": str(base.get("name", "")),
        "hosted": str(base.get("model", "")),
    }
    return kinds.get(str(base.get("kind", "")), "A version of the registry")


def _what(job: FineTuningJob) -> list[Fact]:
    facts = [
        Fact("Method", job.get_method_display()),
        Fact("Technique", job.get_technique_display()),
        Fact("Base", base_words(job)),
    ]
    if job.base_version is not None and job.base_version.fingerprint:
        facts.append(Fact("Base fingerprint", job.base_version.fingerprint, code=True))
    parameters, trained = job.progress.get("parameters"), job.progress.get("trained_parameters")
    if parameters and trained:
        share = f"{figures.number(trained)} of {figures.number(parameters)} ({trained / parameters:.2%})"
        facts.append(Fact("Weights trained", share))
    facts.append(Fact("Seed", str(job.seed)))
    return facts


def _rows(job: FineTuningJob) -> list[Fact]:
    slug, version = job.project.slug, job.dataset_version
    url = reverse("datasets:detail", args=[slug, version.dataset.slug]) + f"?version={version.number}"
    facts = [Fact("Dataset", f"{version.dataset.name} v{version.number}", url)]
    if job.training_set is not None:
        url = reverse("feedback:training-detail", args=[slug, job.training_set.number])
        facts.append(Fact("Training set", f"{job.training_set.name} (#{job.training_set.number})", url))
    if job.prompt_version is not None:
        prompt = job.prompt_version.prompt
        facts.append(Fact("Rendered by", f"{prompt.name} v{job.prompt_version.number}"))
    rows = job.progress.get("rows") or {}
    if isinstance(rows, Mapping) and rows.get("train"):
        validation = rows.get("validation") or 0
        facts.append(
            Fact("Rows", f"{figures.number(rows['train'])}, validation {figures.number(validation)}")
        )
    if job.progress.get("truncated"):
        facts.append(Fact("Cut off", f"{figures.number(job.progress['truncated'])} rows"))
    if job.data_hash:
        facts.append(Fact("Rows' hash", job.data_hash, code=True))
    return facts


def _settings(job: FineTuningJob, chosen: Mapping[str, Any]) -> list[Fact]:
    known = settings_for(job.method, job.technique)
    values = {**job.settings, **chosen}
    facts = [
        Fact(setting.label, setting_words(setting, values[setting.name]) + _swept(setting.name, chosen))
        for setting in known
        if setting.name in values
    ]
    named = {setting.name for setting in known}
    return facts + [
        Fact(name.replace("_", " "), str(value)) for name, value in values.items() if name not in named
    ]


def _swept(name: str, chosen: Mapping[str, Any]) -> str:
    return ", chosen by the sweep" if name in chosen else ""


def setting_words(setting: Setting | None, value: Any) -> str:
    """A setting's value as its form shows it."""
    if setting is not None and setting.kind == "choice":
        return dict(setting.choices).get(str(value), str(value))
    if isinstance(value, float):
        return f"{value:.4g}"
    unit = f" {setting.unit}" if setting is not None and setting.unit else ""
    return f"{value:,}{unit}" if isinstance(value, int) else str(value)


def _where(job: FineTuningJob) -> list[Fact]:
    told = job.environment
    facts = [Fact("Worker", job.worker)] if job.worker else []
    hardware = told.get("hardware")
    if device := device_words(job):
        facts.append(Fact("Device", device))
    known = {"dtype": "Precision", "python": "Python", "commit": "Code"}
    for name, label in known.items():
        if told.get(name):
            facts.append(Fact(label, words(told[name]), code=name == "commit"))
    if isinstance(hardware, Mapping):
        facts += [
            Fact(_HARDWARE.get(str(name), str(name)), words(value, str(name)))
            for name, value in hardware.items()
            if value
        ]
    if job.attempt > 1:
        facts.append(Fact("Taken up", f"{job.attempt} times"))
    if job.trained_s:
        facts.append(Fact("Trained", figures.duration(job.trained_s)))
    if job.cost_usd is not None:
        facts.append(Fact("Cost", figures.money(job.cost_usd)))
    return facts


def device_words(job: FineTuningJob) -> str:
    """What it trains on; "" before that is known."""
    kind = job.environment.get("device", "")
    name = str((job.environment.get("device_facts") or {}).get("name", ""))
    if kind == "cpu":
        return "CPU, as there is no GPU"
    return f"GPU {name}".strip() if kind == "cuda" else str(kind)


def _libraries(job: FineTuningJob) -> list[Fact]:
    packages = job.environment.get("packages")
    if not isinstance(packages, Mapping):
        return []
    return [Fact(str(name), str(version), code=True) for name, version in sorted(packages.items())]


def words(value: Any, name: str = "") -> str:
    """A value of the environment; sizes with their unit, a mapping as its members."""
    if isinstance(value, Mapping):
        return ", ".join(
            words(member, str(key)) for key, member in value.items() if member not in ("", None, 0)
        )
    if isinstance(value, bool):
        return f"{name} {'yes' if value else 'no'}".strip()
    if isinstance(value, int | float) and name.endswith("bytes"):
        return f"{value / 1024**3:.1f} GiB"
    if isinstance(value, int | float) and name.startswith("flops"):
        return f"{value / 1e9:,.0f} GFLOP/s"
    return figures.number(value) if isinstance(value, int | float) else str(value)
