"""Settings of kinds that are scored by calls, as the project makes them: which model, which version of which
prompt, which other run, and the secret, which is kept apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from apps.core.actor import Actor
from apps.core.audit import audit
from apps.core.crypto import decrypt, encrypt
from apps.core.errors import ProductError
from apps.core.locks import transaction_lock
from apps.core.models import Project
from apps.evaluations.evaluator_errors import InvalidConfig
from apps.evaluations.evaluators import DefaultPrompt, EvaluatorKind
from apps.evaluations.models import EvalRun, Evaluator, EvaluatorSecret
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.selectors import prompt_get, version_get
from apps.prompts.services import prompt_create, prompt_version_create
from apps.providers.selectors import model_resolve

LEAST_SECRET = 16


def settled_config(
    *, project: Project, by: Actor, of: EvaluatorKind, config: dict[str, Any]
) -> dict[str, Any]:
    """The settings with a judge's prompt pinned to a version's number; the kind's default is made where
    the project lacks it. What is not scored by calls stays as it is.

    Call it in the transaction that saves them. Raises InvalidConfig.
    """
    if of.by_calls is None or of.by_calls.prompt is None:
        return config
    default = of.by_calls.prompt
    if config["prompt"] == default.slug:
        default_prompt_ensure(project=project, by=by, default=default)
    check_judge(project=project, of=of, config=config)
    version = judge_prompt(project, default, config).version
    return config if version is None else {**config, "prompt_version": str(version.number)}


def check_judge(*, project: Project, of: EvaluatorKind, config: dict[str, Any]) -> None:
    """Raises InvalidConfig where the project lacks what the settings name."""
    if of.by_calls is None or of.by_calls.prompt is None:
        return
    with _told_at("model"):
        model_resolve(project=project, name=config["model"])
    judge_prompt(project, of.by_calls.prompt, config)
    number: Any = config.get("baseline_run")
    if config.get("against") == "run" and not EvalRun.objects.filter(project=project, number=number).exists():
        text = f"There is no run with the number {number} in this project."
        raise InvalidConfig(text, fields={"config.baseline_run": [text]})


@dataclass(frozen=True, slots=True)
class JudgePrompt:
    """What a judge is told; `version` None: the kind's default, of which the project has no copy yet."""

    messages: list[dict[str, Any]]
    parameters: dict[str, Any]
    version: PromptVersion | None

    @property
    def includes(self) -> dict[str, Any]:
        """What the messages' includes stand for."""
        return self.version.includes if self.version else {}


def judge_prompt(project: Project, default: DefaultPrompt, config: dict[str, Any]) -> JudgePrompt:
    """The prompt that the settings name. Raises InvalidConfig."""
    slug, wanted = config["prompt"], config["prompt_version"]
    if slug == default.slug and not Prompt.objects.filter(project=project, slug=slug).exists():
        return JudgePrompt(_messages(default), _PARAMETERS, None)
    with _told_at("prompt"):
        prompt = prompt_get(project=project, slug=slug)
    with _told_at("prompt_version"):
        version = version_get(prompt=prompt, version=wanted)
    return JudgePrompt(version.messages, version.parameters, version)


#: No model: the evaluator names it. The most likely answer, and room for a reason.
_PARAMETERS = {"temperature": 0, "max_tokens": 1024}


def default_prompt_ensure(*, project: Project, by: Actor, default: DefaultPrompt) -> None:
    """Give the project the kind's default prompt, where it has none under that slug."""
    transaction_lock(f"judge prompts of {project.pk}")
    if Prompt.objects.filter(project=project, slug=default.slug).exists():
        return
    name, taken = default.name, Prompt.objects.filter(project=project, archived_at=None)
    if taken.filter(name__iexact=name).exists():
        name = f"{name} ({default.slug})"
    prompt = prompt_create(project=project, by=by, name=name, slug=default.slug, folder="judges")
    prompt_version_create(
        prompt=prompt,
        by=by,
        messages=_messages(default),
        parameters=_PARAMETERS,
        commit_message="What judges of this kind are told unless you change it.",
    )


def _messages(default: DefaultPrompt) -> list[dict[str, Any]]:
    return [{"role": "system", "content": default.system}, {"role": "user", "content": default.user}]


def secrets_of(of: EvaluatorKind, config: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The settings that are stored with a version, and apart from them those that are secret."""
    hidden = [name for name, schema in of.config_schema["properties"].items() if schema.get("writeOnly")]
    shown = {name: value for name, value in config.items() if name not in hidden}
    return shown, {name: str(config.get(name) or "") for name in hidden}


def secrets_store(*, evaluator: Evaluator, by: Actor, secrets: dict[str, str]) -> None:
    """Keep secrets that were typed; an empty one leaves what is stored. Raises InvalidConfig."""
    for name, secret in secrets.items():
        stored = EvaluatorSecret.objects.filter(evaluator=evaluator, name=name).first()
        if not secret and stored is not None:
            continue
        if len(secret) < LEAST_SECRET:
            text = f"Give a secret of {LEAST_SECRET} characters or more."
            raise InvalidConfig(text, fields={f"config.{name}": [text]})
        if stored is not None and decrypt(stored.token) == secret:
            continue
        EvaluatorSecret.objects.update_or_create(
            evaluator=evaluator, name=name, defaults={"token": encrypt(secret)}
        )
        audit(by, "evaluator.secret", evaluator, project=evaluator.project, after={name: "replaced"})


def secret_of(evaluator: Evaluator, name: str) -> str:
    """A stored secret; "" for none."""
    token = EvaluatorSecret.objects.filter(evaluator=evaluator, name=name).values_list("token", flat=True)
    found = token.first()
    return decrypt(found) if found else ""


class _told_at:
    """Turns what another room refused into a complaint about one setting."""

    def __init__(self, setting: str) -> None:
        self._setting = setting

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ProductError):
            field = f"config.{self._setting}"
            raise InvalidConfig(error.detail, fields={field: [error.detail]}) from error
