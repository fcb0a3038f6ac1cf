"""What is indexed, when, and how much of it is kept."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lockgate.core.raw import Raw
from lockgate.gateway import searching
from lockgate.gateway.face import Face, merge
from lockgate.gateway.listing import LISTS, Item, Section
from lockgate.gateway.searching import Library, View

TOOLS = LISTS["tools/list"]


def face(*names: str, naming: Any = "prefix", server: str = "s", **more: Any) -> Face:
    items = [
        Item(one, Raw.of({"name": one, "description": f"Does {one}.", **more})) for one in names
    ]
    section = Section(server=server, items=tuple(items))
    return merge(TOOLS, [section], naming, modern=True, page_size=100)


def found(view: View, query: str) -> list[str]:
    return [view.names[hit.number] for hit in view.scope.search(query, 10)]


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what is indexed, as it is."""
    names: list[str] = []
    document = searching.document

    def noted(key: str, server: str, name: str, definition: Any) -> Any:
        names.append(name)
        return document(key, server, name, definition)

    monkeypatch.setattr(searching, "document", noted)
    return names


def test_what_is_known_is_not_indexed_again(added: list[str]) -> None:
    async def play() -> None:
        library, first = Library(), face("read", "write")
        view = await library.view("ann", first)
        assert await library.view("ann", first) is view
        assert added == ["read", "write"]
        # Others who see the same, under whichever names.
        other = await library.view("bob", face("read", "write", naming="bare"))
        assert added == ["read", "write"]
        assert found(view, "read it") == ["s__read"]
        assert found(other, "read it") == ["read"]
        # Only what is new.
        changed = await library.view("ann", face("read", "erase"))
        assert added == ["read", "write", "erase"]
        assert found(changed, "write") == []
        assert found(other, "write") == ["write"]
        assert library.size == 3
        await library.view("bob", face("read"))
        assert library.size == 2

    asyncio.run(play())


def test_the_same_name_with_another_text_is_another_thing(added: list[str]) -> None:
    async def play() -> None:
        library = Library()
        one = await library.view("ann", face("read"))
        other = await library.view("bob", face("read", title="Telescope"))
        assert added == ["read", "read"]
        assert found(one, "telescope") == []
        assert found(other, "telescope") == ["s__read"]

    asyncio.run(play())


def test_views_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "MOST_VIEWS", 3)

    async def play() -> None:
        library = Library()
        for number in range(10):
            await library.view(number, face(f"tool{number}", "shared"))
        assert library.size == 4
        for number in range(10):
            await library.view("one", face(f"tool{number}"))
        assert library.size <= 4

    asyncio.run(play())


def test_what_there_is_no_room_for_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "MOST_DOCUMENTS", 2)

    async def play() -> None:
        view = await Library().view("ann", face("read", "write", "erase"))
        assert found(view, "write") == ["s__write"]
        assert found(view, "erase") == []

    asyncio.run(play())


def test_whoever_leaves_while_it_is_indexed_leaves_nothing_behind() -> None:
    async def play() -> None:
        library = Library()
        many = face(*(f"tool{number}" for number in range(100)))
        leaving = asyncio.ensure_future(library.view("ann", many))
        staying = asyncio.ensure_future(library.view("bob", many))
        await asyncio.sleep(0)
        assert 0 < library.size < 100
        leaving.cancel()
        view = await staying
        assert leaving.cancelled()
        assert library.size == len(view.names) == 100
        await library.view("bob", face("tool1"))
        assert library.size == 1

    asyncio.run(play())


def test_others_get_their_turn_meanwhile() -> None:
    async def play() -> None:
        library = Library()
        turns = 0
        work = asyncio.ensure_future(
            library.view("ann", face(*(f"tool{number}" for number in range(200))))
        )
        while not work.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns >= 200 // searching.PIECE

    asyncio.run(play())
