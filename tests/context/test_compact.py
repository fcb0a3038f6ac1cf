"""Compaction: what goes, what stays, and that nothing is accepted that was not, or the reverse."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.context import lossless as proof
from bench.context.instances import schema as any_schema
from bench.context.instances import seeded
from lockgate.context.compact.keywords import TooDeep
from lockgate.context.compact.levels import FLAG, LEVELS, shaped
from lockgate.context.compact.lossless import lossless
from lockgate.context.compact.text import cut, first_sentence, tidy
from tests.support import effort

DRAFT7 = "http://json-schema.org/draft-07/schema#"
OBJECT: dict[str, Any] = {"type": "object"}


def props(**members: Any) -> dict[str, Any]:
    return {"type": "object", "properties": members}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({**OBJECT, "$schema": DRAFT7}, OBJECT),
        ({**OBJECT, "$comment": "generated", "title": "create_issueArguments"}, OBJECT),
        ({**OBJECT, "required": [], "examples": [], "description": " \n "}, OBJECT),
        ({**OBJECT, "additionalProperties": True}, OBJECT),
        ({**OBJECT, "additionalProperties": {}}, OBJECT),
        ({**OBJECT, "$defs": {"Unused": {"type": "string"}}}, OBJECT),
        (props(repo_name={"title": "Repo Name"}), props(repo_name={})),
        (
            {**props(at={"$ref": "#/$defs/Place"}), "$defs": {"Place": {"type": "string"}}},
            props(at={"type": "string"}),
        ),
        (
            {
                **props(at={"$ref": "#/$defs/Place", "description": "Where"}),
                "$defs": {"Place": {"title": "Place", "type": "string", "description": "A place"}},
            },
            props(at={"type": "string", "description": "Where"}),
        ),
        (
            props(page={"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}),
            props(page={"type": ["integer", "null"], "minimum": 1}),
        ),
        (
            props(page={"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None}),
            props(page={"type": ["integer", "null"]}),
        ),
    ],
)
def test_what_goes(before: Any, after: Any) -> None:
    assert lossless(before, type_lists=True) == after


@pytest.mark.parametrize(
    "schema",
    [
        # Draft-07 reads a list of schemas under `items` as a tuple; 2020-12 does not.
        {**props(a={"items": [{"type": "string"}]}), "$schema": DRAFT7},
        {**props(a={"$ref": "#", "type": "string"}), "$schema": DRAFT7},
        {**OBJECT, "dependencies": {"a": ["b"]}, "$schema": DRAFT7},
        {**OBJECT, "$schema": "http://json-schema.org/draft-04/schema#"},
        # What a model can learn from.
        props(a={"title": "When the parcel was posted"}),
        props(a={"examples": ["2026-01-01"], "default": 10}),
        # What something else depends on.
        {**props(a={}), "additionalProperties": True, "unevaluatedProperties": False},
        {
            **props(
                a={"$ref": "#/properties/b"}, b={"anyOf": [{"type": "string"}, {"type": "null"}]}
            )
        },
        {**props(a={"$ref": "other.json"}), "$defs": {"B": {"type": "string"}}},
        # null is refused by the other choice, or by what stands beside it.
        props(a={"anyOf": [{"type": "string", "enum": ["x"]}, {"type": "null"}]}),
        props(a={"anyOf": [{"type": "string"}, {"type": "null"}], "type": "string"}),
        {**props(a={"type": ["string", "null"], "default": None}), "required": ["a"]},
        # What nobody here knows, and names that only look like keywords.
        props(a={"x-mcp-header": "Region"}, title={}, examples={}, **{"$comment": {}}),
        {**OBJECT, "const": {"title": "x", "required": []}},
    ],
)
def test_what_stays(schema: Any) -> None:
    assert lossless(schema, type_lists=True) == schema


def test_definitions_used_twice_or_by_themselves_stay() -> None:
    tree = {"type": "object", "properties": {"left": {"$ref": "#/$defs/Tree"}}}
    schema = {**props(a={"$ref": "#/$defs/Tree"}), "$defs": {"Tree": tree}}
    assert lossless(schema, type_lists=True) == schema


def test_readers_who_take_no_lists_of_types_get_none() -> None:
    schema = props(a={"anyOf": [{"type": "string"}, {"type": "null"}]})
    assert lossless(schema, type_lists=False) == schema


def test_the_same_is_accepted_before_and_after() -> None:
    random = seeded(8)
    found = proof.proved((any_schema(random) for _ in range(700)), fitting=3, mutated=6)
    assert found.differences == []
    assert found.changed > 600
    assert found.values > 10_000
    assert found.accepted > found.values // 5


def test_a_compaction_that_is_wrong_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(schema: Any, *, type_lists: bool) -> Any:
        del type_lists
        return {key: one for key, one in schema.items() if key != "additionalProperties"}

    monkeypatch.setattr(proof, "lossless", wrong)
    random = seeded(8)
    assert proof.proved(any_schema(random) for _ in range(50)).differences


def tool(**members: Any) -> bytes:
    return json.dumps({"name": "create_issue", **members}).encode()


TOOL = tool(
    title="Create an issue",
    description="""Opens an issue.

        Args:
            owner:  whose repository it is, as it stands in the address bar of a browser window
    """,
    inputSchema={
        "$schema": DRAFT7,
        "title": "create_issueArguments",
        "type": "object",
        "properties": {
            "owner": {"type": "string", "title": "Owner", "description": "Who owns it. " * 20},
            "page": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
            "state": {"enum": ["open", "closed"], "description": "State"},
        },
        "required": ["owner"],
        "additionalProperties": False,
    },
    annotations={"readOnlyHint": False},
    _meta={"vendor": 1},
)


def test_each_level_is_shorter_than_the_one_before() -> None:
    lengths = [len(shaped(TOOL, level, type_lists=True)) for level in LEVELS]
    assert lengths == sorted(lengths, reverse=True)
    assert shaped(TOOL, "off", type_lists=True) is TOOL


@pytest.mark.parametrize("level", LEVELS)
def test_what_is_no_schema_or_description_is_kept(level: Any) -> None:
    found = json.loads(shaped(TOOL, level, type_lists=True))
    assert found["name"] == "create_issue"
    assert found["title"] == "Create an issue"
    assert found["annotations"] == {"readOnlyHint": False}
    assert found["_meta"]["vendor"] == 1
    assert found["inputSchema"]["type"] == "object"


@pytest.mark.parametrize("level", LEVELS)
def test_what_lost_something_says_so(level: Any) -> None:
    found = json.loads(shaped(TOOL, level, type_lists=True))
    assert found["_meta"].get(FLAG) == (None if level in ("off", "lossless") else level)


def test_the_lossless_level_keeps_lines_and_indents_that_mean_something() -> None:
    found = json.loads(shaped(TOOL, "lossless", type_lists=True))
    assert found["description"] == (
        "Opens an issue.\nArgs:\n    owner: whose repository it is, as it stands in the address bar"
        " of a browser window"
    )


def test_a_signature_is_a_description_and_any_object() -> None:
    found = json.loads(shaped(TOOL, "signature", type_lists=True))
    assert found["inputSchema"] == {"type": "object"}
    assert found["description"] == (
        '(owner: string, page?: integer, state?: "open"|"closed") - Opens an issue.'
    )


def test_what_is_sent_as_a_header_is_always_seen() -> None:
    schema = props(
        region={"type": "string", "x-mcp-header": "Region", "description": "Where " * 40}
    )
    found = json.loads(shaped(tool(inputSchema=schema), "signature", type_lists=True))
    assert found["inputSchema"]["properties"] == {
        "region": {"type": "string", "x-mcp-header": "Region"}
    }


@pytest.mark.parametrize(
    "odd",
    [
        b'{"name":"a","inputSchema":true}',
        b'{"name":"a","inputSchema":{"properties":[1],"required":1,"$defs":[]}}',
        b'{"name":"a","inputSchema":{"$ref":7,"anyOf":{"type":"null"}},"_meta":3}',
        b'{"name":"a","description":7,"inputSchema":{"maximum":1e999}}',
        b"[]",
        b"",
        b'{"name":"a","inputSchema":' + b'{"not":' * 300 + b"{}" + b"}" * 301,
    ],
)
@pytest.mark.parametrize("level", LEVELS)
def test_what_is_odd_passes(odd: bytes, level: Any) -> None:
    assert len(shaped(odd, level, type_lists=True)) <= len(odd)


def test_what_nests_too_deeply_is_left_alone() -> None:
    schema: Any = {}
    for _ in range(100):
        schema = {"not": schema}
    with pytest.raises(TooDeep):
        lossless(schema, type_lists=True)


@given(seed=st.integers(0, 10**6), level=st.sampled_from(LEVELS))
@settings(max_examples=60, deadline=None)
def test_the_same_bytes_become_the_same_bytes(seed: int, level: Any) -> None:
    before = tool(description="Does it. " * 3, inputSchema=any_schema(seeded(seed)))
    once = shaped(before, level, type_lists=True)
    assert shaped(before, level, type_lists=True) == once
    if level == "lossless":
        assert shaped(once, level, type_lists=True) == once


def test_the_time_it_takes_grows_with_the_definition_alone() -> None:
    wide = {f"p{at}": {"anyOf": [{"type": "string"}, {"type": "null"}]} for at in range(2_000)}
    chain = {f"D{at}": {"items": {"$ref": f"#/$defs/D{at + 1}"}} for at in range(2_000)}
    for schema in (props(**wide), {**props(a={"$ref": "#/$defs/D0"}), "$defs": chain}):
        wide_and_long = tool(inputSchema=schema, description=" \n\t" * 100_000)
        work = partial(shaped, wide_and_long, "bare", type_lists=True)
        assert effort.seconds(work, 5) <= 5


def test_texts() -> None:
    fenced = "Runs it:\n\n```python\nif  a:\n\n    b()\n```\n\n\n  done   now"
    assert tidy(fenced) == "Runs it:\n```python\nif  a:\n\n    b()\n```\n  done now"
    assert tidy(" plain ") == "plain"
    assert first_sentence("Lists files. And more.\nEven more.", 200) == "Lists files."
    assert first_sentence("列出文件。更多", 200) == "列出文件。"
    assert cut("one two three four", 12) == "one two…"
    assert cut("x" * 50, 10) == "x" * 9 + "…"
