"""The audit behind `make faults` finds what it is there to find."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.faults_audit import Audit, audit_items
from tests.benchmarks.paced_provider import answer_to
from tests.benchmarks.questions import question


def item(number: int, **fields: Any) -> dict[str, Any]:
    """A row as it should be, but for `fields`."""
    answer = answer_to(question(number))
    right = {
        "id": f"item-{number}",
        "example_id": f"example-{number}",
        "repetition": 1,
        "example_key": f"q{number}",
        "status": "completed",
        "question": question(number),
        "output": answer,
        "spans": [answer],
        "scores": [1.0],
    }
    return right | fields


def test_rows_as_they_should_be_are_clean() -> None:
    audit = audit_items(3, [item(number) for number in range(3)])
    assert audit == Audit(planned=3, stored=3)
    assert audit.clean


def test_a_row_without_result_span_or_score_is_lost() -> None:
    rows = [item(0), item(1, status="failed"), item(2, spans=None), item(3, scores=None)]
    audit = audit_items(5, rows)
    assert (audit.stored, audit.lost) == (1, 4)
    assert not audit.clean


def test_a_second_result_span_or_score_is_doubled() -> None:
    answer = answer_to(question(1))
    rows = [item(0), item(0, id="again"), item(1, spans=[answer, answer]), item(2, scores=[1.0, 1.0])]
    audit = audit_items(3, rows)
    assert audit.doubled == 3
    assert not audit.clean


def test_an_answer_to_another_question_is_wrong_also_where_only_its_span_is() -> None:
    other = answer_to(question(7))
    rows = [item(0, output=other), item(1, spans=[other]), item(2, scores=[0.0]), item(3, scores=[None])]
    audit = audit_items(4, rows)
    assert (audit.wrong, audit.lost) == (4, 0)
    assert not audit.clean
