"""What became of a text can be told shortly, exactly, and in time."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.context import alignment
from lockgate.context.alignment import blocks
from lockgate.context.changes import MOST_CHANGES, MOST_READ, Changes, changes

_HEAD = re.compile(r"@@ -(\d+),(\d+) \+(\d+),(\d+) @@")


def patched(before: str, found: Changes) -> str:
    """The text after, of the text before and what is said of it, as a reader would make it."""
    return _by_path(before, found.lines) if found.kind == "paths" else _by_line(before, found.lines)


def _by_path(before: str, lines: list[str]) -> str:
    whole = {"": json.loads(before)}
    for line in lines:
        verb, path, *value = json.loads(line)
        steps = [step.replace("~1", "/").replace("~0", "~") for step in ["", *path.split("/")[1:]]]
        holder: Any = whole
        for step in steps[:-1]:
            holder = holder[int(step) if isinstance(holder, list) else step]
        key = int(steps[-1]) if isinstance(holder, list) else steps[-1]
        if verb == "-":
            del holder[key]
        elif verb == "+" and isinstance(holder, list):
            assert 0 <= key <= len(holder)
            holder.insert(key, *value)
        else:
            assert (key in holder) == (verb == "=") or isinstance(holder, list)
            holder[key] = value[0]
    return json.dumps(whole[""])


def _by_line(before: str, lines: list[str]) -> str:
    old, new, at = before.split("\n"), list[str](), 0
    rest = iter(lines)
    for head in rest:
        found = _HEAD.fullmatch(head)
        assert found is not None
        first, was, to, now = map(int, found.groups())
        new += old[at : first - 1]
        assert len(new) == to - 1
        at = first - 1
        begun, end = len(new), at + was
        while at < end or len(new) < begun + now:
            line = next(rest)
            if line[0] in " -":
                assert old[at] == line[1:]
                at += 1
            if line[0] in " +":
                new.append(line[1:])
    return "\n".join([*new, *old[at:]])


LINES = st.lists(st.sampled_from(["a", "b", "", "c d", "x\r", "\x0b"]), max_size=14)


@settings(max_examples=150)
@given(LINES, LINES)
def test_lines_and_what_is_said_of_them_give_what_they_became(old: Any, new: Any) -> None:
    before, after = "\n".join(old), "\n".join(new)
    found = changes(before, after, json=False)
    assert found is not None
    assert patched(before, found) == after
    assert bool(found.lines) == (before != after)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from([0.5, 1.0, 1e30, "a", "b/~"]),
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(st.sampled_from(["a", "b", "c/d", "~", ""]), inner, max_size=4)
    ),
    max_leaves=16,
)


@settings(max_examples=100)
@given(VALUES, VALUES)
def test_documents_and_what_is_said_of_them_give_what_they_became(old: Any, new: Any) -> None:
    before = json.dumps(old)
    found = changes(before, json.dumps(new), json=True)
    assert found is not None
    # Of equal members Python says that true is 1; JSON does not.
    assert json.dumps(json.loads(patched(before, found)), sort_keys=True) == json.dumps(
        new, sort_keys=True
    )


def edited(value: Any, chance: random.Random) -> Any:
    """A document with a few things changed somewhere."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        key = chance.choice(list(value))
        return {**value, key: edited(value[key], chance)}
    if isinstance(value, list) and value:
        at = chance.randrange(len(value))
        how = chance.random()
        if how < 0.3:
            return [*value[:at], {"new": chance.random()}, *value[at:]]
        if how < 0.6:
            return [*value[:at], *value[at + 1 :]]
        return [*value[:at], edited(value[at], chance), *value[at + 1 :]]
    return chance.choice([None, 7, "other", {"x": [1]}])


@settings(max_examples=60)
@given(st.integers(0, 1 << 32), st.integers(1, 6))
def test_a_few_edits_of_a_large_document_are_few_words(seed: int, edits: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - examples, no secrets
    rows: Any = [{"id": at, "tags": ["a", "b"], "name": f"n{at}"} for at in range(120)]
    before = json.dumps({"items": rows, "next": None})
    for _ in range(edits):
        rows = edited(rows, chance)
    new = {"items": rows, "next": chance.choice([None, "more"])}
    found = changes(before, json.dumps(new), json=True)
    assert found is not None
    assert len(found.lines) <= 8 * edits + 1 or not isinstance(rows, list)
    assert json.loads(patched(before, found)) == new


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ('{"a":{"b":[1,2]}}', '{"a":{"b":[1,3]}}', ['["=","/a/b/1",3]']),
        ("[1,2,3]", "[2,3]", ['["-","/0"]']),
        ("[1,2]", "[1,2,4,5]", ['["+","/2",5]', '["+","/2",4]']),
        ('{"a/b":1,"c":1}', '{"c":1}', ['["-","/a~1b"]']),
        ('{"c":1}', '{"c":true}', ['["=","/c",true]']),
        ("[1.0]", "[1]", ['["=","/0",1]']),
        ("[1.10]", "[1.1]", ['["=","/0",1.1]']),
        (
            "[123456789012345678901]",
            "[123456789012345678902]",
            ['["=","/0",123456789012345678902]'],
        ),
        ('{"a": 1, "b": 2}', '{"b":2,"a":1}', []),
        ('{"a":1}', '{"b":1}', ['["=","",{"b":1}]']),
        ('[{"id":1,"t":5},{"id":2,"t":5}]', '[{"id":1,"t":5},{"id":2,"t":6}]', ['["=","/1/t",6]']),
    ],
)
def test_what_is_said_of_documents(before: str, after: str, lines: list[str]) -> None:
    found = changes(before, after, json=True)
    assert found == Changes("paths", lines)


def test_what_is_said_of_lines() -> None:
    before = "\n".join(f"line {at}" for at in range(20))
    after = before.replace("line 3\n", "line three\n").replace("line 17\n", "")
    found = changes(before, after, json=False)
    assert found is not None
    assert found.lines == [
        "@@ -3,3 +3,3 @@",
        " line 2",
        "-line 3",
        "+line three",
        " line 4",
        "@@ -17,3 +17,2 @@",
        " line 16",
        "-line 17",
        " line 18",
    ]


def test_what_changed_in_every_row_is_told_row_by_row_or_not_at_all() -> None:
    def rows(count: int, stamp: int) -> str:
        return json.dumps([{"id": at, "at": stamp} for at in range(count)])

    few = changes(rows(150, 1), rows(150, 2), json=True)
    assert few is not None
    assert len(few.lines) == 150
    assert changes(rows(MOST_CHANGES + 1, 1), rows(MOST_CHANGES + 1, 2), json=True) is None


class Counted:
    """A line whose comparisons are counted."""

    compared = 0

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return isinstance(other, Counted) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["a"] * 20_000, ["b", "a"] * 10_000),
        (["a", "b"] * 10_000, ["b", "a", "a"] * 7_000),
        ([str(at) for at in range(20_000)], [str(-at) for at in range(20_000)]),
        (["a"] * 20_000 + ["x"] + ["a"] * 20_000, ["a"] * 19_900 + ["y"] + ["a"] * 20_100),
    ],
)
def test_no_two_texts_cost_much(old: list[str], new: list[str]) -> None:
    Counted.compared = 0
    blocks([Counted(one) for one in old], [Counted(one) for one in new], MOST_CHANGES)
    longest = max(len(old), len(new))
    # Both ends, and the way along the last diagonal that was within the bound.
    assert Counted.compared <= alignment.MOST + 3 * longest


def test_what_is_too_long_or_no_document_is_not_compared() -> None:
    assert changes("x" * (MOST_READ + 1), "x", json=False) is None
    assert changes("{", "{}", json=True) is None
    deep = "[" * 5000 + "]" * 5000
    assert changes(deep, deep, json=True) is None
