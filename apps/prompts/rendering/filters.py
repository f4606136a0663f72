"""The filters a prompt may use: those of Jinja that are deterministic and whose cost can be told beforehand.

Left out on purpose: `attr` (a way around the sandbox), `random` (a prompt must render the same twice), and
those that make HTML (`safe`, `urlize`, `xmlattr`, `striptags`, `forceescape`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from jinja2 import Undefined, filters
from jinja2.runtime import Context
from jinja2.utils import _PassArg, pass_context

from .budget import Budget, measure, text_of
from .errors import SizeLimitExceeded, TemplateFailed
from .operators import check_format

MAX_WRAPPED_CHARS = 200_000
MAX_INDENT = 16
MAX_DIGITS = 30

Check = Callable[..., None]
TEXT_FILTERS = frozenset(
    [
        "capitalize",
        "center",
        "indent",
        "lower",
        "replace",
        "title",
        "trim",
        "truncate",
        "upper",
        "urlencode",
        "wordcount",
        "wordwrap",
    ]
)
PLAIN_FILTERS = [
    "abs",
    "batch",
    "capitalize",
    "center",
    "count",
    "d",
    "default",
    "dictsort",
    "filesizeformat",
    "first",
    "float",
    "groupby",
    "indent",
    "int",
    "items",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "slice",
    "sort",
    "sum",
    "title",
    "trim",
    "truncate",
    "unique",
    "upper",
    "urlencode",
    "wordcount",
    "wordwrap",
]


def _text(value: Any) -> str:
    return text_of(list(value) if isinstance(value, Iterator) else value)


def _check_center(budget: Budget, _value: Any, width: int = 80) -> None:
    budget.spend(max(width, 0))


def _check_indent(budget: Budget, value: Any, width: int | str = 4, *_: Any, **__: Any) -> None:
    size = len(width) if isinstance(width, str) else max(width, 0)
    budget.spend((len(_text(value).splitlines()) + 1) * size)


def _check_replace(budget: Budget, value: Any, old: Any, new: Any, count: int | None = None) -> None:
    text, target = _text(value), text_of(old)
    found = text.count(target) if target else len(text) + 1
    if count is not None and count >= 0:
        found = min(found, count)
    budget.spend(found * len(text_of(new)))


def _check_wordwrap(
    budget: Budget,
    value: Any,
    width: int = 79,
    break_long_words: bool = True,
    wrapstring: str | None = None,
    *_: Any,
    **__: Any,
) -> None:
    size = len(_text(value))
    if size > MAX_WRAPPED_CHARS:
        raise SizeLimitExceeded(f"“wordwrap” takes at most {MAX_WRAPPED_CHARS:,} characters")
    budget.spend(size * len(wrapstring or "\n"))


def _check_batch(budget: Budget, _value: Any, linecount: int, *_: Any, **__: Any) -> None:
    budget.spend(max(linecount, 0))


def _check_round(_budget: Budget, _value: Any, precision: int = 0, *_: Any, **__: Any) -> None:
    if abs(precision) > MAX_DIGITS:
        raise SizeLimitExceeded(f"“round” takes at most {MAX_DIGITS} digits")


def _check_sum(_budget: Budget, _value: Any, attribute: Any = None, start: Any = 0) -> None:
    if not isinstance(start, int | float):
        raise TemplateFailed("“sum” adds numbers; use “join” for texts, and + for lists")


CHECKS: dict[str, Check] = {
    "center": _check_center,
    "indent": _check_indent,
    "replace": _check_replace,
    "wordwrap": _check_wordwrap,
    "batch": _check_batch,
    "round": _check_round,
    "sum": _check_sum,
}


def _bounded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` as a filter that checks its cost first and pays for its result."""
    check = CHECKS.get(name)
    takes_text = name in TEXT_FILTERS
    passes = _PassArg.from_obj(function)

    @pass_context
    def run(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
        budget: Budget = context.budget  # type: ignore[attr-defined]
        budget.spend()
        if takes_text:
            value = _text(value)
        if check is not None:
            check(budget, value, *args, **kwargs)
        if passes is _PassArg.context:
            result = function(context, value, *args, **kwargs)
        elif passes is _PassArg.eval_context:
            result = function(context.eval_ctx, value, *args, **kwargs)
        elif passes is _PassArg.environment:
            result = function(context.environment, value, *args, **kwargs)
        else:
            result = function(value, *args, **kwargs)
        return budget.account(result)

    return run


@pass_context
def join(
    context: Context,
    value: Any,
    separator: str = "",
    attribute: str | int | None = None,
) -> str:
    """Texts of all items, one after another, with `separator` between them."""
    budget: Budget = context.budget  # type: ignore[attr-defined]
    if attribute is not None:
        read = filters.make_attrgetter(context.environment, attribute)
        value = (read(item) for item in value)
    glue = text_of(separator)
    texts = [text_of(item) for item in budget.account(iter(value))]
    budget.spend(sum(map(len, texts)) + len(glue) * len(texts))
    return glue.join(texts)


@pass_context
def string(context: Context, value: Any) -> str:
    """The value as text."""
    text = _text(value)
    context.budget.spend(len(text))  # type: ignore[attr-defined]
    return text


@pass_context
def format_text(context: Context, template: Any, *args: Any, **kwargs: Any) -> str:
    """`template % values`: positional values or named ones, not both."""
    if args and kwargs:
        raise TemplateFailed("“format” takes positional or named values, not both")
    text, values = text_of(template), kwargs or args
    check_format(context.budget, text, values)  # type: ignore[attr-defined]
    return text % values


@pass_context
def tojson(context: Context, value: Any, indent: int | None = None) -> str:
    """The value as JSON, in plain characters (for a model to read, so nothing is escaped for HTML)."""
    if isinstance(value, Iterator):
        value = list(value)
    size, depth = measure(value)
    if isinstance(value, Undefined):
        str(value)
    if indent is not None and not 0 <= indent <= MAX_INDENT:
        raise TemplateFailed(f"“tojson” indents by 0 to {MAX_INDENT} spaces")
    context.budget.spend(size * (4 + (indent or 0) * depth))  # type: ignore[attr-defined]
    return json.dumps(value, ensure_ascii=False, indent=indent)


def prompt_filters() -> dict[str, Callable[..., Any]]:
    """All filters of the prompt language by name."""
    bounded = {name: _bounded(name, filters.FILTERS[name]) for name in PLAIN_FILTERS}
    own: dict[str, Callable[..., Any]] = {
        "join": join,
        "string": string,
        "format": format_text,
        "tojson": tojson,
    }
    return bounded | own
