"""The FastMCP client, 4.x, in either era. See README.md for what it does."""

import asyncio
import json
import sys
from typing import Any

from fastmcp import Client


def text(result: Any) -> str:
    return "".join(getattr(one, "text", "") for one in result.content)


async def give_up(client: Client[Any], tool: dict[str, Any]) -> bool:
    started = asyncio.Event()

    async def stop(progress: float, total: float | None, message: str | None) -> None:
        started.set()

    call = asyncio.create_task(
        client.call_tool(tool["name"], tool["arguments"], progress_handler=stop)
    )
    await started.wait()
    call.cancel()
    try:
        await call
    except asyncio.CancelledError:
        return True
    return False


async def run(url: str, era: str, plan: dict[str, Any]) -> dict[str, Any]:
    seen: dict[str, Any] = {"progress": []}

    async def note(progress: float, total: float | None, message: str | None) -> None:
        seen["progress"].append(progress)

    mode = "legacy" if era == "handshake" else "auto"
    async with Client(url, mode=mode, timeout=100) as client:
        seen["version"] = client.session.protocol_version
        seen["server"] = client.server_info.name if client.server_info else None
        seen["tools"] = [one.name for one in await client.list_tools()]
        seen["prompts"] = [one.name for one in await client.list_prompts()]
        seen["resources"] = [str(one.uri) for one in await client.list_resources()]
        seen["call"] = text(await client.call_tool(plan["call"]["name"], plan["call"]["arguments"]))
        found = await client.read_resource(plan["read"])
        seen["read"] = getattr(found[0], "text", None)
        tool = plan["progress"]
        await client.call_tool(tool["name"], tool["arguments"], progress_handler=note)
        seen["cancelled"] = await give_up(client, plan["cancel"])
        for _ in range(100):
            tool = plan["check"]
            seen["check"] = text(await client.call_tool(tool["name"], tool["arguments"]))
            if plan["cancel"]["arguments"]["name"] in seen["check"]:
                break
            await asyncio.sleep(0.05)
    return seen


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))))
