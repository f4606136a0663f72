"""JSON diff: which parts of a JSON output differ from the reference?"""

from __future__ import annotations

from typing import Any

from .base import (
    Config,
    EvaluatorKind,
    Group,
    InvalidEvaluatorConfig,
    MetricSpec,
    Outcome,
    Scored,
    Scorer,
    ScoringInput,
    Unscored,
    config_object,
    each,
)
from .json_comparing import JsonComparison
from .json_paths import InvalidPath, parse_path
from .json_reading import CODE_FENCE_SETTING, MAX_CHARACTERS, NotJson, read_json
from .settings import flag, lines, number

NESTED_TOO_DEEPLY = Unscored("Output or reference is nested too deeply to be compared.")


def reference_value(reference: Any) -> Any:
    """The JSON value that a reference stands for: itself, or what its text holds. Raises NotJson."""
    return read_json(reference, accept_code_block=True) if isinstance(reference, str) else reference


def _json_diff(config: Config) -> Scorer:
    try:
        ignored = [parse_path(path) for path in config["ignore_paths"]]
    except InvalidPath as error:
        raise InvalidEvaluatorConfig({"ignore_paths": [str(error)]}) from error
    comparison = JsonComparison(config["ignore_order"], ignored, config["tolerance"])

    def score(item: ScoringInput) -> Outcome:
        if len(item.output) > MAX_CHARACTERS:
            return Unscored(f"The output is longer than {MAX_CHARACTERS:,} characters and was not read.")
        try:
            wanted = reference_value(item.reference)
        except NotJson as error:
            return Unscored(f"The reference is not JSON. {error}")
        try:
            given = read_json(item.output, accept_code_block=config["code_block"])
        except NotJson as error:
            return Scored({"share": 0.0, "equal": 0.0}, f"The output is not JSON. {error}")
        try:
            found = comparison.differences(given, wanted)
        except RecursionError:
            return NESTED_TOO_DEEPLY
        return Scored({"share": found.share, "equal": float(found.equal == found.leaves)}, found.told())

    return each(score)


JSON_DIFF = EvaluatorKind(
    name="json_diff",
    title="JSON diff",
    description="Equal leaves of a JSON output as a share of all leaves of output and reference (0 to 1), "
    "and "
    "whether all are equal. What differs, is missing or is extra is named by its path. An output that is not "
    "JSON scores 0.",
    config_schema=config_object(
        {
            "ignore_order": flag(
                "Order of lists does not matter", "Entries are matched to those most like them.", False
            ),
            "ignore_paths": lines(
                "Paths to leave out",
                "One a line, such as $.created_at or $.items[*].id; what lies below them is left out too.",
            ),
            "tolerance": number(
                "Tolerance", "How far numbers may be apart and still be equal.", low=0, high=1e12, default=0
            ),
            "code_block": CODE_FENCE_SETTING | {"default": True},
        }
    ),
    metrics=(
        MetricSpec("share", "Equal leaves", "higher", "continuous", 0.0, 1.0),
        MetricSpec("equal", "All equal", "higher", "binary", 0.0, 1.0),
    ),
    make_scorer=_json_diff,
    needs_reference=True,
    group=Group.STRUCTURE,
)
