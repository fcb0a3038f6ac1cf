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


def test_of_what_is_too_long_to_be_read_the_beginning_is() -> None:
    said = json.dumps([{"id": number, "x": "x" * 100} for number in range(40_000)])
    seen = preview(said, 100, COUNT, json=True)
    assert seen.kind.startswith("JSON, read up to character ")
    assert f"{len(said)} characters" in seen.kind
    assert '"id":0' in seen.body
    assert COUNT(seen.body) <= 100


def test_json_that_breaks_off_is_drawn_as_far_as_it_goes() -> None:
    said = json.dumps({"query": {"a": 1}, "rows": ROWS}, indent=2)[:60_000]
    seen = preview(said, 200, COUNT)
    assert seen.kind.startswith("JSON that breaks off, read up to character ")
    assert "object of 2 members" in seen.kind
    assert '"query"' in seen.body
    assert "more items of 1" in seen.body
    assert COUNT(seen.body) <= 200


def test_words_around_json_are_shown_with_it() -> None:
    ahead = "Contents of https://example.com/rows:\n"
    tail = "\nMore with start_index=5000, as there is more of it."
    seen = preview(ahead + json.dumps(ROWS[:80]) + tail, 200, COUNT)
    assert seen.kind.startswith("JSON, array of 80 objects, each with")
    assert seen.body.startswith(ahead)
    assert "start_index=5000" in seen.body
    assert COUNT(seen.body) <= 210
    linked = "[Home](x) and [more](y) words. " * 300
    assert preview(linked, 100, COUNT).kind.startswith("Text")


def test_lines_of_json_are_an_array() -> None:
    lines = [json.dumps(one) for one in ROWS]
    for said in ("\n".join(lines), "\n".join(lines) + '\n{"id": 3, "na'):
        seen = preview(said, 200, COUNT)
        assert seen.kind.startswith('JSON lines, 200 objects, each with "id", "name", "note"')
        assert '"id":199' in seen.body


def test_a_wide_object_is_shown_by_its_names() -> None:
    said = json.dumps({f"member_{number}": "x" * 80 for number in range(200)})
    seen = preview(said, 250, COUNT, json=True)
    assert "object of 200 members" in seen.kind
    assert sum(f"member_{number}" in seen.body for number in range(40)) >= 35
    assert "more of 200 members" in seen.body


def test_what_is_too_deep_is_shown_by_its_names() -> None:
    rows = [{"identifier": number, "label": "x" * 300} for number in range(50)]
    groups = {f"group {number}": {"things": rows} for number in range(9)}
    seen = preview(json.dumps(groups), 150, COUNT, json=True)
    assert "49 more items" in seen.body or "more members" in seen.body
    assert '"group 0"' in seen.body


@pytest.mark.parametrize("ahead", ["", "Here they are:\n\n"])
def test_a_table_of_markdown_says_its_columns_and_rows(ahead: str) -> None:
    rows = [f"| {number}     | city {number} | {number * 911} |" for number in range(300)]
    said = "\n".join([f"{ahead}| id | name | people |", "|----|:----|----:|", *rows])
    seen = preview(said, 150, COUNT)
    assert "300 rows of 3 columns" in seen.kind
    assert "columns: id, name, people" in seen.body
    assert "| 0 | city 0 | 0 |" in seen.body
    assert "| city 299 |" in seen.body


def test_a_table_that_breaks_off_behind_words_is_one() -> None:
    rows = [f"{number},city {number},{number * 911}" for number in range(300)]
    end = "12,ci\n<error>Cut. Ask for more.</error>"
    said = "\n".join(["Contents of https://example.com/x.csv:", "id,name,people", *rows, end])
    seen = preview(said, 150, COUNT)
    assert "rows of 3 columns" in seen.kind
    assert "columns: id, name, people" in seen.body
    assert seen.body.startswith("Contents of https://example.com/x.csv:")
    assert "Ask for more." in seen.body


def test_a_page_is_shown_by_what_it_says() -> None:
    said = "<p>Some &amp; more words.</p>\n" * 300
    page = (
        "<!DOCTYPE html><html><head><title>On &lt;things&gt;</title><style>p {}</style>"
        f"<script>var x = '<b>' + 1;</script></head><body><h1>Things</h1>{said}</body></html>"
    )
    seen = preview(page, 100, COUNT)
    assert seen.kind.startswith('HTML page "On <things>", ')
    assert "Things" in seen.body
    assert "Some & more words." in seen.body
    assert "var x" not in seen.body
    # One that has nothing to say is shown as it is.
    empty = f"<html><script>{'x = 1;' * 3000}</script></html>"
    assert preview(empty, 100, COUNT).kind.startswith("Text")


def test_source_code_is_shown_by_its_definitions() -> None:
    said = "".join(f"def step_{number}(x):\n    return x * {number}\n\n\n" for number in range(90))
    seen = preview(f"import os\n\n{said}", 200, COUNT)
    offset = int(seen.body.split("def step_1 (offset ")[1].split(")")[0])
    assert f"import os\n\n{said}"[offset:].startswith("def step_1(")


def test_of_many_headings_the_highest_are_shown() -> None:
    parts = (f"# Part {n}\n\n" + f"## Of {n}\n\nwords\n\n" * 9 for n in range(6))
    seen = preview("".join(parts), 300, COUNT)
    assert all(f"# Part {number} (offset" in seen.body for number in range(6))
    assert "## Of" not in seen.body.partition("… 54 more")[0]


def test_a_log_says_how_often_it_raises_an_alarm() -> None:
    lines = [f"{'ERROR' if not n % 100 else 'INFO'} line {n}" for n in range(1000)]
    assert "10 x ERROR" in preview("\n".join(lines), 100, COUNT).kind


@given(
    st.text(alphabet='<>scripttle{}[]"|,#-: \n', max_size=400),
    st.sampled_from(["", "<html>", "[", '{"a":', "a,b\n", "|a|b|\n|-|-|\n", "# a\n\n"]),
)
@settings(max_examples=60, deadline=None)
def test_nothing_makes_a_preview_fail_or_too_long(said: str, begin: str) -> None:
    assert COUNT(preview(begin + said * 9, 80, COUNT).body) <= 100


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
