from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.context.body import NOTE, body_of, replaced, shown
from lockgate.context.preview import preview
from lockgate.context.tokens import Estimate
from lockgate.core.raw import Raw

COUNT = Estimate()
ROWS = [{"id": number, "name": f"name {number}", "note": "x" * 500} for number in range(200)]


def result(**members: Any) -> Raw:
    return Raw(json.dumps(members).encode())


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def test_json_is_drawn_with_its_shape_its_counts_and_both_ends() -> None:
    seen = preview(json.dumps(ROWS), 300, COUNT, json=True)
    assert "array of 200 objects" in seen.kind
    assert '"id", "name", "note"' in seen.kind
    assert '"id":0' in seen.body
    assert '"id":199' in seen.body
    assert "more items" in seen.body
    assert "(500 characters)" in seen.body


def test_a_table_says_its_columns_and_rows() -> None:
    lines = ["id,name,price", *(f'{number},"thing, {number}",9.5' for number in range(500))]
    seen = preview("\n".join(lines), 200, COUNT)
    assert "500 rows of 3 columns" in seen.kind
    assert "columns: id, name, price" in seen.body
    assert lines[1] in seen.body
    assert lines[-1] in seen.body


def test_a_text_shows_its_headings_its_beginning_and_its_end() -> None:
    parts = [f"# Part {number}\n\n{'words and more words. ' * 80}\n\n" for number in range(9)]
    said = "".join(parts)
    seen = preview(said, 300, COUNT)
    assert "# Part 3 (offset" in seen.body
    offset = int(seen.body.split("# Part 3 (offset ")[1].split(")")[0])
    assert said[offset:].startswith("# Part 3")
    assert "characters …]" in seen.body
    assert seen.body.rstrip().endswith("words.")


def test_a_log_shows_both_ends() -> None:
    lines = [f"2026-01-01 12:00:{number % 60:02} line {number}" for number in range(5000)]
    seen = preview("\n".join(lines), 200, COUNT)
    assert "5000 lines" in seen.kind
    assert lines[0] in seen.body
    assert lines[-1] in seen.body


@settings(max_examples=40)
@given(
    st.recursive(
        st.none() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=200),
        lambda inner: (
            st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=20), inner, max_size=30)
        ),
        max_leaves=30,
    ),
    st.integers(20, 300),
)
def test_no_preview_of_a_document_goes_over_its_budget(value: Any, budget: int) -> None:
    seen = preview(json.dumps(value), budget, COUNT, json=True)
    assert COUNT(seen.body) <= budget


@given(st.text(max_size=3000), st.integers(20, 300))
def test_no_preview_of_a_text_goes_far_over_its_budget(said: str, budget: int) -> None:
    assert COUNT(preview(said, budget, COUNT).body) <= budget + 20


def test_what_is_too_long_to_be_read_is_shown_by_its_ends() -> None:
    said = json.dumps(["x" * 100] * 50_000)
    seen = preview(said, 100, COUNT, json=True)
    assert seen.kind.startswith("Text")
    assert COUNT(seen.body) <= 100


def test_one_text_is_its_own_body() -> None:
    body = body_of(result(content=[text("plain words")]))
    assert (body.text, body.json, body.parts) == ("plain words", False, ())
    rows = json.dumps(ROWS)
    assert body_of(result(content=[text(rows)])).json is True


@pytest.mark.parametrize("structured", [{"rows": ROWS}, {"result": [1, 2]}, {"result": "a text"}])
def test_what_says_the_same_twice_is_read_once(structured: Any) -> None:
    inner = structured.get("result", structured)
    said = inner if isinstance(inner, str) else json.dumps(inner, indent=2)
    body = body_of(result(content=[text(said)], structuredContent=structured))
    assert body.text == said
    assert body.parts == ()


def test_nothing_of_other_results_is_lost() -> None:
    whole: dict[str, Any] = {
        "content": [
            text("first\nsecond " * 40),
            {"type": "image", "mimeType": "image/png", "data": "QUJD" * 100},
            {"type": "resource", "resource": {"uri": "file:///a", "text": "deep words"}},
            {"type": "resource", "resource": {"uri": "file:///b", "blob": "QUJD"}},
            {"type": "resource_link", "uri": "file:///c", "name": "c"},
            {"type": "hologram", "rays": 7},
        ],
        "structuredContent": {"other": 1},
    }
    body = body_of(result(**whole))
    assert json.loads(body.text) == whole
    seen = str(shown(body, 300, COUNT))
    for said in ("image/png, 300 bytes", "file:///a", "/content/2", "file:///c", "hologram"):
        assert said in seen
    assert "QUJDQUJD" not in seen


def test_structured_content_alone_is_the_body() -> None:
    body = body_of(result(content=[], structuredContent={"rows": ROWS}))
    assert json.loads(body.text) == {"rows": ROWS}


def test_what_nobody_here_knows_stays_where_it_is() -> None:
    raw = result(content=[text("long")], structuredContent={"a": 1}, later=[1], _meta={"x": 1})
    link = {"type": "resource_link", "uri": "gw-result://x", "name": "t"}
    changed = json.loads(replaced(raw, "short", link, {"id": "x"}, promised=False).encode())
    assert changed == {
        "content": [text("short"), link],
        "later": [1],
        "_meta": {"x": 1, NOTE: {"id": "x"}},
    }
    assert "annotations" not in changed["content"][0]
    told = result(content=[{**text("long"), "annotations": {"audience": ["user"]}}])
    first = json.loads(replaced(told, "short", None, {}, promised=False).encode())["content"]
    assert first == [{**text("short"), "annotations": {"audience": ["user"]}}]
    kept = json.loads(replaced(raw, "short", link, {}, promised=True).encode())
    assert kept["structuredContent"] == {"a": 1}
