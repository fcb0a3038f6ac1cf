"""Merging lists: order, names, collisions, hints, pages."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.message import Failure, Result, Target
from lockgate.core.raw import Raw
from lockgate.gateway.face import Face, merge
from lockgate.gateway.listing import LISTS, Item, Section

TOOLS = LISTS["tools/list"]
RESOURCES = LISTS["resources/list"]


def section(server: str, *names: str, key: str = "name", **more: Any) -> Section:
    items = tuple(Item(name, Raw.of({key: name, "x-unknown": [server]})) for name in names)
    return Section(server=server, items=items, **more)


def first_page(face: Face) -> dict[str, Any]:
    page = face.page(None)
    assert isinstance(page, Result)
    return json.loads(page.raw.encode())


def test_order_is_configuration_order_then_the_servers_own() -> None:
    face = merge(
        TOOLS, [section("b", "z", "a"), section("a", "m")], "prefix", modern=True, page_size=9
    )
    assert [t["name"] for t in first_page(face)["tools"]] == ["b__z", "b__a", "a__m"]
    assert face.routes["b__z"] == Target("b", "tool", "z")


def test_definitions_arrive_verbatim_but_for_the_name() -> None:
    raw = Raw(
        b'{"name":"t","inputSchema":{"$ref":"#/x","n":1.50},"vendor":{"deep":[1,{"a":null}]}}'
    )
    one = Section(server="s", items=(Item("t", raw),))
    bare = merge(TOOLS, [one], "bare", modern=False, page_size=9).items["t"]
    assert bare.encode() is raw.encode()
    prefixed = merge(TOOLS, [one], "prefix", modern=False, page_size=9).items["s__t"]
    assert prefixed.encode() == raw.encode().replace(b'"t"', b'"s__t"')


def test_colliding_names_are_listed_for_nobody_and_refused_with_both_origins() -> None:
    face = merge(
        TOOLS,
        [section("a", "search", "x"), section("b", "Search")],
        "bare",
        modern=True,
        page_size=9,
    )
    assert [t["name"] for t in first_page(face)["tools"]] == ["x"]
    assert not {"search", "Search"} & set(face.routes)
    for name in ("search", "Search"):
        message = face.refused[name].message
        assert "a (search)" in message
        assert "b (Search)" in message


def test_a_server_name_with_the_separator_in_it_shadows_nobody() -> None:
    face = merge(
        TOOLS, [section("a", "b__c"), section("a__b", "c")], "prefix", modern=True, page_size=9
    )
    assert face.routes == {}
    assert "a (b__c)" in face.refused["a__b__c"].message
    assert "a__b (c)" in face.refused["a__b__c"].message


def test_one_server_may_tell_names_apart_by_case() -> None:
    face = merge(TOOLS, [section("a", "get", "Get")], "bare", modern=True, page_size=9)
    assert set(face.routes) == {"get", "Get"}


def test_a_uri_on_two_servers_is_listed_under_an_alias_for_each() -> None:
    face = merge(
        RESOURCES,
        [section("a", "file:///x", key="uri"), section("b", "file:///x", "file:///y", key="uri")],
        "prefix",
        modern=True,
        page_size=9,
    )
    listed = [r["uri"] for r in first_page(face)["resources"]]
    assert listed == ["lockgate://a/file:///x", "lockgate://b/file:///x", "file:///y"]
    assert face.routes["lockgate://b/file:///x"] == Target("b", "resource", "file:///x")
    assert "lockgate://a/file:///x" in str(face.refused["file:///x"].remedy)


def test_hints_are_the_strictest_of_the_parts() -> None:
    def hints(*parts: Section) -> tuple[int, str]:
        page = first_page(merge(TOOLS, parts, "prefix", modern=True, page_size=9))
        return page["ttlMs"], page["cacheScope"]

    long_public = section("a", "x", ttl_ms=60_000, scope="public")
    short_public = section("b", "y", ttl_ms=1_000, scope="public")
    private = section("c", "z", ttl_ms=60_000, scope="private")
    silent = section("d", "w")
    assert hints(long_public) == (60_000, "public")
    assert hints(long_public, short_public) == (1_000, "public")
    assert hints(long_public, private) == (60_000, "private")
    assert hints(long_public, silent) == (0, "private")
    assert hints() == (0, "private")


def test_hints_are_not_written_for_the_handshake_era() -> None:
    face = merge(TOOLS, [section("a", "x", ttl_ms=5)], "bare", modern=False, page_size=9)
    assert set(first_page(face)) == {"tools"}


def test_members_of_the_result_nobody_knows_survive() -> None:
    part = section("a", "x", extras={"_meta": b'{"v":1}', "vendor": b"[1]"})
    assert first_page(merge(TOOLS, [part], "bare", modern=False, page_size=9))["vendor"] == [1]


@given(st.integers(0, 25), st.integers(1, 7))
def test_pages_hold_everything_once_and_in_order(count: int, size: int) -> None:
    names = [f"t{i}" for i in range(count)]
    face = merge(TOOLS, [section("a", *names)], "bare", modern=True, page_size=size)
    seen: list[str] = []
    cursor: object = None
    for _ in range(count + 2):
        page = face.page(cursor)
        assert isinstance(page, Result)
        decoded = json.loads(page.raw.encode())
        assert len(decoded["tools"]) <= size
        seen += [t["name"] for t in decoded["tools"]]
        cursor = decoded.get("nextCursor")
        if cursor is None:
            break
    assert seen == names


@given(st.one_of(st.text(max_size=80), st.integers(), st.binary(max_size=9), st.just("")))
def test_a_cursor_that_is_not_ours_is_refused(cursor: object) -> None:
    face = merge(TOOLS, [section("a", "x", "y")], "bare", modern=True, page_size=1)
    answer = face.page(cursor)
    assert isinstance(answer, Failure)
    assert (answer.code, answer.reason) == (-32602, "invalid-cursor")


def test_a_cursor_of_an_older_list_is_refused() -> None:
    old = merge(TOOLS, [section("a", "x", "y")], "bare", modern=True, page_size=1)
    new = merge(TOOLS, [section("a", "x", "z")], "bare", modern=True, page_size=1)
    cursor = first_page(old)["nextCursor"]
    assert isinstance(old.page(cursor), Result)
    assert isinstance(new.page(cursor), Failure)


def test_what_is_withheld_is_refused_by_the_name_it_would_have_had() -> None:
    why = Failure(code=-32602, message="no", origin="policy", reason="withheld")
    parts = [section("docs", "read", withheld={"write": why}), section("web", "write")]
    face = merge(TOOLS, parts, "prefix", modern=True, page_size=9)
    assert set(face.routes) == {"docs__read", "web__write"}
    assert face.refused == {"docs__write": why}
