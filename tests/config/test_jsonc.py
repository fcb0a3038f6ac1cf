"""The JSON reader: the same values as the standard library's, and errors that help."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.config import jsonc
from lockgate.config.finding import Findings
from lockgate.config.nodes import Node

text_values = st.text(st.characters(exclude_categories=("Cs",)))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | text_values
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text_values, inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


def parse(text: str) -> tuple[Node | None, Findings]:
    findings = Findings(Path("x.json"))
    return jsonc.parse(text, findings), findings


@given(values, st.booleans(), st.sampled_from([None, 2, "\t"]))
def test_reads_what_json_reads(value: object, ascii_only: bool, indent: int | str | None) -> None:
    node, findings = parse(json.dumps(value, ensure_ascii=ascii_only, indent=indent))
    assert not findings
    assert node is not None
    assert node.plain() == value


@given(st.text("{}[]\",:\\/*0123456789.-+eEtrufalsn \n\t'x\u20ac", max_size=40))
def test_garbage_gives_findings_and_never_raises(text: str) -> None:
    node, findings = parse(text)
    assert node is not None or findings.fatal
    try:
        expected = json.loads(text)
    except ValueError:
        return
    if node is not None and not findings:
        assert json.dumps(node.plain()) == json.dumps(expected)


@given(values, st.text('{}[]",:\\/*0 \n\t', max_size=3), st.data())
def test_a_damaged_file_never_raises(value: object, damage: str, data: st.DataObject) -> None:
    text = json.dumps(value)
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 2))
    node, findings = parse(text[:at] + damage + text[at + cut :])
    assert node is not None or findings.fatal


@pytest.mark.parametrize(
    ("text", "line", "column", "summary"),
    [
        ('{\n  "a" 1}', 2, 7, "a colon is missing"),
        ('{\n  "a": 1\n  "b": 2}', 2, 9, "A comma is missing"),
        ("{a: 1}", 1, 2, "The key a has no quotes"),
        ("{'a': 1}", 1, 2, "double quotes"),
        ("{\"a\": 'b'}", 1, 7, "double quotes"),
        ('{"a": "C:\\Users"}', 1, 10, "'\\U' is no JSON escape"),
        ('{"a": True}', 1, 7, "True is no JSON value"),
        ('{"a": [1}', 1, 9, "Here stands } where ] is needed"),
        ('{"a": {"b": 1}\n', 2, 1, "ends inside the object that opens in line 1"),
        ('{"a": "x\n"}', 1, 7, "is not closed on that line"),
        ('{"a": 1}}', 1, 9, "more text after the end"),
        ("", 1, 1, "The file is empty"),
        ("/* x", 1, 1, "never closed"),
        ('{"a": }', 1, 7, "A value is missing"),
        ("{,}", 1, 2, "a comma too many"),
        ('{"a": 01}', 1, 8, "is no number"),
        ('{"a": "\\ud800"}', 1, 7, "half of a character"),
        ('{"a": ' + "9" * 5000 + "}", 1, 5007, "too long"),
        ("[" * 200, 1, 102, "Nested more than"),
        ('{"a": NaN}', 1, 7, "NaN is no JSON value"),
    ],
)
def test_errors_say_where_and_what(text: str, line: int, column: int, summary: str) -> None:
    node, findings = parse(text)
    assert node is None
    (found,) = findings
    assert (found.line, found.column) == (line, column)
    assert summary in found.summary
    assert found.remedy


def test_comments_and_trailing_commas() -> None:
    node, findings = parse('// a\n{"b": [1, /* c */ 2,], "d": "// e", } // f')
    assert not findings
    assert node is not None
    assert node.plain() == {"b": [1, 2], "d": "// e"}


def test_a_key_that_stands_twice_is_noted_and_the_first_counts() -> None:
    node, findings = parse('{"a": 1,\n "b": {"c": 1, "\\u0063": 2},\n "a": 3}')
    assert node is not None
    assert node.plain() == {"a": 1, "b": {"c": 1}}
    assert [(one.id, one.line, one.column) for one in findings] == [
        ("duplicate-key", 2, 16),
        ("duplicate-key", 3, 2),
    ]


def test_positions() -> None:
    node, _ = parse('{\n  "a": {\n    "b": [true,\n 5]\n  }\n}')
    assert node is not None
    assert node.locate(("a", "b")) == ((3, 5), True)
    assert node.locate(("a", "b", 1)) == ((4, 2), True)
    assert node.locate(("a", "none")) == ((2, 3), False)
    found = node.find(("a", "b", 1))
    assert found is not None
    assert found.spelled == "5"
