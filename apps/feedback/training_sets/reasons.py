"""Why a judgement became no row, in words."""

from __future__ import annotations

REASONS = {
    "disapproved": "Most raters say that the answer is bad: nothing to imitate",
    "conflict": "Raters disagree, as many on each side",
    "disagreement": "Raters disagree",
    "disputed": "Waits for an adjudicator",
    "contradiction": "The same answer to the same prompt is called good in one place and bad in another",
    "undecided": "In the middle of the scale, neither good nor bad",
    "tie": "A tie between the two answers",
    "both_bad": "Both answers are bad",
    "same_text": "The correction, or the other answer, is the same text",
    "duplicate": "The same row is there already",
    "near_duplicate": "Nearly the same row is there already",
    "overlap": "An evaluation dataset asks the same",
    "too_long": "Longer than the limit of tokens",
    "other_prompt": "The two answers were given to different prompts",
    "no_prompt": "There is no prompt",
    "not_asked": "The prompt does not end with a user's message",
    "no_answer": "There is no answer: the call failed or said nothing",
    "tools": "The conversation calls tools, which each chat template writes in its own way",
    "not_text": "The prompt holds more than text",
    "changed": "The judgement was changed or withdrawn meanwhile",
    "gone": "The answer is no longer kept",
}


def reason_in_words(reason: str) -> str:
    return REASONS.get(reason, reason)
