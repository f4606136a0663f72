"""From names, as a form or a program gives them, to a RunRequest."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from apps.core.errors import InvalidInput, NotFound
from apps.core.models import Project
from apps.datasets.selectors import dataset_get
from apps.datasets.selectors import version_get as dataset_version_get
from apps.evaluations.models import EvaluatorVersion
from apps.evaluations.run_plan import ExampleChoice
from apps.evaluations.run_services import RunRequest
from apps.prompts.selectors import prompt_get
from apps.prompts.selectors import version_get as prompt_version_get


def run_request(
    *,
    project: Project,
    dataset: str,
    name: str = "",
    dataset_version: int | None = None,
    prompt: str = "",
    prompt_version: int | None = None,
    model: str = "",
    evaluators: Sequence[str] = (),
    repetitions: int = 1,
    max_concurrency: int | None = None,
    budget_usd: Decimal | None = None,
    budget_tokens: int | None = None,
    use_cache: bool = False,
    limit: int | None = None,
    split: str = "",
    filter: dict[str, Any] | None = None,  # the name the REST contract gives it
    seed: int | None = None,
    recorded: bool = False,
    output_column: str = "",
    primary_metric: str = "",
) -> RunRequest:
    """Look everything up in the project. A name that is not there is InvalidInput at its field."""
    chosen_dataset = _at("dataset", lambda: dataset_get(project=project, slug=dataset))
    version = _at(
        "dataset_version" if dataset_version else "dataset",
        lambda: dataset_version_get(dataset=chosen_dataset, number=dataset_version),
    )
    chosen_prompt = None
    if prompt:
        found = _at("prompt", lambda: prompt_get(project=project, slug=prompt))
        chosen_prompt = _at(
            "prompt_version" if prompt_version else "prompt",
            lambda: prompt_version_get(
                prompt=found, **({"version": prompt_version} if prompt_version else {})
            ),
        )
    return RunRequest(
        name=name,
        dataset_version=version,
        prompt_version=chosen_prompt,
        evaluators=evaluator_versions(project=project, slugs=evaluators),
        model=model,
        choice=ExampleChoice(limit=limit, split=split, filter=filter or {}),
        repetitions=repetitions,
        max_concurrency=max_concurrency,
        seed=seed,
        budget_usd=budget_usd,
        budget_tokens=budget_tokens,
        use_cache=use_cache,
        recorded=recorded or bool(output_column),
        output_column=output_column,
        primary_metric=primary_metric,
    )


def evaluator_versions(*, project: Project, slugs: Sequence[str]) -> list[EvaluatorVersion]:
    """The newest version of each evaluator, in the order given. Raises InvalidInput naming the unknown."""
    newest = {
        version.evaluator.slug: version
        for version in EvaluatorVersion.objects.filter(
            evaluator__project=project, evaluator__slug__in=slugs, evaluator__archived_at=None
        )
        .select_related("evaluator")
        .order_by("number")
    }
    unknown = [slug for slug in slugs if slug not in newest]
    if unknown:
        text = f"There is no evaluator {', '.join(map(repr, unknown))} in this project."
        raise InvalidInput(text, fields={"evaluators": [text]})
    return [newest[slug] for slug in dict.fromkeys(slugs)]


def _at(field: str, look_up: Any) -> Any:
    try:
        return look_up()
    except NotFound as exc:
        raise InvalidInput(exc.detail, fields={field: [exc.detail]}) from exc
