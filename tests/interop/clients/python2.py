"""The official Python client, 2.x, in either era. See README.md for what it does."""

import asyncio
import json
import sys
from typing import Any

import anyio
from mcp import Client, StdioServerParameters


def text(result: Any) -> str:
    return "".join(getattr(one, "text", "") for one in result.content)


async def give_up(client: Client, tool: dict[str, Any]) -> bool:
    with anyio.CancelScope() as scope:

        async def stop(progress: float, total: float | None, message: str | None) -> None:
            scope.cancel()

        await client.call_tool(tool["name"], tool["arguments"], progress_callback=stop)
    return scope.cancelled_caught


def target(address: str) -> Any:
    """An URL as it is; a command line, given as a JSON array, as a server to start."""
    if not address.startswith("["):
        return address
    command, *arguments = json.loads(address)
    return StdioServerParameters(command=command, args=arguments)


async def run(address: str, era: str, plan: dict[str, Any]) -> dict[str, Any]:
    seen: dict[str, Any] = {"progress": []}

    async def note(progress: float, total: float | None, message: str | None) -> None:
        seen["progress"].append(progress)

    mode = "legacy" if era == "handshake" else "auto"
    async with Client(target(address), mode=mode, read_timeout_seconds=100) as client:
        seen["version"] = client.protocol_version
        seen["server"] = client.server_info.name if client.server_info else None
        seen["tools"] = [one.name for one in (await client.list_tools()).tools]
        seen["prompts"] = [one.name for one in (await client.list_prompts()).prompts]
        seen["resources"] = [str(one.uri) for one in (await client.list_resources()).resources]
        seen["call"] = text(await client.call_tool(plan["call"]["name"], plan["call"]["arguments"]))
        found = (await client.read_resource(plan["read"])).contents
        seen["read"] = getattr(found[0], "text", None)
        tool = plan["progress"]
        await client.call_tool(tool["name"], tool["arguments"], progress_callback=note)
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
