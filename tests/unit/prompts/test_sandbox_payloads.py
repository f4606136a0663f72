"""Published ways out of template sandboxes: in a message, in an included prompt, and in the inputs.

From PayloadsAllTheThings, HackTricks, Jinja2's own advisories (CVE-2016-10745, CVE-2019-10906,
CVE-2024-56201, CVE-2024-56326, CVE-2025-27516), and of our own. A payload is refused or put out as text; none
reaches Python.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from apps.prompts.rendering import (
    RenderError,
    RenderLimits,
    check_templates,
    diagnose,
    render_messages,
    variables_of,
)

LIMITS = RenderLimits(seconds=0.5)
INPUTS: dict[str, Any] = {
    "x": "text",
    "xs": ["a", "b"],
    "d": {"a": 1, "__class__": "mine", "__init__": {"__globals__": "mine too"}},
    "name": "__class__",
    "template": "{0.__class__.__mro__}",
    "width": 10**9,
}
#: What no output may hold: the marks of Python's objects.
MARKS = ("<class", "<function", "<built-in", "<module", "<bound", " object at 0x", "uid=", "root:", "<slot")
FORBIDDEN = {
    "os.system",
    "subprocess.Popen",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "open",
    "socket.connect",
}

ATTRIBUTES = [
    "{{ ''.__class__.__mro__[2].__subclasses__() }}",
    "{{ ''.__class__.__base__.__subclasses__()[59].__init__.__globals__['__builtins__'] }}",
    "{{ [].__class__.__base__.__subclasses__() }}",
    "{{ {}.__class__.__bases__[0] }}",
    "{{ ().__class__.__bases__[0].__subclasses__() }}",
    "{{ (1).__class__ }}",
    "{{ 1.0.__class__ }}",
    "{{ true.__class__ }}",
    "{{ none.__class__.__base__ }}",
    "{{ x.__doc__ }}",
    "{{ x.__len__() }}",
    "{{ x.__add__('y') }}",
    "{{ x.upper.__self__ }}",
    "{{ x.upper.__class__.__call__ }}",
    "{{ xs.__iter__() }}",
    "{{ xs.__getitem__(0).__class__ }}",
    "{{ d.items().__class__ }}",
    "{{ d.get.__self__ }}",
    "{{ d.keys().mapping }}",
    "{{ range(3).__class__ }}",
    "{{ range(3).__reduce__() }}",
    "{{ namespace.__mro__ }}",
    "{{ namespace(a=1).__init__ }}",
    "{{ namespace(a=1)._Namespace__attrs.__class__ }}",
    "{% set ns = namespace() %}{% set ns.__class__ = 'q' %}{{ ns.__class__.__mro__ }}",
    "{% set ns = namespace(f=x.upper) %}{{ ns.f.__self__ }}",
    "{{ dict.__init__.__objclass__ }}",
    "{{ dict(a=1).__class__.__mro__ }}",
    "{{ dict.__getattribute__ }}",
]
BUILT_NAMES = [
    "{{ ''['__cla' + 'ss__'] }}",
    "{{ ''['__cla' ~ 'ss__'] }}",
    "{{ ''['\\x5f\\x5fclass\\x5f\\x5f'] }}",
    "{{ ''['\\u005f\\u005fclass\\u005f\\u005f'] }}",
    "{{ ''['\\137\\137class\\137\\137'] }}",
    "{{ ''['__ssalc__'[::-1]] }}",
    "{{ ''['%s%s' % ('__', 'class__')] }}",
    "{{ ''['__class__'|lower] }}",
    "{{ ''['__CLASS__'.lower()] }}",
    "{{ ''[name] }}",
    "{{ ''[['__', 'class', '__']|join] }}",
    "{{ ''[dict(__class__=1)|first] }}",
    "{{ ''[dict(__clas=1, s__=1)|join] }}",
    "{{ ''[('_'*2) ~ 'class' ~ ('_'*2)] }}",
    "{% set u = '__' %}{{ ''[u ~ 'class' ~ u] }}",
    "{% set a %}__class__{% endset %}{{ ''[a] }}",
    "{% for k in d %}{{ ''[k] }}{% endfor %}",
    "{{ ''.\uff3f\uff3fclass\uff3f\uff3f }}",
    "{{ x|attr('__class__') }}",
    "{{ x|attr('\\x5f\\x5fclass\\x5f\\x5f')|attr('\\x5f\\x5fmro\\x5f\\x5f') }}",
    "{{ x|attr(['_'*2, 'class', '_'*2]|join) }}",
    "{{ x|attr('format')('{0.__class__}') }}",
    "{{ (x|attr(request.args.c)) }}",
    "{{ [x]|map(attribute='__class__.__mro__')|list }}",
    "{{ [x]|map(attribute=name)|list }}",
    "{{ [[x]]|map(attribute='0.__class__')|list }}",
    "{{ xs|groupby('__class__')|list }}",
    "{{ xs|sort(attribute='upper.__self__.__class__') }}",
    "{{ xs|selectattr('__class__', 'defined')|list }}",
    "{{ xs|rejectattr('__class__.__name__', 'equalto', 'x')|list }}",
    "{{ xs|unique(attribute='__class__')|list }}",
    "{{ xs|min(attribute='__class__') }}",
    "{{ xs|sum(attribute='__len__') }}",
    "{{ d|dictsort(by='__class__') }}",
]
FORMATS = [
    "{{ '{0.__class__}'.format(x) }}",
    "{{ '{0.__class__.__init__.__globals__}'.format(x) }}",
    "{{ '{a.__class__}'.format(a=x) }}",
    "{{ '{0[__class__]}'.format(d) }}",
    "{{ '{.__class__}'.format_map(d) }}",
    "{{ '{a.__class__}'.format_map({'a': x}) }}",
    "{{ template.format(x) }}",
    "{{ ('{0.__cl' ~ 'ass__}').format(x) }}",
    "{{ ['{0.__class__}'.format]|first }}",
    "{% set f = '{0.__class__}'.format %}{{ f(x) }}",
    "{{ [x]|map('{0.__class__}'.format)|list }}",
    "{{ xs|map(attribute='format')|list }}",
    "{{ ('%s' % x).format.__self__ }}",
    "{% macro m(f) %}{{ f(x) }}{% endmacro %}{{ m('{0.__class__}'.format) }}",
    "{{ '%(__class__)s' % x }}",
    "{{ '%*d' % (width, 1) }}",
    "{{ '%.*f' % (width, 1.0) }}",
    "{{ '%999999999s'|format(x) }}",
]
RUNTIME = [
    "{{ self._TemplateReference__context.cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ self._TemplateReference__context.joiner.__init__.__globals__.os }}",
    "{{ self._TemplateReference__context.namespace.__init__.__globals__.os }}",
    "{{ self.__class__ }}{{ self }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ cycler('a').__class__ }}",
    "{{ joiner(',').__init__.__globals__ }}",
    "{{ lipsum.__globals__.os.popen('id').read() }}",
    "{{ lipsum['__globals__']['os']['popen']('id')['read']() }}",
    "{{ url_for.__globals__ }}{{ get_flashed_messages.__globals__ }}",
    "{{ config.items() }}",
    "{{ request.application.__globals__.__builtins__.__import__('os').popen('id').read() }}",
    "{{ request['application']['__globals__'] }}",
    "{{ g.pop.__globals__ }}{{ session.__class__ }}",
    "{{ settings.SECRET_KEY }}{{ environment.globals }}{{ context.vars }}",
    "{{ __import__('os').system('id') }}",
    "{{ __builtins__['__import__']('os') }}",
    "{{ open('/etc/passwd').read() }}",
    "{{ eval('1+1') }}{{ exec('1') }}{{ globals() }}{{ locals() }}{{ vars() }}",
    "{{ getattr(x, '__class__') }}{{ type(x) }}{{ object }}",
    "{{ l_0_x }}{{ resolve('x') }}{{ undefined(name='x') }}",
    "{% for i in xs %}{{ loop.__class__ }}{% endfor %}",
    "{% for i in xs %}{{ loop._iterator.__class__ }}{{ loop._undefined }}{% endfor %}",
    "{% for i in xs %}{{ loop['__init__']['__globals__'] }}{% endfor %}",
    "{% for i in xs %}{{ loop.cycle.__func__.__globals__ }}{% endfor %}",
    "{% for i in xs %}{{ [loop]|map(attribute='__class__')|list }}{% endfor %}",
    "{% for i in xs %}{% set ns = namespace(l=loop) %}{% endfor %}",
    "{% macro m() %}{% endmacro %}{{ m.__init__.__globals__ }}",
    "{% macro m() %}{{ caller.__class__ }}{% endmacro %}{% call m() %}x{% endcall %}",
    "{% macro m() %}{{ caller._func.__globals__ }}{% endmacro %}{% call m() %}x{% endcall %}",
    "{% macro m() %}{{ varargs.__class__ }}{{ kwargs.__class__ }}{% endmacro %}{{ m(1, a=2) }}",
    "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}{{ m() }}{% endcall %}",
    "{{ missing.__class__.__init__.__globals__ }}",
    "{{ missing._undefined_exception }}{{ missing._fail_with_undefined_error() }}",
    "{{ xs[9].__class__ }}",
    "{{ (xs|map('upper')).gi_frame.f_globals }}",
    "{{ (xs|select).gi_code }}{{ (xs|batch(1)).send(None) }}",
    "{{ xs|groupby('real')|first|attr('__class__') }}",
    "{% for g in [{'k': 1}]|groupby('k') %}{{ g.__class__ }}{{ g._fields }}{{ g._asdict() }}{% endfor %}",
    "{{ xs|map('attr', '__class__')|list }}",
    "{{ xs|map('string')|map('safe')|list }}{{ x|safe }}",
    "{{ (x|escape).__class__ }}{{ x|escape|attr('__html__') }}",
    "{{ x|pprint }}{{ x|random }}{{ x|urlize }}{{ d|xmlattr }}",
    "{{ xs.append('c') }}{{ xs.pop() }}{{ xs.clear() }}",
    "{{ d.update(a=2) }}{{ d.popitem() }}{{ d.__setitem__('a', 2) }}",
    "{{ xs|map('map', 'upper')|list|first|attr('__self__') }}",
]
OTHER_TEMPLATES = [
    "{% include '/etc/passwd' %}",
    "{% include '../../secrets' %}",
    "{% include 'file:///etc/passwd' %}",
    "{% include x %}",
    "{% include 'a' ~ 'b' %}",
    "{% include ['a', 'b'] %}",
    "{% include ('a', 'b') %}",
    "{% include 'a' if x else 'b' %}",
    "{% include '%s' % x %}",
    "{% include x|upper %}",
    "{% include name.__class__ %}",
    "{% include 'a' ignore missing %}",
    "{% include 'a' without context %}",
    "{% include 'a\\x00b' %}",
    "{% include 'a}}{{ 7*7' %}",
    "{% include \"a'); import os; ('\" %}",
    "{% include 'unknown' %}",
    "{% import 'os' as os %}{{ os.popen('id') }}",
    "{% from 'os' import popen %}{{ popen('id') }}",
    "{% extends 'base' %}{% block b %}{{ super() }}{% endblock %}",
    "{% block b scoped %}{{ self.b() }}{% endblock %}",
    "{% autoescape true %}{{ x }}{% endautoescape %}",
    "{% do xs.append(1) %}",
    "{% debug %}",
    "{% trans %}{{ x }}{% endtrans %}",
    "{% filter attr('__class__') %}x{% endfilter %}",
    "{% filter upper|attr('__class__') %}x{% endfilter %}",
    "{% set x.__class__ = 1 %}",
    "{% set d.a = 1 %}",
    "{% with a = ''.__class__ %}{{ a }}{% endwith %}",
    "{% print ''.__class__ %}",
    "{% if ''.__class__ %}{% endif %}",
    "{% for c in ''.__class__.__mro__ %}{% endfor %}",
    "{% call(x) lipsum.__globals__() %}{% endcall %}",
    "{% set a, b = ''.__class__, 1 %}{{ a }}",
    "${7*7}#{7*7}<%= 7*7 %>{{= 7*7 }}",
    "# for x in ''.__class__.__mro__\n{{ x.__class__ }}",
]
PAYLOADS = [*ATTRIBUTES, *BUILT_NAMES, *FORMATS, *RUNTIME, *OTHER_TEMPLATES]
NUMBERED = [pytest.param(payload, id=str(number)) for number, payload in enumerate(PAYLOADS)]

_watching = False
_seen: list[str] = []


def _hook(event: str, _args: tuple[Any, ...]) -> None:
    if _watching and event in FORBIDDEN:
        _seen.append(f"{event} {_args}")


sys.addaudithook(_hook)
diagnose("{{ é }}{% if %}")  # Jinja reads modules of its own when it first meets such a name, and an error


@pytest.fixture
def untouched() -> Iterator[None]:
    """What the interpreter does meanwhile is watched: no file, no process, no connection."""
    global _watching
    _seen.clear()
    _watching = True
    try:
        yield
    finally:
        _watching = False
    assert _seen == []


def outcome(template: str, includes: dict[str, Any] | None = None, **inputs: Any) -> str | None:
    """What is put out, or None where it is refused."""
    messages = [{"role": "user", "content": template}]
    values = INPUTS | inputs
    before = repr(values)
    try:
        text = str(render_messages(messages, values, includes=includes, limits=LIMITS)[0]["content"])
    except RenderError as error:
        return _refused(str(error))
    finally:
        assert repr(values) == before  # inputs are read only
    return text


def _refused(words: str) -> None:
    assert not any(mark in words for mark in MARKS), words


def test_there_are_many_payloads() -> None:
    assert len(set(PAYLOADS)) == len(PAYLOADS) >= 60


@pytest.mark.parametrize("payload", NUMBERED)
def test_a_payload_in_a_message_does_not_reach_python(payload: str, untouched: None) -> None:
    text = outcome(payload)
    assert text is None or not any(mark in text for mark in MARKS), text


@pytest.mark.parametrize("payload", NUMBERED)
def test_a_payload_in_an_included_prompt_does_not_reach_python(payload: str, untouched: None) -> None:
    entry = {"prompt": "evil", "version": 1, "version_id": "", "text": payload, "includes": {}}
    outer = "{% for i in xs %}{% set inner = x %}{% include 'evil' %}{% endfor %}"
    text = outcome(outer, {"evil": entry})
    assert text is None or not any(mark in text for mark in MARKS), text
    variables_of([{"role": "user", "content": "{% include 'x' %}"}], {"x": entry | {"text": "ok"}})


@pytest.mark.parametrize("payload", NUMBERED)
def test_a_payload_in_the_inputs_is_text(payload: str, untouched: None) -> None:
    assert outcome("{{ x }}", x=payload) == payload
    assert (
        outcome("{{ xs[0] }}{{ d.k }}{{ d|list|join }}", xs=[payload], d={"k": payload}) == payload * 2 + "k"
    )
    assert outcome("{% for k in d %}{{ k }}{% endfor %}", d={payload: 1}) == payload
    assert outcome("{% set a %}{{ x }}{% endset %}{{ a }}", x=payload) == payload
    assert outcome("{{ 'a%sb' % x }}{{ '%s'|format(x) }}", x=payload) == f"a{payload}b{payload}"
    history = [{"role": "user", "content": payload}]
    messages = [{"role": "placeholder", "name": "history"}]
    assert render_messages(messages, {"history": history}) == history
    entry = {"prompt": "in", "version": 1, "version_id": "", "text": "{{ x }}", "includes": {}}
    assert outcome("{% include 'in' %}", {"in": entry}, x=payload) == payload


@pytest.mark.parametrize("payload", NUMBERED)
def test_a_payload_as_a_format_a_key_or_a_name_does_not_reach_python(payload: str, untouched: None) -> None:
    templates = (
        "{{ x|format(1) }}",
        "{{ x % xs }}",
        "{{ d[x] }}",
        "{{ ''[x] }}",
        "{{ xs|map(attribute=x)|list }}",
    )
    for template in templates:
        text = outcome(template, x=payload)
        assert text is None or not any(mark in text for mark in MARKS), (template, text)


@pytest.mark.parametrize("payload", NUMBERED)
def test_a_payload_is_told_as_a_mistake_or_compiles_and_nothing_else(payload: str, untouched: None) -> None:
    for error in diagnose(payload):
        assert isinstance(error, RenderError)
        assert error.reason
        assert not any(mark in error.reason for mark in MARKS)
    check_templates([{"role": "user", "content": payload}])


def test_inputs_by_the_names_of_what_the_language_has_are_data() -> None:
    names = (
        "self",
        "loop",
        "caller",
        "context",
        "environment",
        "budget",
        "__builtins__",
        "cycler",
        "request",
    )
    for name in names:
        assert outcome("{{ " + name + " }}", **{name: "mine"}) in ("mine", None)
        assert outcome("{{ " + name + ".__class__.__mro__ }}", **{name: {"a": 1}}) is None
    assert outcome("{{ range(3)|list }}", range="mine") == "[0, 1, 2]"
    assert outcome("{{ namespace(a=1).a }}{{ dict(b=2).b }}", namespace="mine", dict="mine") == "12"


def test_an_input_that_looks_like_an_include_includes_nothing() -> None:
    secret = {"prompt": "secret", "version": 1, "version_id": "", "text": "SECRET", "includes": {}}
    includes = {"secret": secret}
    for template in ("{{ x }}", "{% set y %}{{ x }}{% endset %}{{ y }}", "{{ x|upper|lower }}"):
        text = outcome(template, includes, x="{% include 'secret' %}")
        assert text == "{% include 'secret' %}"


@pytest.mark.parametrize(
    ("template", "included"),
    [
        (
            "{% include 'a' %}",
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        ),
        ("{% for a in range(99999) %}{% include 'a' %}{% endfor %}", "{{ x * 9999 }}"),
        ("{% macro m() %}{% include 'a' %}{% endmacro %}{{ m() }}", "{{ m() }}{{ m() }}"),
        ("{% set big = 'x' * 300000 %}{% include 'a' %}", "{{ big|replace('x', big) }}"),
        ("{% include 'a' %}", "{{ '%1000000000d' % 3 }}"),
        ("{% include 'a' %}", "{{ 'a'.center(width) }}"),
    ],
    ids=range(6),
)
def test_what_never_ends_or_grows_is_stopped_with_words_that_say_so(template: str, included: str) -> None:
    entry = {"prompt": "a", "version": 1, "version_id": "", "text": included, "includes": {}}
    begun = time.thread_time()
    with pytest.raises(RenderError) as caught:
        render_messages([{"role": "user", "content": template}], INPUTS, includes={"a": entry}, limits=LIMITS)
    assert time.thread_time() - begun < 3
    words = ("seconds", "too much text", "too deeply", "wider than", "longer than")
    assert any(word in str(caught.value) for word in words), caught.value
