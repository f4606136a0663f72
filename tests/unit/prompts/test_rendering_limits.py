"""Known payloads: templates that never end, that grow without bound, that look for a way out."""

from __future__ import annotations

import resource
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from apps.prompts.rendering import (
    RenderError,
    RenderLimits,
    SizeLimitExceeded,
    TemplateFailed,
    TemplateRefused,
    TemplateSyntax,
    TimeLimitExceeded,
    UndefinedVariable,
    render_messages,
)

QUICK = RenderLimits(seconds=0.3)
MEMORY_ROOM_MB = 400


def rendered(template: str, limits: RenderLimits = QUICK, **inputs: Any) -> str:
    return render_messages([{"role": "user", "content": template}], inputs, limits=limits)[0]["content"]


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}"
        "{% endfor %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{% for b in range(99999) if false %}{% endfor %}{% endfor %}",
        "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
        "{% for n in [1] recursive %}{% for i in range(99999) %}"
        "{% for j in range(99999) %}{% endfor %}{% endfor %}"
        "{% endfor %}",
        "{{ [1]|slice(100000000)|list }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}"
        "{% if b == a %}{% endif %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{% set x = text|upper|lower|trim|length %}{% endfor %}",
        "{% for a in range(99999) %}{% set x = text|wordcount %}{% endfor %}",
        "{% for a in range(99999) %}{% set x = 'a' in text %}{% set y = text == other %}{% endfor %}",
    ],
)
def test_a_template_that_does_not_end_is_stopped_in_time(template: str) -> None:
    begun = time.thread_time()
    with pytest.raises((TimeLimitExceeded, SizeLimitExceeded)):
        rendered(template, text="b" * 300_000, other="b" * 300_000 + "c")
    assert time.thread_time() - begun < 3


GROWING = [
    "{{ 'a' * 10**9 }}",
    "{{ 10**9 * 'a' }}",
    "{{ [1] * 10**9 }}",
    "{{ (1,) * 10**9 }}",
    "{{ 2 ** (10**9) }}",
    "{{ (2 ** 5000) ** 5000 }}",
    "{{ -9 ** (10**9) }}",
    "{{ 'a'|center(1000000000) }}",
    "{{ 'a'.center(1000000000) }}",
    "{{ 'a'.ljust(10**9) }}",
    "{{ 'a'.rjust(width) }}",
    "{{ '1'.zfill(10**9) }}",
    "{{ '%1000000000d' % 3 }}",
    "{{ '%1000000000d'|format(3) }}",
    "{{ '%.1000000000f'|format(3) }}",
    "{{ ('%s' * 100000)|format(*([big] * 1)) }}",
    "{{ ('%(a)s' * 100000) % {'a': big} }}",
    "{{ (big * 1)|replace('', big) }}",
    "{{ big|replace('a', big) }}",
    "{{ big.replace('a', big) }}",
    "{{ big.replace('', big) }}",
    "{{ big.join(big) }}",
    "{{ big|join(big) }}",
    "{{ big|list|join(big) }}",
    "{{ range(99999)|join(big) }}",
    "{{ ('\\n' * 99999)|indent(99999) }}",
    "{{ ('\\n' * 99999)|indent(big) }}",
    "{{ ('\\t' * 99999).expandtabs(99999) }}",
    "{{ ('\\t' * 99999).expandtabs(tabsize=99999) }}",
    "{{ big|wordwrap(1, wrapstring=big) }}",
    "{{ [1]|batch(10**9, 'x')|list }}",
    "{{ 5|round(-100000000) }}",
    "{{ range(10**9)|list }}",
    "{{ range(99999)|map('string')|map('center', 9999)|list }}",
    "{{ range(99999)|map('default', big)|list ~ ''}}{{ [[]] * 99999 | map('default', big, true) | join }}",
    "{% for i in range(99999) %}{{ big }}{% endfor %}",
    "{% for i in range(99999) %}" + "x" * 1000 + "{% endfor %}",
    "{% macro m() %}{% for i in range(99999) %}" + "x" * 1000 + "{% endfor %}{% endmacro %}{{ m() }}",
    "{% set x %}{% for i in range(99999) %}" + "x" * 1000 + "{% endfor %}{% endset %}",
    "{% filter upper %}{% for i in range(99999) %}" + "x" * 1000 + "{% endfor %}{% endfilter %}",
    "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}"
    "{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
    "{% set ns = namespace(x=1) %}{% for i in range(99) %}"
    "{% set ns.x = (ns.x, ns.x) %}{% endfor %}{{ {ns.x: 1} }}",
    "{% set ns = namespace(x=1) %}{% for i in range(99) %}"
    "{% set ns.x = {'a': ns.x, 'b': ns.x} %}{% endfor %}",
    "{% set ns = namespace(x=1) %}{% for i in range(99) %}{% set ns.x = dict(a=ns.x, b=ns.x) %}{% endfor %}",
    "{% set ns = namespace(x=9) %}{% for i in range(99) %}{% set ns.x = ns.x * ns.x %}{% endfor %}",
    "{% set ns = namespace(x='%s%s') %}{% for i in range(99) %}"
    "{% set ns.x = ns.x % (ns.x, ns.x) %}{% endfor %}",
    "{% set ns = namespace(x=1) %}{% set ns.x = ns %}{{ ns }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% for i in range(99) %}{% set x = big[:] %}{{ x[0:] ~ x[::-1] }}{% endfor %}",
]


@pytest.mark.parametrize("template", GROWING, ids=range(len(GROWING)))
def test_a_template_that_grows_is_stopped_before_it_takes_the_memory(template: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.thread_time()
    with pytest.raises(RenderError):
        rendered(template, big="a" * 300_000, width=10**9)
    assert time.thread_time() - begun < 3
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY_ROOM_MB * 1024


ESCAPES = [
    "{{ ''.__class__ }}",
    "{{ ''['__class__'] }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ x.__init__.__globals__ }}",
    "{{ [].__class__.__base__ }}",
    "{{ x['__cl' ~ 'ass__'] }}",
    "{{ x[('__cl', 'ass__')|join] }}",
    "{{ [x]|map(attribute='__class__')|list }}",
    "{{ [x]|sort(attribute='__class__') }}",
    "{{ [x]|groupby('__class__') }}",
    "{{ [x]|selectattr('__class__')|list }}",
    "{{ [x]|sum(attribute='__class__') }}",
    "{{ [x]|join('', '__class__') }}",
    "{{ [x]|unique(attribute='__class__')|list }}",
    "{{ [x]|max(attribute='__class__') }}",
    "{{ '{0.__class__}'.format(x) }}",
    "{{ '{0.__class__.__mro__}'.format_map({'0': x}) }}",
    "{{ ''.format.__self__ }}",
    "{{ ['{0.__class__}']|map('format', x)|first|attr('x') }}",
    "{{ x|attr('__class__') }}",
    "{{ [x]|map('attr', '__class__')|list }}",
    "{{ range.__init__.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ dict.mro() }}",
    "{{ dict.fromkeys }}",
    "{{ dict.__subclasses__() }}",
    "{{ namespace().__class__ }}",
    "{{ namespace(a=1)['__class__'] }}",
    "{{ namespace()._Namespace__attrs }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ self._TemplateReference__context.environment }}",
    "{% for i in [1] %}{{ loop.__class__ }}{% endfor %}",
    "{% for i in [1] %}{{ loop._iterator }}{% endfor %}",
    "{% for i in [1] %}{{ loop._recurse }}{% endfor %}",
    "{% macro m() %}{% endmacro %}{{ m.__call__.__globals__ }}",
    "{% macro m() %}{% endmacro %}{{ m._environment }}",
    "{% macro m() %}{% endmacro %}{{ m._func.__code__ }}",
    "{{ xs.append(1) }}",
    "{{ xs.sort() }}",
    "{{ d.update({'a': 1}) }}",
    "{{ d.pop('a') }}",
    "{{ d.setdefault('z', 1) }}",
    "{{ (1).to_bytes(1000000000) }}",
    "{{ (1).from_bytes('') }}",
    "{{ (1.5).fromhex('1') }}",
    "{{ 'a'.encode() }}",
    "{{ 'a'.maketrans('a', 'b') }}",
    "{{ 'a'.translate({}) }}",
    "{{ (xs|map('upper')).gi_frame }}",
    "{{ (xs|map('upper')).throw }}",
    "{{ missing.__class__ }}",
    "{{ missing._undefined_obj }}",
    "{{ caller.__class__ }}",
    "{{ context }}",
    "{{ environment }}",
    "{{ context.budget }}",
    "{{ request }}{{ config }}{{ settings }}",
    "{{ __builtins__ }}",
    "{{ debug() }}",
    "{{ get_flashed_messages.__globals__ }}",
    "{{ ''|tojson.__class__ }}",
    "{% set x = ''.join.__self__.__class__ %}",
]


@pytest.mark.parametrize("template", ESCAPES, ids=range(len(ESCAPES)))
def test_a_way_out_of_the_sandbox_is_refused(template: str) -> None:
    with pytest.raises((TemplateRefused, TemplateSyntax, UndefinedVariable, TemplateFailed)):
        rendered(template, x="text", xs=["a", "b"], d={"a": 1})


@pytest.mark.parametrize(
    "template",
    [
        "{{ " + "(" * 5_000 + "1" + ")" * 5_000 + " }}",
        "{{ " + "[" * 5_000 + "]" * 5_000 + " }}",
        "{{ " + "1+" * 20_000 + "1 }}",
        "{{ " + "not " * 20_000 + "1 }}",
        "{{ x" + ".a" * 20_000 + " }}",
        "{{ x" + "|trim" * 20_000 + " }}",
        "{% if x %}" * 2_000 + "{% endif %}" * 2_000,
        "{{" * 4_000,
        "{#" * 100_000,
        "{% raw %}" * 4_000,
        "{{ x }}" * 5_001,
        "{% " * 6_000,
        "x" * 400_001,
        "{{ " + "x if x else " * 3_000 + "x }}",
    ],
    ids=range(14),
)
def test_a_monstrous_template_is_refused_when_it_is_compiled(template: str) -> None:
    begun = time.thread_time()
    with pytest.raises(RenderError):
        rendered(template, x="a")
    assert time.thread_time() - begun < 3


def test_a_large_honest_prompt_compiles_and_renders() -> None:
    prompt = "An ordinary line of a long prompt about {{ topic }}.\n" * 4_000
    assert len(rendered(prompt, RenderLimits(), topic="grammar")) > 190_000


def test_limits_hold_in_threads_beside_each_other() -> None:
    forever = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"

    def work(number: int) -> str:
        try:
            return rendered(forever if number % 2 else "{{ n }}", n=number)
        except TimeLimitExceeded:
            return "stopped"

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == ["0", "stopped", "2", "stopped"]


def test_a_stopped_template_does_not_hurt_the_next() -> None:
    template = "{% for i in range(n) %}{% for j in range(n) %}{% endfor %}{% endfor %}ok"
    with pytest.raises(TimeLimitExceeded):
        rendered(template, n=99_999)
    assert rendered(template, n=3) == "ok"
