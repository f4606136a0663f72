"""The sandbox prompts are rendered in: plain data, a short list of what it can do, and a budget."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from io import StringIO
from typing import Any

from jinja2 import StrictUndefined, Template, Undefined, nodes
from jinja2.exceptions import SecurityError
from jinja2.filters import _GroupTuple
from jinja2.runtime import Context, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment, safe_range
from jinja2.utils import Namespace, missing, pass_context

from . import operators
from .budget import Budget, measure, text_of
from .codegen import BoundedCodeGenerator
from .errors import TemplateFailed, UndefinedVariable
from .filters import prompt_filters
from .positions import PlacingLexer, PlacingParser
from .scope import Scope

_TEXT = (
    "capitalize casefold center count endswith expandtabs find index isalnum isalpha isascii isdecimal "
    "isdigit islower isnumeric isspace istitle isupper join ljust lower lstrip partition removeprefix "
    "removesuffix replace rfind rindex rjust rpartition rsplit rstrip split splitlines startswith strip "
    "swapcase title upper zfill"
)
_LOOP = "cycle changed depth depth0 first index index0 last length nextitem previtem revindex revindex0"
#: What a template may read from each kind of value; nothing else can be reached by any route.
ATTRIBUTES: dict[type, frozenset[str]] = {
    str: frozenset(_TEXT.split()),
    list: frozenset({"count", "index"}),
    tuple: frozenset({"count", "index"}),
    dict: frozenset({"get", "items", "keys", "values"}),
    float: frozenset({"is_integer"}),
    LoopContext: frozenset(_LOOP.split()),
    _GroupTuple: frozenset({"grouper", "list"}),
}
_DATA = (str, list, tuple, dict, int, float)
_WIDENING = frozenset({"center", "ljust", "rjust", "zfill"})


class NamedUndefined(StrictUndefined):
    """A strict undefined: any use of it raises UndefinedVariable, which says what is missing."""

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = missing,
        name: Any = None,
        exc: Any = None,
    ) -> None:
        super().__init__(hint, obj, name, self._error)  # type: ignore[arg-type]  # called to make the error

    def _error(self, _message: str | None) -> UndefinedVariable:
        name = str(self._undefined_name)
        if self._undefined_hint:
            return UndefinedVariable(self._undefined_hint, variable=name)
        if self._undefined_obj is missing:
            return UndefinedVariable(f"the variable “{name}” has no value", variable=name)
        kind = "object" if isinstance(self._undefined_obj, dict) else type(self._undefined_obj).__name__
        return UndefinedVariable(f"there is no “{name}” in this {kind}", variable=name)


class PromptNamespace(Namespace):
    """`namespace()`, holding plain values only, so that it cannot be nested without bound."""

    def __init__(self, **values: Any) -> None:
        for value in values.values():
            measure(value)
        super().__init__(**values)

    def __setitem__(self, name: str, value: Any) -> None:
        measure(value)
        super().__setitem__(name, value)


class PromptContext(Context):
    """A rendering's variables and its budget. Generated code calls the methods below."""

    budget: Budget
    scope: Scope
    #: Renders the text that a reference stands for, as `templates` does it.
    include: Callable[[PromptContext, str, Mapping[str, Any]], str]

    def included(self, reference: str, names_around: Mapping[str, Any]) -> str:
        return self.include(self, reference, names_around)

    def concatenated(self, parts: Iterable[Any]) -> str:
        text = "".join(map(text_of, parts))
        self.budget.spend(len(text))
        return text

    def sliceable(self, value: Any) -> Any:
        if isinstance(value, Undefined):
            str(value)
        if not isinstance(value, str | list | tuple):
            raise TemplateFailed(f"a {type(value).__name__} cannot be sliced; use the filter “list” first")
        return value


@pass_context
def _printed(context: PromptContext, value: Any) -> str:
    text = text_of(value)
    context.budget.spend(len(text))
    return text


class PromptEnvironment(ImmutableSandboxedEnvironment):
    """Compiles and runs prompts. Everything that is not listed here as allowed is refused."""

    intercepted_binops = operators.INTERCEPTED
    code_generator_class = BoundedCodeGenerator
    context_class = PromptContext

    def __init__(self) -> None:
        super().__init__(
            undefined=NamedUndefined,
            finalize=_printed,
            optimized=False,  # constants are computed where a budget is at hand, not while compiling
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            extensions=["jinja2.ext.loopcontrols"],
        )
        self.globals = {"range": safe_range, "dict": dict, "namespace": PromptNamespace}
        self.filters = prompt_filters()

    @cached_property
    def lexer(self) -> PlacingLexer:
        return PlacingLexer(self)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        return PlacingParser(self, source, name, filename).parse()

    def compiled(self, tree: nodes.Template) -> tuple[Template, frozenset[str]]:
        """A tree, which is changed, as a template, with the names that it asks of the inputs.

        Raises TemplateSyntaxError, and what Python raises for code that is nested too deeply.
        """
        stream = StringIO()
        generator = BoundedCodeGenerator(self, None, None, stream=stream)
        generator.visit(tree)
        code = self._compile(stream.getvalue(), "<template>")
        return Template.from_code(self, code, self.make_globals(None)), frozenset(generator.asked)

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]  # what the inputs hold goes before the methods of a dict
        if isinstance(obj, Undefined):
            return str(obj)  # raises, and names the variable
        if type(obj) is PromptNamespace:
            values = obj._Namespace__attrs
            return values[attribute] if attribute in values else self.undefined(obj=obj, name=attribute)
        if attribute in ATTRIBUTES.get(type(obj), ()):
            return getattr(obj, attribute)
        if attribute.startswith("_") or hasattr(type(obj), attribute) or hasattr(obj, attribute):
            raise SecurityError(f"“{attribute}” of a {type(obj).__name__} cannot be used in a prompt")
        return self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Undefined):
            return str(obj)
        if isinstance(obj, dict):
            return obj[argument] if argument in obj else self.undefined(obj=obj, name=argument)
        if isinstance(argument, str):
            return self.getattr(obj, argument)
        if isinstance(obj, str | list | tuple | range):
            try:
                return obj[argument]
            except IndexError:
                return self.undefined(
                    f"position {argument} is beyond the end",
                    obj=obj,
                    name=str(argument),
                )
        raise TemplateFailed(f"a {type(obj).__name__} has no items to pick by []")

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        for side in (left, right):
            if isinstance(side, Undefined):
                str(side)
        return operators.apply(context.budget, operator, left, right)

    def call(__self, __context: Any, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        kwargs.pop("_loop_vars", None)
        kwargs.pop("_block_vars", None)
        budget: Budget = __context.budget
        budget.spend()
        if isinstance(__obj, Undefined):
            return str(__obj)
        if isinstance(__obj, Macro | LoopContext):
            return __obj(*args, **kwargs)  # their bodies pay for themselves
        _check_callable(__self, __obj)
        _check_method(budget, __obj, args, kwargs)
        result = __obj(*args, **kwargs)
        return result if type(result) in (range, PromptNamespace) else budget.account(result)


def _check_callable(environment: PromptEnvironment, function: Callable[..., Any]) -> None:
    if function in environment.globals.values():
        return
    owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
    is_method = inspect.ismethod(function) or inspect.isbuiltin(function)
    if not (is_method and name in ATTRIBUTES.get(type(owner), ())):
        raise SecurityError(f"a {type(function).__name__} cannot be called in a prompt")


def _check_method(
    budget: Budget,
    method: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> None:
    """Pay beforehand for the methods of text whose result can be far longer than the text."""
    owner = getattr(method, "__self__", None)
    if not isinstance(owner, str):
        return
    name = method.__name__
    if name in _WIDENING and args and isinstance(args[0], int):
        budget.spend(max(args[0], 0))
    elif name == "expandtabs":
        size = args[0] if args else kwargs.get("tabsize", 8)
        budget.spend(owner.count("\t") * max(size, 0) if isinstance(size, int) else 0)
    elif name == "replace" and len(args) >= 2 and all(isinstance(a, str) for a in args[:2]):
        found = owner.count(args[0]) if args[0] else len(owner) + 1
        budget.spend(found * len(args[1]))
    elif name == "join" and args:
        if not isinstance(args[0], list | tuple | str | dict):
            raise TemplateFailed("“join” takes a list; the filter “join” takes any sequence")
        budget.spend(len(owner) * len(args[0]) + measure(args[0])[0])
