"""Whether a version holds what a project asks of it, by a comparison's own figures.

Plain Python, and nothing is computed anew. There are three answers, because figures of few rows often allow
both: a condition is failed only when the figures exclude that it holds, and where they allow both the version
is undecided, not passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from apps.training.measuring.findings import Finding, Policy, Stored
from apps.training.measuring.on_slices import SliceColumn, condition_on_slices, on_slices
from apps.training.measuring.on_the_whole import condition_on_the_whole, on_the_whole

Verdict = Literal["passed", "failed", "undecided", "no_policy"]


@dataclass(frozen=True, slots=True)
class Judged:
    verdict: Verdict
    findings: tuple[Finding, ...] = ()

    def kept(self, policy: Policy | None) -> dict[str, Any]:
        """As JSON, with the policy as it was."""
        findings = [asdict(finding) for finding in self.findings]
        return {"policy": asdict(policy) if policy else None, "findings": findings}


def judge(
    policy: Policy | None,
    metric: Stored | None,
    slices: Sequence[SliceColumn] = (),
    *,
    span: float | None = 1.0,
) -> Judged:
    """`metric` is the primary one of a comparison's figures, `slices` the same metric by column, `span` the
    length of its scale (None: it has no ends).

    Failed when one condition is, else undecided when one is, or when there was nothing to hold any condition
    against, else passed.
    """
    if policy is None or policy.asks_nothing:
        return Judged("no_policy")
    found = (on_the_whole(policy.must_beat, metric), on_slices(policy, metric, slices, span))
    findings = tuple(finding for finding in found if finding is not None)
    answers = {finding.answer for finding in findings}
    verdict: Verdict = "passed"
    if "failed" in answers:
        verdict = "failed"
    elif "undecided" in answers or answers == {"skipped"}:
        verdict = "undecided"
    return Judged(verdict, findings)


def policy_words(policy: Policy) -> list[str]:
    """Its conditions, each in a sentence; [] where it asks nothing."""
    said = [condition_on_the_whole(policy.must_beat), condition_on_slices(policy)]
    return [text for text in said if text]
