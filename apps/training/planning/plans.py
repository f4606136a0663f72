"""What a job is to do: read from what a form or a program asks, every name looked up in the project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.text import slugify

from apps.core.errors import InvalidInput
from apps.core.models import Project
from apps.datasets.models import DatasetVersion
from apps.feedback.models import TrainingSet
from apps.prompts.models import PromptVersion
from apps.providers.models import Provider
from apps.training.measuring.plans import read_plan
from apps.training.models import FineTuningJob
from apps.training.planning.bases import Base, base_read
from apps.training.planning.catalogue import settings_read
from apps.training.planning.presets import BALANCED, PRESETS, preset_settings
from apps.training.planning.setting import HOSTED, LORA, METHODS, SFT, TRAINED_HERE, Value
from apps.training.planning.situations import method_of_rows, situation_of
from apps.training.planning.sweeps import sweep_read

LONGEST_NAME = 80
MOST_SAMPLES = 8
LONGEST_SAMPLE = 20_000
_ROLES = ("system", "user", "assistant")
#: Among what the checks of a job say: its sample prompts are somebody's choice, none of them too.
SAMPLES_CHOSEN = "samples_chosen"


@dataclass(frozen=True)
class JobPlan:
    """A job as it is asked for, checked. `data` is a frozen training set, or a dataset version with a prompt
    that renders its rows."""

    name: str
    method: str
    technique: str
    base: Base
    dataset_version: DatasetVersion
    training_set: TrainingSet | None
    prompt_version: PromptVersion | None
    preset: str
    settings: dict[str, Value]
    sweep: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    sample_prompts: list[list[dict[str, str]]] = field(default_factory=list)
    seed: int = 42

    @property
    def provider(self) -> Provider | None:
        return self.base.provider

    def as_fields(self) -> dict[str, Any]:
        """The columns of FineTuningJob."""
        return {
            "name": self.name,
            "method": self.method,
            "technique": self.technique,
            "base": self.base.kept,
            "base_version": self.base.version,
            "provider": self.base.provider,
            "dataset_version": self.dataset_version,
            "training_set": self.training_set,
            "prompt_version": self.prompt_version,
            "preset": self.preset,
            "settings": self.settings,
            "sweep": self.sweep,
            "evaluation": self.evaluation,
            "sample_prompts": self.sample_prompts,
            "seed": self.seed,
        }


def plan_read(
    project: Project,
    *,
    name: str,
    base: Mapping[str, Any],
    method: str = "",
    technique: str = "",
    training_set: TrainingSet | None = None,
    dataset_version: DatasetVersion | None = None,
    prompt_version: PromptVersion | None = None,
    preset: str = BALANCED,
    settings: Mapping[str, Any] | None = None,
    sweep: Mapping[str, Any] | None = None,
    evaluation: Mapping[str, Any] | None = None,
    sample_prompts: Sequence[Any] | None = None,
    seed: int = 42,
) -> JobPlan:
    """Check all of it. `settings` go before those of the preset. Raises InvalidInput at what is wrong."""
    version = _data(training_set, dataset_version, prompt_version)
    method = _method(method, training_set, version)
    found = base_read(project, base, method=method)
    technique = _technique(technique, found)
    if preset and preset not in PRESETS:
        raise _wrong("preset", f"A preset is one of {', '.join(PRESETS)}.")
    situation = situation_of(
        project, method=method, technique=technique, base=found, version=version, training_set=training_set
    )
    asked = preset_settings(preset or BALANCED, situation) | dict(settings or {})
    return JobPlan(
        name=_name(name),
        method=method,
        technique=technique,
        base=found,
        dataset_version=version,
        training_set=training_set,
        prompt_version=prompt_version,
        preset=preset,
        settings=settings_read(asked, method=method, technique=technique),
        sweep=sweep_read(sweep, method=method, technique=technique),
        evaluation=evaluation_read(project, evaluation),
        sample_prompts=samples_read(sample_prompts),
        seed=_seed(seed),
    )


def evaluation_read(project: Project, asked: Mapping[str, Any] | None) -> dict[str, Any]:
    """The plan of the measurement at the end, {} for none. Raises InvalidInput."""
    if not asked or not asked.get("dataset_version"):
        return {}
    return read_plan(project, asked).kept()


def samples_read(asked: Sequence[Any] | None) -> list[list[dict[str, str]]]:
    """Conversations that end with the user, at most eight. Raises InvalidInput."""
    found = [_conversation(one) for one in asked or ()]
    if len(found) > MOST_SAMPLES:
        raise _wrong("sample_prompts", f"At most {MOST_SAMPLES} prompts are answered at each checkpoint.")
    return found


def _conversation(asked: Any) -> list[dict[str, str]]:
    messages = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
    if not isinstance(messages, list) or not messages:
        raise _wrong("sample_prompts", "A sample prompt is a text, or a list of messages.")
    read = []
    for message in messages:
        content = message.get("content") if isinstance(message, Mapping) else None
        if not isinstance(content, str) or message.get("role") not in _ROLES or "\x00" in content:
            raise _wrong("sample_prompts", f"A message has a role ({', '.join(_ROLES)}) and a text.")
        if len(content) > LONGEST_SAMPLE:
            raise _wrong("sample_prompts", f"A message has at most {LONGEST_SAMPLE:,} characters.")
        read.append({"role": str(message["role"]), "content": content})
    if read[-1]["role"] != "user" or not read[-1]["content"].strip():
        raise _wrong("sample_prompts", "A sample prompt ends with what a user says.")
    return read


def _data(
    training_set: TrainingSet | None, version: DatasetVersion | None, prompt: PromptVersion | None
) -> DatasetVersion:
    if training_set is not None:
        frozen = training_set.dataset_version
        if frozen is None:
            raise _wrong(
                "training_set", f"{training_set.name} is not frozen yet. Freeze it, then train on it."
            )
        if version not in (None, frozen):
            raise _wrong("dataset_version", "Choose a training set, or a version of a dataset: not both.")
        if prompt is not None:
            raise _wrong(
                "prompt_version", "A training set's rows are conversations already: choose no prompt."
            )
        return frozen
    if version is None:
        raise _wrong("data", "Choose what to train on: a training set, or a dataset with references.")
    return version


def _method(method: str, training_set: TrainingSet | None, version: DatasetVersion) -> str:
    if training_set is not None and method and method != training_set.method:
        raise _wrong(
            "method",
            f"The training set was made for {training_set.method.upper()}. Make one for {method.upper()} of "
            "the same judgements, or choose the other method.",
        )
    method = method or (training_set.method if training_set else method_of_rows(version) or SFT)
    if method not in METHODS:
        raise _wrong("method", f"A method is one of {', '.join(METHODS)}.")
    return method


def _technique(technique: str, base: Base) -> str:
    if base.provider is not None:
        if technique not in ("", HOSTED):
            raise _wrong("technique", "A model of a provider is trained by its provider.")
        return HOSTED
    if technique == HOSTED:
        raise _wrong("technique", "Choose a model of a provider as the base.")
    technique = technique or LORA
    if technique not in TRAINED_HERE:
        raise _wrong("technique", f"A technique is one of {', '.join(FineTuningJob.Technique.values)}.")
    return technique


def _name(name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= LONGEST_NAME or not slugify(name):
        raise _wrong("name", f"A name has 1 to {LONGEST_NAME} characters, letters or digits among them.")
    return name


def _seed(seed: Any) -> int:
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**31:
        raise _wrong("seed", "A seed is a whole number from 0 to 2,147,483,647.")
    return seed


def _wrong(field: str, text: str) -> InvalidInput:
    return InvalidInput(text, fields={field: [text]})
