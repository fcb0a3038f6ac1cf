"""A tool that looks at many pages in one call, a few at a time."""

import asyncio
from typing import Annotated

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from pydantic import Field

AT_ONCE = 8
SECONDS_EACH = 5.0
server = MCPServer("pages")
# One for the whole process: a bound in each call would be no bound for many calls.
places = asyncio.Semaphore(AT_ONCE)


async def size_of(page: str) -> int:
    """Stands for whatever takes time: a request, a query."""
    await asyncio.sleep(0.01)
    if page.startswith("missing"):
        raise FileNotFoundError(page)
    return len(page)


@server.tool()
async def sizes(
    pages: Annotated[list[str], Field(max_length=1000)], ctx: Context
) -> dict[str, int | str]:
    """The size of each page, or why there is none."""
    found: dict[str, int | str] = {}

    async def look(page: str) -> None:
        try:
            async with places, asyncio.timeout(SECONDS_EACH):
                found[page] = await size_of(page)
        except (OSError, TimeoutError) as error:
            # One that fails is an answer too, and takes the others along only if it gets out.
            found[page] = f"{type(error).__name__}"
        await ctx.report_progress(len(found), len(pages))

    # Cancelling the call cancels the group, and the group all that is in it.
    async with asyncio.TaskGroup() as group:
        for page in dict.fromkeys(pages):
            group.create_task(look(page))
    return found


@server.tool()
async def size(page: str) -> int:
    """The size of one page."""
    async with places:
        return await size_of(page)


if __name__ == "__main__":
    server.run()
