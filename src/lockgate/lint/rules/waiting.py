"""Rules about what keeps everybody else waiting.

Must not know: how any of it is found.
"""

from __future__ import annotations

from typing import Final

from lockgate.lint.rule import Rule

WAITING: Final = (
    Rule(
        id="blocking-call",
        group="waiting",
        severity="review",
        summary="The event loop stands still while this call waits.",
        why=(
            "An asynchronous server has one thread for all its clients. While one call waits for a "
            "disk, a process or another server without `await`, no other is answered, no ping "
            "either, and clients take the server for dead."
        ),
        remedy=(
            "Await an asynchronous one, hand it to `asyncio.to_thread`, or make the tool a plain "
            "function: frameworks run those in threads."
        ),
        ruff=(
            "ASYNC210",
            "ASYNC212",
            "ASYNC220",
            "ASYNC221",
            "ASYNC222",
            "ASYNC230",
            "ASYNC240",
            "ASYNC250",
            "ASYNC251",
        ),
        fixable=True,
        bad='''\
import time


@mcp.tool()
async def restart(service: str) -> str:
    """Restart a service, and say when it is up."""
    time.sleep(5)
    return f"{service} is up"
''',
        good='''\
import asyncio


@mcp.tool()
async def restart(service: str) -> str:
    """Restart a service, and say when it is up."""
    await asyncio.sleep(5)
    return f"{service} is up"
''',
    ),
    Rule(
        id="fan-out-unbounded",
        group="waiting",
        severity="review",
        summary="The caller decides how much is done at once.",
        why=(
            "A list with ten thousand entries starts ten thousand requests, and takes memory, "
            "sockets and the good will of whoever is asked with it."
        ),
        remedy=(
            "Hold a semaphore around each, or run them in batches; say in the schema how many "
            "there may be."
        ),
        bad='''\
import asyncio


async def length(text: str) -> int:
    return len(text)


@mcp.tool()
async def lengths(texts: list[str]) -> list[int]:
    """Measure many texts."""
    return await asyncio.gather(*[length(text) for text in texts])
''',
        good='''\
import asyncio


async def length(text: str, turn: asyncio.Semaphore) -> int:
    async with turn:
        return len(text)


@mcp.tool()
async def lengths(texts: list[str]) -> list[int]:
    """Measure many texts."""
    turn = asyncio.Semaphore(8)
    return await asyncio.gather(*[length(text, turn) for text in texts])
''',
    ),
    Rule(
        id="task-dropped",
        group="waiting",
        severity="review",
        summary="Nobody keeps the task, so it may end before it is done.",
        why=(
            "The loop keeps weak references to tasks only: one that nobody holds can be collected "
            "while it waits, and its error is seen by nobody."
        ),
        remedy="Keep it in a set until it is done, or start it in a task group.",
        ruff=("RUF006",),
        bad='''\
import asyncio


async def reindex() -> None:
    await asyncio.sleep(1)


@mcp.tool()
async def refresh() -> str:
    """Rebuild the index in the background."""
    asyncio.create_task(reindex())
    return "begun"
''',
        good='''\
import asyncio

running: set[asyncio.Task[None]] = set()


async def reindex() -> None:
    await asyncio.sleep(1)


@mcp.tool()
async def refresh() -> str:
    """Rebuild the index in the background."""
    task = asyncio.create_task(reindex())
    running.add(task)
    task.add_done_callback(running.discard)
    return "begun"
''',
    ),
    Rule(
        id="timeout-missing",
        group="waiting",
        severity="review",
        summary="The request may wait for ever.",
        why=(
            "Without a timeout a server that accepts a connection and says nothing holds the call, "
            "its thread and its caller for as long as it likes."
        ),
        remedy="Give it a timeout that is shorter than the one clients have for your tool.",
        ruff=("S113",),
        bad='''\
import requests


@mcp.tool()
def status() -> int:
    """Say what the service answers."""
    return requests.get("https://service.example/health").status_code
''',
        good='''\
import requests


@mcp.tool()
def status() -> int:
    """Say what the service answers."""
    return requests.get("https://service.example/health", timeout=10).status_code
''',
    ),
)
