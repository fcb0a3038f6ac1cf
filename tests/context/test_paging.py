from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.context.finding import LONGEST, BadPattern, Needles, in_text, in_value, lower
from lockgate.context.paging import LARGEST, BadPage, Page, Wanted, read, whole
from lockgate.context.pointer import NoSuchPlace, at, steps
from tests.support import effort

TEXT = st.text(max_size=300)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=6), inner, max_size=5)
    ),
    max_leaves=20,
)
DOCUMENT: dict[str, Any] = {
    "items": [{"name": f"n{number}", "size": number} for number in range(40)],
    "a/b": {"~": 1},
    "text": "first\nsecond\nthird",
}


def pages(text: str, wanted: Wanted, *, json: bool, page: int) -> list[Page]:
    found = [read(text, wanted, json=json, page=page)]
    while found[-1].next is not None:
        following = Wanted(found[-1].next, wanted.limit, wanted.grep, wanted.path)
        found.append(read(text, following, json=json, page=page))
    return found


@given(TEXT, st.integers(1, 50), st.none() | st.integers(1, 50))
def test_a_text_is_read_back_whole_in_pages(text: str, page: int, limit: int | None) -> None:
    found = pages(text, Wanted(limit=limit), json=False, page=page)
    assert "".join(one.text for one in found) == text
    assert all(len(one.text) <= (limit or page) for one in found)
    assert {one.total for one in found} == {len(text)}


@settings(max_examples=40)
@given(VALUES, st.integers(1, 50))
def test_any_document_is_read_back_whole_in_pages(value: Any, page: int) -> None:
    text = json.dumps(value)
    found = pages(text, Wanted(), json=True, page=page)
    assert json.loads("".join(one.text for one in found)) == value


@settings(max_examples=40)
@given(st.lists(VALUES, max_size=12), st.integers(30, 200))
def test_the_items_of_an_array_come_each_once_and_in_order(items: list[Any], page: int) -> None:
    text = json.dumps({"deep": items})
    found = pages(text, Wanted(path="/deep"), json=True, page=page)
    got: list[Any] = []
    for one in found:
        assert one.unit == "items"
        if one.note:
            # One that fits on no page is told how it is read.
            path = one.note.rpartition("path=")[2]
            got.append(json.loads(whole(text, path, json=True)))
        else:
            got += json.loads(one.text)
    assert got == items


def test_paths_are_pointers_or_what_models_write() -> None:
    text = json.dumps(DOCUMENT).encode()
    for path in ("/items/3/name", "items[3].name", "$.items[3]['name']", "items.3.name"):
        assert at(text, path) == b'"n3"'
    assert json.loads(at(text, "/a~1b/~0")) == 1
    assert json.loads(at(text, "/items/-1/size")) == 39
    assert json.loads(at(text, "/items/*/size")) == list(range(40))
    assert json.loads(at(text, "*")) == list(DOCUMENT.values())


def test_a_number_keeps_its_spelling() -> None:
    text = b'{"a":[1.10,12345678901234567890123,1e400]}'
    assert at(text, "/a") == b"[1.10,12345678901234567890123,1e400]"
    assert at(text, "/a/2") == b"1e400"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/nothing", "no member 'nothing'. It has items, a/b, text."),
        ("/items/99", "array of 40"),
        ("/items/---1", "none of them"),
        ("/text/0", "neither an array nor an object"),
        ("/items/*/colour", "no member 'colour'"),
        ("[", "no path"),
        ("/" * 2000, "at most 1024 characters"),
        ("/1" * 40, "at most 32 steps"),
    ],
)
def test_a_path_that_leads_nowhere_says_what_there_is(path: str, said: str) -> None:
    with pytest.raises(BadPage, match=re.escape(said)):
        read(json.dumps(DOCUMENT), Wanted(path=path), json=True)


@given(st.text(max_size=40))
def test_no_path_does_anything_but_lead_somewhere_or_not(path: str) -> None:
    with suppress(NoSuchPlace):
        steps(path)
        at(json.dumps(DOCUMENT).encode(), path)


def test_grep_finds_lines_and_says_where_they_are() -> None:
    text = "alpha\nbeta Gamma\n" * 20
    page = read(text, Wanted(grep="GAMMA|nothing", limit=2), json=False)
    assert page.text.splitlines() == [
        "line 2, offset 6: beta Gamma",
        "line 4, offset 23: beta Gamma",
    ]
    assert (page.total, page.next, page.unit) == (20, 2, "matches")
    assert read(text, Wanted(offset=6, limit=10), json=False).text == "beta Gamma"


def test_grep_finds_members_and_says_their_path() -> None:
    page = read(json.dumps(DOCUMENT), Wanted(grep="n17|second"), json=True)
    assert page.text == "/items/17/name: n17\n/text: first\nsecond\nthird"
    under = read(json.dumps(DOCUMENT), Wanted(grep="7", path="/items"), json=True)
    assert "/items/7/name: n7" in under.text
    assert "text" not in under.text


@given(st.text(max_size=200), st.text(min_size=1, max_size=3))
def test_every_line_that_has_it_is_found(text: str, word: str) -> None:
    try:
        needles = Needles(word)
    except BadPattern:
        assert not word.strip("|")
        return
    parts = [lower(part) for part in word.split("|") if part]
    hit = any(part in lower(text) for part in parts)
    assert bool(list(in_text(needles, text))) == hit


@settings(max_examples=40)
@given(VALUES, st.text(st.characters(exclude_characters="|"), min_size=1, max_size=2))
def test_every_value_that_has_it_is_found(value: Any, word: str) -> None:
    document = json.dumps(value)
    for match in in_value(Needles(word), value):
        if match.where != "/":
            assert at(document.encode(errors="surrogatepass"), match.where) is not None


def test_a_pattern_is_bounded() -> None:
    for pattern in ("", "||", "x" * (LONGEST + 1), "|".join("abcdefghi")):
        with pytest.raises(BadPage):
            read("text", Wanted(grep=pattern), json=False)


@pytest.mark.parametrize("word", ["aaaaaaaab", "a" * 199 + "b", "a|aa|aaa|aab|b|ab"])
def test_no_pattern_takes_long(word: str) -> None:
    def work(size: int) -> Callable[[], object]:
        return partial(read, "a" * size, Wanted(grep=word), json=False)

    # A product of the two would take sixteen times as long again for each step.
    assert effort.ratio(work(25_000), work(400_000), 60) <= 60


def test_a_deep_document_has_no_endless_paths() -> None:
    deep: Any = "x"
    for _ in range(300):
        deep = {"k" * 5000: deep}
    found = list(in_value(Needles("x"), deep))
    assert len(found[0].where) < 10_000
    nested = "[" * 100_000 + "]" * 100_000
    with pytest.raises(BadPage):
        read(nested, Wanted(grep="x"), json=True)
    assert read(nested, Wanted(limit=3), json=True).text == "[[["


def test_no_page_is_larger_than_the_largest() -> None:
    text = json.dumps(["x" * 100_000, "y"])
    assert len(read(text, Wanted(limit=10**9), json=True).text) == LARGEST
    cut = read(text, Wanted(path="/", limit=5), json=True)
    assert len(cut.text) == LARGEST
    assert "path=/0" in cut.note
    assert read(text, Wanted(offset=cut.next or 0, path="/"), json=True).text == '["y"]'


@pytest.mark.parametrize("wanted", [Wanted(offset=-1), Wanted(limit=0), Wanted(path="/x")])
def test_what_cannot_be_given_is_refused(wanted: Wanted) -> None:
    with pytest.raises(BadPage):
        read("plain", wanted, json=False)


def test_behind_the_end_there_is_nothing() -> None:
    page = read("abc", Wanted(offset=9), json=False)
    assert (page.text, page.next) == ("", None)
    assert "there are 3" in page.headline()


def test_the_whole_of_a_value() -> None:
    text = json.dumps(DOCUMENT)
    assert json.loads(whole(text, None, json=True)) == DOCUMENT
    assert json.loads(whole("plain\ntext", None, json=False)) == "plain\ntext"
    assert json.loads(whole(text, "/text", json=True)) == DOCUMENT["text"]
    with pytest.raises(BadPage):
        whole("plain", "/x", json=False)
