"""The official Python client finds tools, has them described, and calls them, in either era."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fronts.served import run
from tests.gateway.reloading import changing
from tests.support.speaking import HANDSHAKE, MODERN

pytestmark = pytest.mark.interop


def text(result: Any) -> str:
    (one,) = result.content
    assert not result.is_error
    return one.text


@pytest.mark.parametrize(("mode", "revision"), [("legacy", HANDSHAKE), ("auto", MODERN)])
def test_find_describe_call(mode: Any, revision: str) -> None:
    from mcp import Client

    async def play() -> None:
        async with (
            changing(expose="search") as w,
            Client(f"http://127.0.0.1:{w.port}/mcp", mode=mode) as client,
        ):
            assert client.protocol_version == revision
            listed = (await client.list_tools()).tools
            assert [one.name for one in listed] == ["find_tools", "describe_tools", "call_tool"]
            found = text(await client.call_tool("find_tools", {"query": "echo", "server": "new"}))
            name = found.splitlines()[0].partition("(")[0]
            assert name == "new__echo"
            assert name in text(await client.call_tool("describe_tools", {"names": [name]}))
            asked = {"name": name, "arguments": {"a": 1}}
            called = await client.call_tool("call_tool", asked)
            assert called.structured_content == {"a": 1}
            assert (await client.call_tool(name, {"a": 2})).structured_content == {"a": 2}

    run(play())
