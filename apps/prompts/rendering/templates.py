"""Compiling and running one text; Jinja's failures are turned into `RenderError`s here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Any

from jinja2 import Template, meta, nodes
from jinja2.exceptions import (
    SecurityError,
    TemplateSyntaxError,
)

from .budget import Budget
from .environment import PromptContext, PromptEnvironment
from .errors import (
    RenderError,
    SizeLimitExceeded,
    TemplateFailed,
    TemplateRefused,
    TemplateSyntax,
)
from .syntax_words import plain_words

MAX_TEMPLATE_CHARS = 400_000
MAX_TEMPLATE_TAGS = 5_000
LARGE_TEMPLATE_CHARS = 20_000
_TAG = re.compile(r"\{[{%]")
_ENVIRONMENT = PromptEnvironment()


@dataclass(frozen=True, slots=True)
class CompiledText:
    """A text ready to render. `template` is None for a text without any tags, which is put out as it is."""

    source: str
    template: Template | None
    variables: frozenset[str]
    optional: frozenset[str]

    def render(self, inputs: dict[str, Any], budget: Budget) -> str:
        """The text with `inputs` filled in. Raises RenderError with the line, without the message's index."""
        if self.template is None:
            budget.spend(len(self.source))
            return self.source
        context = self.template.new_context({k: v for k, v in inputs.items() if k in self.variables})
        assert isinstance(context, PromptContext)
        context.budget = budget
        try:
            return _storable("".join(self.template.root_render_func(context)))
        except Exception as error:
            raise _explained(error, self.template) from error


def _storable(text: str) -> str:
    """`text`, unless a template's escapes (such as "\\ud800") put in what is no character."""
    if "\x00" in text:
        raise TemplateFailed("the result holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise TemplateFailed("the result holds half of a surrogate pair, which is no character") from error
    return text


def compiled(source: str) -> CompiledText:
    """`source` compiled, from a cache if it can be. Raises TemplateSyntax, SizeLimitExceeded."""
    return _compiled_large(source) if len(source) > LARGE_TEMPLATE_CHARS else _compiled_small(source)


def _compile(source: str) -> CompiledText:
    if len(source) > MAX_TEMPLATE_CHARS:
        raise SizeLimitExceeded(
            f"a message has at most {MAX_TEMPLATE_CHARS:,} characters; this has {len(source):,}"
        )
    if "{" not in source or not ("{{" in source or "{%" in source or "{#" in source):
        return CompiledText(source, None, frozenset(), frozenset())
    if sum(1 for _ in _TAG.finditer(source)) > MAX_TEMPLATE_TAGS:
        raise SizeLimitExceeded(f"a message has at most {MAX_TEMPLATE_TAGS:,} tags")
    try:
        tree = _ENVIRONMENT.parse(source)
        variables = frozenset(meta.find_undeclared_variables(tree))
        optional = optional_names(tree) & variables
        return CompiledText(source, _ENVIRONMENT.from_string(source), variables, optional)
    except TemplateSyntaxError as error:
        words = plain_words(error, filters=_ENVIRONMENT.filters, tests=_ENVIRONMENT.tests)
        raise TemplateSyntax(words, line=error.lineno) from error
    except (
        RecursionError,
        MemoryError,
        SyntaxError,
        ValueError,
        OverflowError,
    ) as error:
        if "outside loop" in str(error) or "not properly in loop" in str(error):
            words = "“{% break %}” and “{% continue %}” stand inside a “{% for %}” only"
            raise TemplateSyntax(words) from error
        raise TemplateSyntax("the template is nested too deeply, or cannot be compiled") from error


_compiled_small = lru_cache(maxsize=512)(_compile)
#: Compiled code takes many times its text's memory, so that few large ones are kept.
_compiled_large = lru_cache(maxsize=16)(_compile)


def optional_names(tree: nodes.Template) -> frozenset[str]:
    """Names that the template only asks for with a way out: `x is defined`, or `x|default(…)`."""
    guarded: set[int] = set()
    names_tested: set[str] = set()
    for node in tree.find_all((nodes.Filter, nodes.Test)):
        way_out = node.name in ("default", "d", "defined", "undefined")
        if way_out and isinstance(node.node, nodes.Name):
            guarded.add(id(node.node))
            if node.name in ("defined", "undefined"):
                names_tested.add(node.node.name)
    loaded = [node for node in tree.find_all(nodes.Name) if node.ctx == "load"]
    required = {n.name for n in loaded if id(n) not in guarded} - names_tested
    return frozenset({n.name for n in loaded} - required)


def _explained(error: Exception, template: Template) -> RenderError:
    """`error`, raised while `template` ran, as a RenderError with its line."""
    line = _line_of(error.__traceback__, template)
    if isinstance(error, RenderError):
        error.line = error.line or line
        return error
    if isinstance(error, SecurityError):
        return TemplateRefused(_sentence(str(error)), line=line)
    if isinstance(error, RecursionError):
        return TemplateFailed("a macro or loop calls itself too deeply", line=line)
    if isinstance(error, MemoryError):
        return SizeLimitExceeded("the template makes a value that does not fit into memory", line=line)
    if isinstance(error, OverflowError) and "Range too big" in str(error):
        return SizeLimitExceeded("a range has at most 100,000 numbers", line=line)
    # Whatever else an expression raises (TypeError, ZeroDivisionError, …) is a failure of the template.
    words = _sentence(str(error)) or type(error).__name__
    return TemplateFailed(f"an expression fails with these values ({words})", line=line)


def _line_of(traceback: TracebackType | None, template: Template) -> int | None:
    line = None
    while traceback is not None:
        if traceback.tb_frame.f_globals.get("__jinja_template__") is template:
            line = template.get_corresponding_lineno(traceback.tb_lineno)
        traceback = traceback.tb_next
    return line


def _sentence(text: str) -> str:
    return text[:500].rstrip(".")
