"""One set of functions, offered twice: as a REST API and as MCP tools, in one process.

    pip install lockgate mcp fastapi
    python examples/rest_and_mcp/server.py --port 8000

    REST: POST /api/add_note, …   described at /docs and /openapi.json
    MCP:  /mcp

The functions know of neither. They say what went wrong with errors of `lockgate.kit`, which a model
gets as the result of a tool and a program as a status of HTTP, with the same words. Bounds that are
to hold for both stand on the functions; what only one needs, where it is offered.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from mcp.server.mcpserver import MCPServer
from pydantic import BaseModel, Field
from starlette.types import ASGIApp, Receive, Scope, Send

from lockgate.kit import errors, health, limit, metrics, request, shutdown, validate

MOST_NOTES = 1000


class Note(BaseModel):
    """A note."""

    id: int
    title: str
    text: str


class Notes:
    """What there is to do with notes."""

    def __init__(self) -> None:
        self._notes: dict[int, Note] = {}
        self._last = 0

    async def add_note(
        self,
        title: Annotated[str, Field(max_length=100)],
        text: Annotated[str, Field(max_length=10_000)] = "",
    ) -> Note:
        """Write a note down."""
        if len(self._notes) >= MOST_NOTES:
            raise errors.TooLarge("There is no room for more notes", "Delete some first")
        self._last += 1
        note = Note(
            id=self._last,
            title=validate.text(title, least=1, most=100, lines=False, name="title"),
            text=validate.text(text, name="text"),
        )
        self._notes[note.id] = note
        return note

    async def find_notes(self, words: str = "", most: int = 20) -> list[Note]:
        """Notes that hold these words, the newest first."""
        validate.number(most, 1, 100, name="most")
        found = (
            note
            for note in reversed(self._notes.values())
            if words.lower() in f"{note.title} {note.text}".lower()
        )
        return [note for note, _ in zip(found, range(most), strict=False)]

    async def delete_note(self, id: int) -> Note:  # noqa: A002 - what callers see
        """Throw a note away."""
        note = self._notes.pop(id, None)
        if note is None:
            raise errors.NotFound(f"There is no note {id}", "Ask find_notes which there are")
        return note

    @property
    def functions(self) -> tuple[Callable[..., Awaitable[Any]], ...]:
        """All of it."""
        return self.add_note, self.find_notes, self.delete_note


STATUSES: dict[type[errors.ToolError], int] = {
    errors.InvalidInput: 422,
    errors.NotFound: 404,
    errors.NotAllowed: 403,
    errors.RateLimited: 429,
    errors.TooLarge: 413,
    errors.TimedOut: 504,
    errors.Unavailable: 503,
}


async def as_status(_: Request, error: Exception) -> JSONResponse:
    """An error as HTTP says it; with the very words that a model gets."""
    kinds = [status for kind, status in STATUSES.items() if isinstance(error, kind)]
    said = errors.result(error)["structuredContent"]["error"]
    headers = {"retry-after": str(round(said["retryAfter"] + 1))} if "retryAfter" in said else {}
    return JSONResponse({"error": said}, kinds[0] if kinds else 500, headers)


class ToldApart:
    """Says who calls by REST; by MCP `request.noted` does. ASGI itself, so streams stay streams."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See above."""
        path = scope.get("path", "")
        peer = (scope.get("client") or ("", 0))[0]
        with request.given(peer=peer, tool=path.rpartition("/")[2]):
            await self._app(scope, receive, send)


def make(notes: Notes | None = None, rate: str = "120/min") -> FastAPI:
    """The application that is served."""
    notes = notes or Notes()
    server = MCPServer("notes", middleware=[request.noted])
    well, counted = health.Health("notes"), metrics.Metrics("notes")
    mcp = server.streamable_http_app(json_response=True)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # A mounted application's lifespan is not run by whoever mounts it.
        async with mcp.router.lifespan_context(mcp):
            yield

    api = FastAPI(title="notes", lifespan=lifespan)
    api.add_exception_handler(errors.ToolError, as_status)
    bounded = limit.limit(rate)
    for function in notes.functions:
        both = counted.measured(bounded(function))
        server.tool()(errors.reported(both))
        api.post(f"/api/{function.__name__}")(both)
    well.add_to(api, tool=None)
    counted.add_to(api)

    api.add_middleware(ToldApart)
    api.mount("/", mcp)
    return api


def main() -> None:
    """Serve at a port of this machine."""
    parser = argparse.ArgumentParser(description="Notes, by REST and by MCP.")
    parser.add_argument("--port", type=int, default=8000)
    port = parser.parse_args().port

    async def serve() -> None:
        await shutdown.Shutdown().serve(make(), port=port)

    asyncio.run(serve())


if __name__ == "__main__":
    main()
