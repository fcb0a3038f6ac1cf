"""Signatures: one line for a tool, and whether it is the whole truth."""

from __future__ import annotations

from typing import Any

import pytest

from bench.context.instances import schema as any_schema
from bench.context.instances import seeded
from lockgate.context.signature import line, signature


def of(*needed: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(needed)}


@pytest.mark.parametrize(
    ("schema", "written", "whole"),
    [
        ({"type": "object"}, "f()", True),
        (of("b", a={"type": "string"}, b={"type": "integer"}), "f(b: integer, a?: string)", True),
        (of(a={"enum": ["x", 1, None]}), 'f(a?: "x"|1)', True),
        (of("a", a={"enum": [*range(20)]}), "f(a: 0|1|2|3|…)~", False),
        (of("a", a={"type": ["string", "null"]}), "f(a: string|null)", True),
        (of(a={"type": "array", "items": {"type": "string"}}), "f(a?: string[])", True),
        (
            of(a={"type": "array", "items": {"type": ["string", "null"]}}),
            "f(a?: (string|null)[])",
            True,
        ),
        (of(a=of("b", b={"type": "string"})), "f(a?: {b: string})", True),
        (of(a={"anyOf": [{"type": "string"}, {"const": 0}]}), "f(a?: string|0)", True),
        (
            {**of(a={"$ref": "#/$defs/A"}), "$defs": {"A": {"type": "boolean"}}},
            "f(a?: boolean)",
            True,
        ),
        (of(a={"type": "string", "pattern": "^x"}), "f(a?: string)~", False),
        (of(a={"type": "integer", "minimum": 1}), "f(a?: integer)~", False),
        (of("z", a={}), "f(a?: any)~", False),
        ({"anyOf": [of("a"), of("b")]}, "f()", True),
    ],
)
def test_lines(schema: Any, written: str, whole: bool) -> None:
    found = signature("f", schema)
    if "anyOf" in schema:
        # A choice between whole sets of arguments is no line.
        assert not found.whole
        return
    assert (str(found), found.whole) == (written, whole)


def test_the_first_sentence_comes_after_it() -> None:
    assert line("f", "Does it. And more.", of()) == "f() - Does it."
    assert line("f", None, None) == "f()"


def test_a_line_is_bounded_whatever_the_schema() -> None:
    wide = of(**{f"p{at}": {"enum": ["x" * 50] * 500} for at in range(5_000)})
    found = signature("f", wide)
    assert len(found.text) < 2_100
    assert not found.whole


def test_any_schema_has_a_line() -> None:
    random = seeded(3)
    for _ in range(300):
        assert signature("f", any_schema(random)).text.startswith("f(")
