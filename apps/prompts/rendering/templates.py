"""Compiling and running one text; Jinja's failures are turned into `RenderError`s here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import TracebackType
from typing import Any

from jinja2 import Template, meta, nodes
from jinja2.exceptions import (
    SecurityError,
    TemplateSyntaxError,
)

from .budget import Budget
from .codegen import check_include, refuse_jumps
from .environment import PromptContext, PromptEnvironment
from .errors import (
    RenderError,
    SizeLimitExceeded,
    TemplateFailed,
    TemplateRefused,
    TemplateSyntax,
)
from .positions import Place, columns_of
from .references import IncludeTag
from .scope import MAX_INCLUDE_DEPTH, IncludeReplacer, Needs, Scope
from .syntax_words import plain_words

MAX_TEMPLATE_CHARS = 400_000
MAX_TEMPLATE_TAGS = 5_000
LARGE_TEMPLATE_CHARS = 20_000
_TAG = re.compile(r"\{[{%]")
_ENVIRONMENT = PromptEnvironment()


@dataclass(frozen=True, slots=True)
class CompiledText:
    """A text ready to render. `template` is None for a text without any tags, which is put out as it is.

    `needs` are those of the text itself, without what it includes (`needs_of` tells both).
    """

    source: str
    template: Template | None
    needs: Needs = field(default_factory=Needs)
    includes: tuple[IncludeTag, ...] = ()
    #: Filters and tests that there are not, where Jinja notices only when it comes to them (inside an “if”).
    unknown: tuple[TemplateSyntaxError, ...] = ()

    def render(self, inputs: dict[str, Any], budget: Budget, scope: Scope) -> str:
        """The text with `inputs` filled in. Raises RenderError with the line, without the message's index."""
        if self.template is None:
            budget.spend(len(self.source))
            return self.source
        names = needs_of(self, scope).variables
        context = self.template.new_context({k: v for k, v in inputs.items() if k in names})
        try:
            return _storable(_run(self.template, context, budget, scope))
        except Exception as error:
            raise _explained(error, self.template) from error


def _run(template: Template, context: Any, budget: Budget, scope: Scope) -> str:
    assert isinstance(context, PromptContext)
    context.budget, context.scope, context.include = budget, scope, _included
    return "".join(template.root_render_func(context))


def _included(around: PromptContext, reference: str, names_around: Mapping[str, Any]) -> str:
    """What an include puts out: the included text, which sees the names that are known around its tag."""
    entry, scope = around.scope.enter(reference)
    text = compiled(entry["text"])
    values = around.get_all()
    around.budget.spend(1 + len(text.source) + len(values))
    if text.template is None:
        return text.source
    try:
        context = text.template.new_context(values, True, names_around)
        return _run(text.template, context, around.budget, scope)
    except Exception as error:
        explained = _explained(error, text.template)
        raise explained.inside(entry["prompt"], entry["version"]) from error


def needs_of(text: CompiledText, scope: Scope, known: dict[str, Needs] | None = None) -> Needs:
    """What `text` and all that it includes ask of the inputs; what `scope` does not know asks for nothing."""
    if not text.includes or scope.depth > MAX_INCLUDE_DEPTH:
        return text.needs
    known = {} if known is None else known
    asked: list[tuple[str, Needs]] = []
    for reference in sorted({tag.reference for tag in text.includes}):
        found = scope.find(reference)
        if found is None:
            continue
        key = f"{found[0]['prompt']}@{found[0]['version']}"
        if key not in known:
            known[key] = needs_of(compiled(found[0]["text"]), found[1], known)
        asked.append((reference, known[key]))
    return _needs_with(text.source, tuple(asked))


@lru_cache(maxsize=128)
def _needs_with(source: str, asked: tuple[tuple[str, Needs], ...]) -> Needs:
    tree = IncludeReplacer(dict(asked)).visit(_ENVIRONMENT.parse(source))
    optional = optional_names(tree.find_all(nodes.Node))
    variables = frozenset(meta.find_undeclared_variables(tree))
    return Needs(variables, optional & variables)


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
        return CompiledText(source, None)
    if sum(1 for _ in _TAG.finditer(source)) > MAX_TEMPLATE_TAGS:
        raise SizeLimitExceeded(f"a message has at most {MAX_TEMPLATE_TAGS:,} tags")
    try:
        tree = _ENVIRONMENT.parse(source)
        every = list(tree.find_all(nodes.Node))
        includes = tuple(_include_tag(node) for node in every if isinstance(node, nodes.Include))
        if any(isinstance(node, nodes.Break | nodes.Continue) for node in every):
            refuse_jumps(tree, in_loop=False)
        optional, unknown = optional_names(every), tuple(unknown_names(every))
        template, variables = _ENVIRONMENT.compiled(tree)
        return CompiledText(source, template, Needs(variables, optional & variables), includes, unknown)
    except TemplateSyntaxError as error:
        raise syntax_error(error) from error
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


def parsed(source: str) -> nodes.Template:
    """The text's tree. Raises TemplateSyntaxError, and RecursionError for nesting that is too deep."""
    return _ENVIRONMENT.parse(source)


def unknown_names(every: Iterable[nodes.Node]) -> list[TemplateSyntaxError]:
    """Each of these nodes that uses a filter or a test that there is not."""
    known = {nodes.Filter: _ENVIRONMENT.filters, nodes.Test: _ENVIRONMENT.tests}
    return [
        TemplateSyntaxError(f"No {type(node).__name__.lower()} named {node.name!r}.", node.lineno)
        for node in every
        if isinstance(node, nodes.Filter | nodes.Test) and node.name not in known[type(node)]
    ]


def tokens_of(source: str) -> Iterator[tuple[Place, str, str]]:
    """Place, kind and text of each token, as far as the text can be read."""
    try:
        for place, kind, value in _ENVIRONMENT.lexer.tokeniter(source, None):
            assert isinstance(place, Place)
            yield place, kind, value
    except TemplateSyntaxError:
        return


def filter_names() -> Iterable[str]:
    return _ENVIRONMENT.filters


def test_names() -> Iterable[str]:
    return _ENVIRONMENT.tests


def tag_names() -> Iterable[str]:
    """Tags beyond Jinja's own."""
    return {tag for extension in _ENVIRONMENT.iter_extensions() for tag in extension.tags}


def syntax_error(error: TemplateSyntaxError) -> TemplateSyntax:
    """Jinja's error as ours, with its place."""
    words = plain_words(error, filters=_ENVIRONMENT.filters, tests=_ENVIRONMENT.tests)
    column, end_column = columns_of(error.lineno)
    return TemplateSyntax(words, line=int(error.lineno), column=column, end_column=end_column)


def _include_tag(node: nodes.Include) -> IncludeTag:
    reference, place = check_include(node), node.template.lineno
    return IncludeTag(reference, place if isinstance(place, Place) else Place(place, 1, 1))


_compiled_small = lru_cache(maxsize=512)(_compile)
#: Compiled code takes many times its text's memory, so that few large ones are kept.
_compiled_large = lru_cache(maxsize=16)(_compile)


def optional_names(every: Iterable[nodes.Node]) -> frozenset[str]:
    """Names that a template of these nodes only asks for with a way out: `x is defined`, `x|default(…)`."""
    every = list(every)
    guarded: set[int] = set()
    names_tested: set[str] = set()
    for node in every:
        if not isinstance(node, nodes.Filter | nodes.Test):
            continue
        way_out = node.name in ("default", "d", "defined", "undefined")
        if way_out and isinstance(node.node, nodes.Name):
            guarded.add(id(node.node))
            if node.name in ("defined", "undefined"):
                names_tested.add(node.node.name)
    loaded = [node for node in every if isinstance(node, nodes.Name) and node.ctx == "load"]
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
