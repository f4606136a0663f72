"""What the page begins from when its address asks for a version or for what a call was made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from apps.core.errors import NotFound
from apps.datasets.selectors import dataset_get, latest_version
from apps.prompts import selectors
from apps.prompts.content import VersionContent
from apps.prompts.models import Prompt, PromptVersion
from apps.prompts.typed import typed_of
from apps.traces.selectors import span_get
from apps.workbench.calls.selectors import call_get
from apps.workbench.drafts.documents import Document
from apps.workbench.models import Call

_CONTENT = ("messages", "parameters", "tools", "response_schema")
_MOST_COLUMNS = 4
_ROWS_OFFERED = 20


def opened(
    *, document: Document, prompt: Prompt, query: Mapping[str, str], latest: PromptVersion | None
) -> str:
    """Put what `query` asks for (?version=, ?call= or ?span=) into the document; what was done, or "".

    A draft in which something was changed stays, and what was asked for stands in a column beside it.
    """
    if query.get("version"):
        version = selectors.version_get(prompt=prompt, version=query["version"])
        return _put(document, prompt, _version_column(version, latest), f"Version {version.number}")
    if query.get("call"):
        call = _call(prompt, query["call"])
        base = call.prompt_version.number if call.prompt_version else latest and latest.number
        words = _put(document, prompt, {"base": base, "typed": _typed(call)}, "The call from the history")
        document["values"] = document["values"] | {name: _text(value) for name, value in call.inputs.items()}
        return words
    return _span_opened(document, prompt, query["span"], latest) if query.get("span") else ""


def _version_column(version: PromptVersion, latest: PromptVersion | None) -> dict[str, Any]:
    column = {"base": version.number, "typed": typed_of(version)}
    if latest is not None and version.number != latest.number:
        column["parent"] = latest.number
    return column


def _span_opened(document: Document, prompt: Prompt, id: str, latest: PromptVersion | None) -> str:
    """The version that the span ran, else the newest, with the span's inputs as values."""
    try:
        span = span_get(project=prompt.project, id=UUID(id))
    except ValueError as error:
        raise NotFound("There is no such span.") from error
    if span.prompt_id != prompt.pk:
        raise NotFound(f"The span is not one of “{prompt.name}”.")
    version = span.prompt_version or latest
    if version is None:
        return ""
    words = _put(document, prompt, _version_column(version, latest), f"Version {version.number}")
    inputs = span.inputs if isinstance(span.inputs, dict) else {}
    document["values"] = document["values"] | {name: _text(value) for name, value in inputs.items()}
    return f"{words} The values are those of the span."


def rows_opened(*, document: Document, prompt: Prompt, query: Mapping[str, str]) -> str:
    """Make the dataset of ?rows= the one to try on, "Try on rows" open; what was done, "" for nothing."""
    if not query.get("rows"):
        return ""
    dataset = dataset_get(project=prompt.project, slug=query["rows"])
    version = latest_version(dataset)
    if version is None or not version.example_count:
        return f"{dataset.name} has no examples to try."
    kept = document.get("trial")
    evaluators = kept.get("evaluators", []) if isinstance(kept, dict) else []
    document["trial"] = {
        "dataset": dataset.slug,
        "limit": min(version.example_count, _ROWS_OFFERED),
        "q": "",
        "evaluators": evaluators,
        "open": True,
    }
    return f"{dataset.name} is ready to be tried on: mend the prompt, then press Try."


def _call(prompt: Prompt, text: str) -> Call:
    try:
        call = call_get(project=prompt.project, id=UUID(text))
    except ValueError as error:
        raise NotFound("There is no such call.") from error
    if call.prompt_id != prompt.pk:
        raise NotFound(f"“{prompt.name}” has no such call.")
    return call


def _typed(call: Call) -> dict[str, Any]:
    return typed_of(VersionContent(**{name: call.content[name] for name in _CONTENT if name in call.content}))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _put(document: Document, prompt: Prompt, column: dict[str, Any], name: str) -> str:
    columns = document["columns"]
    if not _is_changed(prompt, columns[0]):
        columns[0] = {"id": columns[0]["id"], **column}
        document["selected"] = columns[0]["id"]
        return f"{name} is in the editor."
    same = next((one for one in columns if one["typed"] == column["typed"]), None)
    if same is None and len(columns) >= _MOST_COLUMNS:
        return f"{name} is not shown: remove one of the {_MOST_COLUMNS} columns first, then open it again."
    if same is None:
        taken = {one["id"] for one in columns}
        same = {"id": next(id for id in "abcdefgh" if id not in taken), **column}
        columns.append(same)
    document["selected"] = same["id"]
    return f"{name} is in a column of its own: your draft holds changes that are not saved."


def _is_changed(prompt: Prompt, column: dict[str, Any]) -> bool:
    base = prompt.versions.filter(number=column["base"]).first() if column["base"] is not None else None
    if base is not None:
        return bool(column["typed"] != typed_of(base))
    return any(message.get("content") for message in column["typed"]["messages"])
