from __future__ import annotations

import asyncio
import base64
import json
import os
import string
from pathlib import Path
from typing import Any

import fastmcp
import pytest
from fastmcp.exceptions import ToolError
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp.client import Client
from mcp.server.mcpserver import MCPServer
from pydantic import BaseModel

from lockgate.core.store import StoreGone
from lockgate.kit import request
from lockgate.kit.deposits import HANDLE
from lockgate.kit.results import BadPage, Gone, Results, TooLarge
from lockgate.kit.sealed import place
from lockgate.stores.memory import MemoryStore
from lockgate.stores.sqlite import SqliteStore
from lockgate.testing import ManualClock
from lockgate.wire.seal import KeyRing

ROWS = [{"id": number, "name": f"name {number}"} for number in range(2000)]


async def kept(results: Results, value: Any, owner: str = "me") -> str:
    fitted = await results.fit(value, owner=owner)
    assert fitted.id is not None
    return fitted.id


async def all_of(results: Results, which: str, owner: str, limit: int | None = None) -> str:
    said, offset = "", 0
    while True:
        page = await results.read(which, owner=owner, offset=offset, limit=limit)
        said += page.text
        if page.next is None:
            return said
        offset = page.next


def test_what_fits_goes_out_as_it_is() -> None:
    async def main() -> None:
        fitted = await Results().fit({"a": 1})
        assert fitted.content == ({"type": "text", "text": '{"a":1}'},)
        assert (fitted.id, fitted.uri) == (None, None)

    asyncio.run(main())


def test_what_does_not_is_shown_by_a_preview_a_link_and_an_id() -> None:
    async def main() -> None:
        results = Results()
        fitted = await results.fit(ROWS, owner="me", name="rows")
        first, link = fitted.content
        assert "array of 2000 objects" in first["text"]
        assert f'read_result(id="{fitted.id}")' in first["text"]
        assert len(first["text"]) < 2000
        assert link == {
            "type": "resource_link",
            "uri": fitted.uri,
            "name": "rows",
            "mimeType": "application/json",
            "size": len(json.dumps(ROWS, separators=(",", ":"))),
        }
        assert json.loads(await results.value(str(fitted.id), "/7/name", owner="me")) == "name 7"
        contents = (await results.resource(str(fitted.uri), owner="me"))["contents"]
        assert json.loads(contents[0]["text"]) == ROWS
        ranged = await results.resource(f"{fitted.uri}?path=%2F7&limit=3", owner="me")
        assert ranged["contents"][0]["text"] == '{"i'
        assert ranged["contents"][0]["_meta"]["io.github.lockgate/page"]["next"] == 3

    asyncio.run(main())


@settings(max_examples=20)
@given(st.text(min_size=1).map(lambda text: text * 200), st.none() | st.integers(500, 5000))
def test_any_result_is_read_back_whole_in_pages(said: str, limit: int | None) -> None:
    async def main() -> None:
        results = Results(budget=100)
        found = await results.keep(said, owner="me")
        assert await all_of(results, str(found.id), "me", limit) == said
        assert json.loads(await results.value(str(found.id), owner="me")) == json.loads(
            json.dumps(said) if not said.strip().startswith(("[", "{")) else said
        )

    if said.strip().startswith(("[", "{")):
        return
    asyncio.run(main())


def test_large_and_binary_results_come_back_as_they_went() -> None:
    async def main() -> None:
        results = Results()
        data = os.urandom(1_300_000)
        fitted = await results.fit(data, owner="me", mime="application/pdf")
        assert "application/pdf, 1300000 bytes" in fitted.content[0]["text"]
        contents = (await results.resource(str(fitted.uri), owner="me"))["contents"][0]
        assert contents["mimeType"] == "application/pdf"
        assert base64.b64decode(contents["blob"]) == data
        text = "é" * 1_300_000
        which = await kept(results, text)
        assert json.loads(await results.value(which, owner="me")) == text

    asyncio.run(main())


@given(st.text(max_size=40))
def test_nobody_reads_what_is_anothers(handle: str) -> None:
    async def main() -> None:
        keys = KeyRing.generate()
        store = MemoryStore()
        results = Results(store, keys=keys)
        which = await kept(results, "x y" * 5000)
        for owner in ("", "you", "me ", "me\0"):
            with pytest.raises(Gone):
                await results.read(which, owner=owner)
            with pytest.raises(Gone):
                await results.value(which, owner=owner)
            with pytest.raises(Gone):
                await results.resource(f"result://{which}", owner=owner)
            await results.forget(which, owner=owner) if owner != "me" else None
        for other in (handle, which[:-1] + ("a" if which[-1] != "a" else "b"), which[:-1]):
            with pytest.raises(Gone):
                await results.read(other, owner="me")
        # Keys of somebody else sign other ids, over the same store.
        with pytest.raises(Gone):
            await Results(store, keys=KeyRing.generate()).read(which, owner="me")
        assert (await results.read(which, owner="me")).total == 15_000

    asyncio.run(main())


def test_ids_are_short_and_the_same_for_the_same_thing_of_one_owner() -> None:
    async def main() -> None:
        results = Results()
        one, again = await kept(results, ROWS), await kept(results, ROWS)
        other = await kept(results, ROWS, owner="you")
        assert one == again
        assert one[:12] != other[:12]
        assert len(one) == HANDLE
        assert set(one) <= set(string.ascii_lowercase + string.digits)

    asyncio.run(main())


def test_a_result_goes_when_its_time_is_over() -> None:
    async def main() -> None:
        clock = ManualClock()
        results = Results(ttl=60, clock=clock)
        which = await kept(results, ROWS)
        clock.advance(59)
        await results.read(which, owner="me")
        clock.advance(1)
        with pytest.raises(Gone):
            await results.read(which, owner="me")

    asyncio.run(main())


def test_bytes_are_bounded_for_each_for_an_owner_and_for_all() -> None:
    async def main() -> None:
        results = Results(largest=200_000, per_owner=250_000, most=500_000)
        with pytest.raises(TooLarge):
            await results.keep("x" * 200_001)
        assert (await results.fit("x" * 200_001)).content[0]["text"] == "x" * 200_001
        mine = [await kept(results, f"{number}" * 100_000) for number in range(3)]
        with pytest.raises(Gone):
            await results.read(mine[0], owner="me")
        await results.read(mine[1], owner="me")
        for number in range(4):
            await kept(results, "x y" * 40_000, owner=f"other {number}")
        gone = 0
        for which in mine[1:]:
            try:
                await results.read(which, owner="me")
            except Gone:
                gone += 1
        assert gone == 2

    asyncio.run(main())


def test_a_result_of_which_a_part_is_gone_is_gone() -> None:
    async def main() -> None:
        store = MemoryStore()
        results = Results(store)
        which = await kept(results, "x" * 1_200_000)
        keys: list[str] = [key for key in store._blobs if key.endswith(".1")]  # pyright: ignore[reportPrivateUsage] - to lose one
        await store.delete(keys[0])
        with pytest.raises(Gone):
            await results.read(which, owner="me")

    asyncio.run(main())


def _all_of(folder: Path) -> bytes:
    return b"".join(one.read_bytes() for one in folder.iterdir())


def test_what_is_on_disk_is_sealed_and_outlives_the_process(tmp_path: Path) -> None:
    async def main() -> None:
        old, new = os.urandom(32), os.urandom(32)
        path = tmp_path / "results.db"
        first = SqliteStore(path)
        which = await kept(Results(first, keys=KeyRing([old])), "very secret " * 5000)
        await first.close()
        assert b"very secret" not in await asyncio.to_thread(_all_of, tmp_path)
        second = SqliteStore(path)
        turned = Results(second, keys=KeyRing([new, old]))
        assert (await turned.read(which, owner="me")).total == 60_000
        with pytest.raises(Gone):
            await turned.read(which, owner="you")
        await second.close()

    asyncio.run(main())


def test_a_sealed_part_fits_nowhere_but_in_its_place(tmp_path: Path) -> None:
    async def main() -> None:
        store = SqliteStore(tmp_path / "r.db")
        results = Results(store, keys=KeyRing.generate())
        mine = await kept(results, "mine " * 5000)
        other = await kept(results, "theirs " * 5000, owner="them")
        stolen = await store.get(place("result", "them", other))
        assert stolen is not None
        await store.put(place("result", "me", mine), stolen, 60)
        with pytest.raises(Gone):
            await results.read(mine, owner="me")
        await store.close()

    asyncio.run(main())


def test_where_nothing_can_be_kept_nothing_is_lost() -> None:
    class Away(MemoryStore):
        async def put(self, *_: Any) -> None:
            raise StoreGone("away")

    async def main() -> None:
        fitted = await Results(Away()).fit("x y " * 5000)
        assert fitted.content == ({"type": "text", "text": "x y " * 5000},)

    asyncio.run(main())


def test_what_makes_no_sense_is_refused() -> None:
    async def main() -> None:
        results = Results()
        which = await kept(results, ROWS)
        for query in ("offset=x", "limit=-1", "path=/nothing", "grep=" + "x" * 300):
            with pytest.raises(BadPage):
                await results.resource(f"result://{which}?{query}", owner="me")
        for uri in ("other://" + which, "result://", "result://short", "http://[", "x" * 5000):
            with pytest.raises(Gone):
                await results.resource(uri, owner="me")

    asyncio.run(main())


class Row(BaseModel):
    id: int


@pytest.mark.parametrize(
    ("server", "client"), [(MCPServer, Client), (fastmcp.FastMCP, fastmcp.Client)]
)
def test_servers_of_both_frameworks_have_it_with_two_lines(server: Any, client: Any) -> None:
    async def main() -> None:
        made = server("rows")
        results = Results()
        results.attach(made)

        @made.tool()
        async def rows(count: int) -> list[Any]:
            return (await results.fit([Row(id=number) for number in range(count)])).blocks()

        async with client(made) as one:
            small = await one.call_tool("rows", {"count": 2})
            assert small.content[0].text == '[{"id":0},{"id":1}]'
            large = await one.call_tool("rows", {"count": 5000})
            shown, link = large.content
            assert "array of 5000 objects" in shown.text
            which = str(link.uri).removeprefix("result://")
            page = await one.call_tool(
                "read_result", {"id": which, "path": "/", "offset": 4998, "limit": 9}
            )
            assert page.content[0].text.splitlines()[1] == '[{"id":4998},{"id":4999}]'
            assert page.structured_content is None
            read = await one.read_resource(f"{link.uri}?path=%2F3%2Fid")
            contents = getattr(read, "contents", read)
            assert contents[0].text == "3"
            try:
                said = str(await one.call_tool("read_result", {"id": "nope"}))
            except ToolError as error:
                said = str(error)
            assert "There is no result 'nope' for this caller" in said
            with request.given(caller="ada"):
                hers = await results.fit("x y " * 5000)
            stranger = getattr(one, "call_tool_mcp", one.call_tool)
            refused = await stranger("read_result", {"id": hers.id})
            assert "There is no result" in str(refused)

    asyncio.run(main())
