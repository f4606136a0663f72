"""Answers to the fixed prompts, those of a checkpoint beside the base's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from apps.training.models import FineTuningJob, SampleOutput
from apps.training.watching.selectors import samples_of

#: That can be chosen on the page, the last ones; REST has all.
MOST_STEPS = 200


@dataclass(frozen=True, slots=True)
class ShownSample:
    messages: list[dict[str, Any]]
    #: None: not answered yet.
    base: str | None
    tuned: str | None

    @property
    def same(self) -> bool:
        return self.base is not None and self.base == self.tuned


@dataclass(frozen=True, slots=True)
class ShownSamples:
    """`step` is the one shown beside the base's; None before there is any."""

    rows: list[ShownSample] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    step: int | None = None


def shown_samples(job: FineTuningJob, asked: str) -> ShownSamples:
    """Those of the step that is asked for, else of the last one. Two queries."""
    if not job.sample_prompts:
        return ShownSamples()
    answered = (
        SampleOutput.objects.filter(job=job, step__gt=0).order_by("-step").values_list("step", flat=True)
    )
    steps = list(answered.distinct()[:MOST_STEPS])[::-1]
    chosen = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else 0
    step = chosen if chosen in steps else steps[-1] if steps else None
    outputs = {
        (sample.step, sample.place): sample.output
        for sample in samples_of(job).filter(step__in=[0, step] if step else [0])
    }
    rows = [
        ShownSample(
            messages=messages,
            base=outputs.get((0, place)),
            tuned=outputs.get((step, place)) if step else None,
        )
        for place, messages in enumerate(job.sample_prompts)
    ]
    return ShownSamples(rows=rows, steps=steps, step=step)
