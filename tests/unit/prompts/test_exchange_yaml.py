"""Our own YAML comes back exactly, whatever the texts hold; hostile files are refused with their line."""

from __future__ import annotations

import string
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.prompts.content import parse_content
from apps.prompts.exchange import own_yaml
from apps.prompts.exchange.formats import read_file
from apps.prompts.exchange.record import PromptRecord, UnreadableFile

HEAD = "format: llmops-web/prompt\nformat_version: 1\nname: X\n"
ODD = [
    "", " ", "yes", "on", "No", "~", "null", "1e3", "1_000", "0o17", "017", "12:30", "2020-01-01",
    "0x1F", ".5",
    "-", "- a", "a: b", "# c", "a #b", "'", '"', "\\", "%",
    "@a", "`a", "&a", "*a", "!a", "|", ">", "{{ x }}",
    "{% if a %}",
    "[1]", "a\n", "a\n\n", "\na", " a\n  b", "a \nb", "a\n b \n", "a\r\nb", "a\rb", "a\tb", "\t",
    "a\x85b\n", "a\u2028b", "a\u2029\nb", "\ufeffa", "\ufffe", "\U0001f600\nb", "\x07", "\x7f", "=", "<<",
    "---",
    "...", "---\na", "a\n---\nb", "a\n...\n", "?", "? a", "a:", ": a", "\u00a0\n", "x" * 3000, "é\u0301",
    "true",
]  # fmt: skip


def written_and_read(record: PromptRecord) -> PromptRecord:
    names, found = read_file(own_yaml.write(record).text.encode())
    assert names == ["YAML"]
    assert [one.problem for one in found] == [""]
    assert found[0].record is not None
    return found[0].record


def full(text: str = "Hello {{ name }}") -> PromptRecord:
    call = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": '{"q": "1e3"}'}}
    return PromptRecord(
        name="Fix grammar",
        slug="fix-grammar",
        folder="support/replies",
        tags=["on", "1e3", "naïve tag"],
        note="the first: #1",
        includes=["tone@production"],
        messages=[
            {"role": "system", "content": text},
            {"role": "placeholder", "name": "history"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "content": text, "tool_call_id": "c1"},
            {"role": "user", "content": "Now", "name": "ann"},
        ],
        parameters={
            "model": "local/tiny",
            "temperature": 0.7,
            "top_p": 1.0,
            "max_tokens": 64,
            "seed": -3,
            "stop": ["\n", "END", "yes"],
            "extra": {"top_k": 5, "note": text, "on": None, "deep": [[], {}, [1e-7, 1e21, -0.0]]},
        },
        tools=[{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}],
        response_schema={"type": "object", "properties": {"yes": {"type": "string", "enum": ["no", text]}}},
    )


def test_everything_of_a_version_comes_back_and_is_valid() -> None:
    record = full()
    back = written_and_read(record)
    assert own_yaml.write(back).text == own_yaml.write(record).text
    content = parse_content(
        messages=back.messages,
        parameters=back.parameters,
        tools=back.tools,
        response_schema=back.response_schema,
    )
    assert content.messages == record.messages
    assert (back.name, back.slug, back.folder, back.tags, back.note, back.includes) == (
        record.name,
        record.slug,
        record.folder,
        record.tags,
        record.note,
        record.includes,
    )


@pytest.mark.parametrize("text", ODD)
def test_odd_texts_come_back_as_they_were(text: str) -> None:
    record = full(text)
    back = written_and_read(record)
    assert back.messages[0]["content"] == text
    assert back.parameters == record.parameters
    assert back.response_schema == record.response_schema
    assert own_yaml.write(back).text == own_yaml.write(record).text


TEXTS = st.one_of(
    st.sampled_from(ODD),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=60),
    st.text(alphabet=" \n\r\t#:-'\"{}%|>&*!yesno01e." + string.ascii_letters, max_size=40),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(text=TEXTS, name=TEXTS.filter(bool), tag=TEXTS, extra=st.dictionaries(TEXTS, JSON, max_size=4))
def test_any_text_and_any_json_come_back(text: str, name: str, tag: str, extra: dict[str, Any]) -> None:
    record = replace(
        full(text), name=name, tags=[tag], note=text, parameters={"stop": [text], "extra": extra}
    )
    if not extra:
        record = replace(record, parameters={"stop": [text], "extra": {"a": 1}})
    back = written_and_read(record)
    assert back.messages[0]["content"] == text
    assert back.name == name
    assert back.tags == record.tags
    assert back.parameters == record.parameters
    assert repr(back.parameters) == repr(record.parameters)  # 1 is not 1.0, nor True
    assert own_yaml.write(back).text == own_yaml.write(record).text


@settings(max_examples=150, deadline=None)
@given(text=TEXTS)
def test_other_parsers_of_yaml_read_the_same_texts(text: str) -> None:
    """PyYAML's own safe loader knows YAML 1.1, where `yes` and 12:30 are no texts."""
    document = yaml.safe_load(own_yaml.write(full(text)).text)
    assert document["messages"][0].get("content", "") == text
    assert document["tags"] == full().tags


def test_several_documents_are_kept_or_listed_as_bad() -> None:
    good = own_yaml.write(full()).text
    bad = f"---\n{HEAD}colour: red\n"
    other = f"---\n{HEAD.replace('1', '9')}"
    nothing = "---\njust: this\n"
    _, found = read_file((good + bad + other + nothing + good).encode())
    assert [bool(one.record) for one in found] == [True, False, False, False, True]
    assert "“colour”" in found[1].problem
    assert "prompt 9" in found[2].problem
    assert "none of the formats" in found[3].problem
    assert found[1].place == "document 2"


LAUGHS = "a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: [*b,*b,*b,*b]\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("# nothing\n", "empty"),
        (LAUGHS, "Line 2: aliases"),
        ("a:\n  b: !!python/object/apply:os.system ['id']\n", "Line 2: the tag"),
        ("a: !!binary aGk=\n", "the tag"),
        ("a: 1\nb: [1,\n", "Line 3: this is not YAML"),
        ("a: 1\na: 2\n", "Line 2: “a” is named twice"),
        ("1: a\n", "Line 1: a name must be a text"),
        ("[" * 5000, "nested deeper"),
        ("a: " + "[" * 5000, "nested deeper"),
        ('{"a":' * 5000 + "1" + "}" * 5000, "nested deeper"),
        ("\n".join("  " * n + "a:" for n in range(150)), "nested deeper"),
        ("- 1\n" * 200_001, "200,000 values"),
        ('{"messages": [}', "Line 1: this is not JSON"),
        ('{"a": 1, "a": 2}', "“a” twice"),
        ('{"a": NaN}', "NaN"),
        ('{"a": 1e999}', "too large"),
        ('{"a": "\\u0000"}', "NUL"),
        ('{"a": "\\ud800"}', "surrogate"),
        ("a: \x07\n", "does not allow"),
        ('a: "\\0"\n', "NUL"),
        ('{"a": ' + "9" * 5000 + "}", "digits"),
    ],
)
def test_a_hostile_or_broken_file_is_refused_with_a_reason(text: str, words: str) -> None:
    with pytest.raises(UnreadableFile) as refused:
        read_file(text.encode())
    assert words in str(refused.value)


def test_a_file_that_is_no_text_or_too_large_is_refused() -> None:
    with pytest.raises(UnreadableFile, match="Line 2: this is no UTF-8"):
        read_file(b"a: 1\nb: \xff\xfe\xfa\n")
    with pytest.raises(UnreadableFile, match="2 MB"):
        read_file(b" " * 2_000_001)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_with_a_byte_order_mark_is_read(encoding: str) -> None:
    _, found = read_file(own_yaml.write(full("naïve")).text.encode(encoding))
    assert found[0].record is not None
    assert found[0].record.messages[0]["content"] == "naïve"
