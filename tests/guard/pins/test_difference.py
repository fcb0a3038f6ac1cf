"""What is said to be different between two definitions."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.guard.definition import fingerprint_of, value_of
from lockgate.guard.pins.difference import MEMBERS, compare, touched, words
from tests.guard.definitions import TOOLS, changed, dumped


def said(before: Any, after: Any) -> list[tuple[str, str]]:
    return [(one.kind, one.said) for one in compare(before, after)]


def schema(**more: Any) -> Any:
    return {"name": "a", "inputSchema": {"type": "object", **more}}


def test_parameters_and_what_is_required() -> None:
    before = schema(properties={"x": {"type": "string"}, "y": {}}, required=["y"])
    after = schema(properties={"x": {"type": "integer"}, "z": {}})
    assert said(before, after) == [
        ("removed", "parameter y removed"),
        ("text", "inputSchema.properties.x.type"),
        ("added", "parameter z added"),
        ("removed", "y is no longer required"),
    ]
    assert said(schema(), schema(required=["x"])) == [("added", "x is now required")]


def test_values_of_lists_and_their_order() -> None:
    assert said(schema(enum=["a", "b"]), schema(enum=["b", "c"])) == [
        ("added", "inputSchema.enum"),
        ("removed", "inputSchema.enum"),
    ]
    assert said(schema(enum=[1, 2]), schema(enum=[2, 1])) == [
        ("changed", "inputSchema.enum: another order")
    ]
    assert said(schema(enum=[1]), schema(enum=[1, 1]))


def test_arguments_of_prompts_are_told_by_name() -> None:
    before = {"name": "p", "arguments": [{"name": "day", "required": False}]}
    after = {"name": "p", "arguments": [{"name": "day", "required": True}]}
    assert said(before, after) == [("changed", "arguments.day.required")]


def test_words_of_texts_can_be_put_together_again() -> None:
    marked = words("Adds two numbers.", "Adds two big numbers now.")
    assert "".join(one.text for one in marked if one.mark != "in") == "Adds two numbers."
    assert "".join(one.text for one in marked if one.mark != "out") == "Adds two big numbers now."


@given(st.text(max_size=60), st.text(max_size=60))
@settings(max_examples=60)
def test_no_word_is_lost(before: str, after: str) -> None:
    marked = words(before, after)
    assert "".join(one.text for one in marked if one.mark != "in") == before
    assert "".join(one.text for one in marked if one.mark != "out") == after


@given(TOOLS.flatmap(lambda tool: st.tuples(st.just(tool), changed(tool))))
@settings(max_examples=100)
def test_whatever_changes_the_fingerprint_is_shown(tools: tuple[Any, Any]) -> None:
    before, after = (value_of(dumped(tool)) for tool in tools)
    if not isinstance(after, dict):
        return
    different = fingerprint_of(before) != fingerprint_of(after)
    assert bool(compare(before, after)) == different
    assert bool(touched(before, after)) == different
    assert set(touched(before, after)) <= MEMBERS | {"others"}


def test_texts_without_end_take_no_time_without_end() -> None:
    assert len(words("a " * 50_000, "b " * 50_000)) == 2
    assert compare({"a": ["x"] * 3000}, {"a": ["y"] * 3000})
