"""What a run would take, before it starts: calls, tokens, US dollars, each with a range and what it rests on.

Input is measured on prompts rendered with a sample of the chosen examples. Output is what the newest run of
the same prompt version and model gave; else of the same model; else what `max_tokens` allows; else a guess.
Nothing is written and nothing is called.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import QuerySet

from apps.core.models import Project
from apps.datasets.models import Example
from apps.evaluations.engine.requests import parameters_of
from apps.evaluations.evaluators import Place, kind
from apps.evaluations.evaluators.base import Group
from apps.evaluations.models import EvaluatorVersion, RunProgress
from apps.evaluations.run_plan import chosen_examples
from apps.evaluations.run_services import RunRequest
from apps.prompts.models import PromptVersion
from apps.prompts.rendering import RenderError, render_messages
from apps.providers.models import Model
from apps.providers.prices import cost_usd

SAMPLE = 20
#: English text has about four characters a token; a message's frame takes a few more.
CHARACTERS_A_TOKEN = 4
TOKENS_A_MESSAGE = 4
GUESSED_OUTPUT = (32, 256, 1024)
#: What a judge is told beside the answer, and what it says, in tokens.
JUDGE_INPUT, JUDGE_OUTPUT = 400, 150


@dataclass(frozen=True, slots=True)
class Range:
    """From `low` to `high`, most likely `likely`."""

    low: int
    likely: int
    high: int

    def times(self, factor: int) -> Range:
        return Range(self.low * factor, self.likely * factor, self.high * factor)


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars."""

    low: Decimal
    likely: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class RunEstimate:
    """Of the whole run, repetitions included. A cost of None: a price is not known."""

    calls: int
    input_tokens: Range
    output_tokens: Range
    output_from: str
    cost: Cost | None
    judge_calls: int = 0
    judge_cost: Cost | None = None


def run_estimate(*, project: Project, request: RunRequest) -> RunEstimate | None:
    """The estimate of what `request` asks for; None for outputs made elsewhere.

    Raises NothingToRun.
    """
    prompt = request.prompt_version
    if request.recorded or prompt is None:
        return None
    name = request.model or prompt.model_name
    examples = chosen_examples(request.dataset_version, request.choice)
    return estimate(
        project=project,
        prompt=prompt,
        model_name=name,
        sample=sample_of(examples),
        calls=examples.count() * request.repetitions,
        evaluators=request.evaluators,
    )


def sample_of(examples: QuerySet[Example]) -> list[Example]:
    """Up to SAMPLE of the examples, spread as by chance, and always the same ones."""
    return list(Example.objects.filter(pk__in=examples.values("pk")).order_by("content_hash")[:SAMPLE])


def estimate(
    *,
    project: Project,
    prompt: PromptVersion,
    model_name: str,
    sample: Sequence[Example],
    calls: int,
    evaluators: Sequence[EvaluatorVersion] = (),
) -> RunEstimate:
    """As `run_estimate`, for a prompt, the name of a model, and a sample of the examples."""
    model = _known_model(project, model_name)
    inputs = _input_tokens(prompt, sample)
    outputs, basis = _output_tokens(project, prompt, model_name)
    judges = [version for version in evaluators if _is_judge(version)]
    return RunEstimate(
        calls=calls,
        input_tokens=inputs.times(calls),
        output_tokens=outputs.times(calls),
        output_from=basis,
        cost=_cost(model, inputs, outputs, calls),
        judge_calls=calls * len(judges),
        judge_cost=_judges_cost(project, judges, outputs, calls) if judges else None,
    )


def _input_tokens(prompt: PromptVersion, sample: Sequence[Example]) -> Range:
    """Of one call: the mean of the sample, 20% less and more for what a tokeniser makes of it."""
    lengths = []
    for example in sample:
        try:
            messages = render_messages(prompt.messages, example.inputs, includes=prompt.includes)
        except RenderError:
            continue
        characters = sum(len(str(message.get("content") or "")) for message in messages)
        lengths.append(characters / CHARACTERS_A_TOKEN + TOKENS_A_MESSAGE * len(messages))
    mean = statistics.fmean(lengths) if lengths else 0.0
    return Range(round(mean * 0.8), round(mean), round(mean * 1.2) if mean else 0)


def _output_tokens(project: Project, prompt: PromptVersion, model_name: str) -> tuple[Range, str]:
    """Of one call, and what it rests on."""
    most = parameters_of(prompt.parameters).max_tokens
    earlier = RunProgress.objects.filter(
        run__project=project, run__model_name=model_name, run__recorded=False, completed__gt=0
    ).order_by("-run_id")
    same_prompt = earlier.filter(run__prompt_version=prompt).select_related("run").first()
    if same_prompt is not None:
        text = f"as run #{same_prompt.run.number} of this prompt version and model gave"
        return _around(same_prompt, 0.8, 1.25, most), text
    same_model = earlier.select_related("run").first()
    if same_model is not None:
        text = f"as run #{same_model.run.number} of this model gave, with another prompt"
        return _around(same_model, 0.4, 2.5, most), text
    if most is not None:
        allowed = Range(max(1, most // 10), max(1, most // 2), most)
        return allowed, f"up to the {most:,} a call that max_tokens allows"
    return Range(*GUESSED_OUTPUT), "a guess, as this model has not run yet and max_tokens is not set"


def _around(progress: RunProgress, low: float, high: float, most: int | None) -> Range:
    answers = max(1, progress.completed + progress.answered)
    mean = progress.output_tokens / answers
    top = round(mean * high)
    return Range(round(mean * low), round(mean), min(top, most) if most else top)


def _known_model(project: Project, name: str) -> Model | None:
    slug, _, model = name.partition("/")
    found = Model.objects.filter(provider__project=project, provider__slug=slug, name=model)
    return found.select_related("provider").first()


def _cost(model: Model | None, inputs: Range, outputs: Range, calls: int) -> Cost | None:
    if model is None:
        return None
    each = [
        cost_usd(
            model.name,
            kind=model.provider.kind,
            base_url=model.provider.base_url,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            override=model.price_override,
        )
        for input_tokens, output_tokens in (
            (inputs.low, outputs.low),
            (inputs.likely, outputs.likely),
            (inputs.high, outputs.high),
        )
    ]
    known = [cost * calls for cost in each if cost is not None]
    return Cost(*known) if len(known) == len(each) else None


def _is_judge(version: EvaluatorVersion) -> bool:
    judge = kind(version.evaluator.kind)
    return judge.place is Place.CALLS and judge.group is Group.MODEL_GRADED


def _judges_cost(
    project: Project, judges: Sequence[EvaluatorVersion], outputs: Range, calls: int
) -> Cost | None:
    """A judge reads the answer and its instructions, and says a short reason; None: a price is unknown."""
    inputs = Range(
        JUDGE_INPUT // 2 + outputs.low, JUDGE_INPUT + outputs.likely, JUDGE_INPUT * 3 + outputs.high
    )
    said = Range(JUDGE_OUTPUT // 5, JUDGE_OUTPUT, JUDGE_OUTPUT * 3)
    costs = [
        _cost(_known_model(project, str(version.config.get("model", ""))), inputs, said, calls)
        for version in judges
    ]
    known = [cost for cost in costs if cost is not None]
    if len(known) < len(costs):
        return None
    zero = Decimal(0)
    return Cost(
        sum((cost.low for cost in known), zero),
        sum((cost.likely for cost in known), zero),
        sum((cost.high for cost in known), zero),
    )
