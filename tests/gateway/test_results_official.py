"""Long results between the official client, in each era, and servers on the official SDK."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from mcp import Client

from lockgate.context.body import NOTE
from tests.fronts.served import run
from tests.security.world import Json, gateway

SERVER = Path(__file__).with_name("long_server.py")
ERAS = {"handshake": "legacy", "modern": "auto"}


def entry(name: str) -> Json:
    return {"command": sys.executable, "args": [str(SERVER), name]}


def text(result: Any) -> str:
    return str(result.content[0].text)


async def passed_on(one: Client, first: str, last: str) -> None:
    """A long text is previewed, read in parts, and handed to another tool."""
    listed = {tool.name for tool in (await one.list_tools()).tools}
    assert {"read_result", f"{last}summed"} <= listed
    templates = (await one.list_resource_templates()).resource_templates
    assert any(each.uri_template.startswith("gw-result://") for each in templates)

    shown = await one.call_tool(f"{first}story", {"words": 5000})
    assert "5000 lines" in text(shown)
    link: Any = shown.content[1]
    which = (shown.meta or {})[NOTE]["id"]
    found = await one.call_tool("read_result", {"id": which, "grep": "word 4999"})
    assert text(found).endswith("word 4999")
    whole: Any = (await one.read_resource(link.uri)).contents[0]
    assert whole.text.count("\n") == 4999
    counted = await one.call_tool(f"{last}lines", {"text": f"$result:{which}"})
    assert counted.structured_content == {"result": 5000}

    rows = await one.call_tool(f"{first}orders", {"count": 2000})
    kept = (rows.meta or {})[NOTE]["id"]
    wrong = await one.call_tool(f"{last}summed", {"numbers": {"$result": kept}})
    assert wrong.is_error


async def promised(one: Client, first: str, last: str) -> None:
    """The client holds structured content against the schema that the tool lists."""
    numbers = await one.call_tool(f"{first}typed", {"count": 5000})
    assert numbers.structured_content == {"result": list(range(5000))}
    assert text(numbers).startswith("[Too long to show whole")
    which = (numbers.meta or {})[NOTE]["id"]
    asked = {"numbers": {"$result": which, "path": "/structuredContent/result"}}
    total = await one.call_tool(f"{last}summed", asked)
    assert total.structured_content == {"result": sum(range(5000))}


def test_clients_of_each_era_before_one_server_and_before_several() -> None:
    servers = {
        name: {"command": sys.executable, "args": [str(SERVER), name]}
        for name in ("sales", "stock")
    }
    ends: Json = {"/mcp": {}, "/one": {"servers": ["sales"], "naming": "bare"}}

    async def play() -> None:
        async with gateway(servers, results={"enabled": True}, endpoints=ends) as w:
            for mode in ERAS.values():
                for path, first, last in (("mcp", "sales__", "stock__"), ("one", "", "")):
                    url = f"http://127.0.0.1:{w.port}/{path}"
                    async with Client(url, mode=mode, read_timeout_seconds=20) as one:
                        await passed_on(one, first, last)
                        await promised(one, first, last)

    run(play())
