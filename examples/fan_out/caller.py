"""Makes many calls at once, as many as are welcome: `python caller.py URL CALLS`."""

import asyncio
import random
import sys

from mcp import Client, MCPError

AT_ONCE = 16
ATTEMPTS = 20


async def call(client: Client, places: asyncio.Semaphore, page: str) -> tuple[int, int]:
    """The size of a page, and how often it was asked for."""
    for attempt in range(1, ATTEMPTS + 1):
        async with places:
            try:
                answer = await client.call_tool("size", {"page": page})
            except MCPError as error:
                wait = (error.data or {}).get("retry_after")
                # Without it there is nothing to wait for: the same again would fail again.
                if wait is None or attempt == ATTEMPTS:
                    raise
            else:
                return (answer.structured_content or {})["result"], attempt
        # Not while holding a place; never earlier than told, and later each time: it is the time
        # at which one more is welcome, and all who were told it are more than one.
        await asyncio.sleep(wait * attempt * random.uniform(1.0, 1.5))
    raise AssertionError


async def main(url: str, calls: int) -> None:
    """Say how many were answered, and how many times was asked for that."""
    places = asyncio.Semaphore(AT_ONCE)
    async with Client(url) as client:
        pages = (f"page {number}" for number in range(calls))
        found = await asyncio.gather(*(call(client, places, page) for page in pages))
    print(f"{len(found)} answers, asked {sum(asked for _, asked in found)} times")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
