"""The official Python client, 1.x, which knows the handshake era only. See README.md."""

# The project's own environment has 2.x, so a type checker sees other types than this runs with.
# pyright: reportAttributeAccessIssue=false, reportCallIssue=false, reportArgumentType=false

import asyncio
import json
import sys
from datetime import timedelta
from typing import Any

from mcp import ClientSession, types
from mcp.client.streamable_http import streamablehttp_client


def text(result: Any) -> str:
    return "".join(getattr(one, "text", "") for one in result.content)


async def give_up(session: ClientSession, tool: dict[str, Any]) -> bool:
    started = asyncio.Event()
    number = session._request_id

    async def note(progress: float, total: float | None, message: str | None) -> None:
        started.set()

    call = asyncio.create_task(
        session.call_tool(tool["name"], tool["arguments"], progress_callback=note)
    )
    await started.wait()
    params = types.CancelledNotificationParams(requestId=number, reason="given up")
    await session.send_notification(
        types.ClientNotification(types.CancelledNotification(params=params))
    )
    # This client has no way of its own to forget a request it has cancelled.
    call.cancel()
    try:
        await call
    except asyncio.CancelledError:
        return True
    return False


async def run(url: str, plan: dict[str, Any]) -> dict[str, Any]:
    seen: dict[str, Any] = {"progress": []}

    async def note(progress: float, total: float | None, message: str | None) -> None:
        seen["progress"].append(progress)

    async with (
        streamablehttp_client(url) as (read, write, _),
        ClientSession(read, write, read_timeout_seconds=timedelta(seconds=100)) as session,
    ):
        opened = await session.initialize()
        seen["version"], seen["server"] = opened.protocolVersion, opened.serverInfo.name
        seen["tools"] = [one.name for one in (await session.list_tools()).tools]
        seen["prompts"] = [one.name for one in (await session.list_prompts()).prompts]
        seen["resources"] = [str(one.uri) for one in (await session.list_resources()).resources]
        tool = plan["call"]
        seen["call"] = text(await session.call_tool(tool["name"], tool["arguments"]))
        seen["read"] = (await session.read_resource(plan["read"])).contents[0].text
        tool = plan["progress"]
        await session.call_tool(tool["name"], tool["arguments"], progress_callback=note)
        seen["cancelled"] = await give_up(session, plan["cancel"])
        for _ in range(100):
            tool = plan["check"]
            seen["check"] = text(await session.call_tool(tool["name"], tool["arguments"]))
            if plan["cancel"]["arguments"]["name"] in seen["check"]:
                break
            await asyncio.sleep(0.05)
    return seen


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(sys.argv[1], json.loads(sys.argv[3])))))
