"""What the scripted servers have in common: their tools, lists, and what they remember.

A tool is written once and runs in both eras: ``turn.ask`` is a request of the server's own in the
one, and an ``input_required`` result in the other.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

Json = dict[str, Any]
Asked = dict[str, tuple[str, Json]]
URI = "notes://today"
ABSENT = "notes://absent"
NOWHERE = "nowhere://at-all"


class RefusedError(Exception):
    """The server answers with a JSON-RPC error."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.error: Json = {"code": code, "message": message}
        if data is not None:
            self.error["data"] = data


class Turn(Protocol):
    """One execution of a request, as its handler sees it."""

    params: Json
    facts: Json
    headers: dict[str, str]

    @property
    def server(self) -> Scripted:
        """Who answers."""
        ...

    async def ask(self, asked: Asked) -> Json:
        """Ask the client all of these at once; the answers by key."""
        ...

    def notify(self, method: str, params: Json) -> None:
        """Say something on the stream of this request."""
        ...


class Scripted:
    """What a scripted server remembers, and what it lists.

    runs      how often each tool was begun from its beginning.
    received  every message that arrived: method, params, headers.
    """

    def __init__(self, name: str, *, page: int = 0, capabilities: Json | None = None) -> None:
        self.name = name
        self.page = page
        self.capabilities: Json = capabilities or {
            "tools": {"listChanged": True},
            "prompts": {"listChanged": True},
            "resources": {"listChanged": True, "subscribe": True},
            "completions": {},
            "logging": {},
        }
        self.runs: Counter[str] = Counter()
        self.received: list[tuple[str, Json, dict[str, str]]] = []
        self.said: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.extra_tools: list[Json] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    def seen(self, method: str) -> list[Json]:
        """The params of every message of this method."""
        return [params for name, params, _ in self.received if name == method]

    async def happened(self, what: str) -> None:
        """Wait until a tool or the server has said that this has happened."""
        async with asyncio.timeout(60):
            await self.said[what].wait()

    def let(self, gate: str) -> None:
        """Let the tools go on that wait at this gate."""
        self.said[f"let {gate}"].set()

    async def handle(self, turn: Turn, method: str) -> Json:
        """Answer a request that both eras have, if the server declares what it belongs to."""
        family = method.partition("/")[0]
        if {"completion": "completions"}.get(family, family) not in self.capabilities:
            raise RefusedError(-32601, "Method not found")
        if method == "tools/call":
            name = turn.params["name"]
            tool = TOOLS.get(name)
            if tool is None:
                raise RefusedError(-32602, f"Unknown tool: {name}")
            return await tool(turn, turn.params.get("arguments", {}))
        return await METHODS[method](turn)

    def listed(self, params: Json, key: str, entries: list[Json]) -> Json:
        """A page of a list."""
        start = int(params.get("cursor", 0) or 0)
        end = start + self.page if self.page else len(entries)
        more = {"nextCursor": str(end)} if end < len(entries) else {}
        return {key: entries[start:end], "x-list": {"by": self.name}, **more}


Tool = Callable[[Turn, Json], Awaitable[Json]]
TOOLS: dict[str, Tool] = {}
METHODS: dict[str, Callable[[Turn], Awaitable[Json]]] = {}


def tool(function: Tool) -> Tool:
    TOOLS[function.__name__] = function
    return function


def method(name: str) -> Callable[[Any], Any]:
    def kept(function: Any) -> Any:
        METHODS[name] = function
        return function

    return kept


def structured(value: Any) -> Json:
    return {"content": [{"type": "text", "text": json.dumps(value)}], "structuredContent": value}


@tool
async def echo(turn: Turn, given: Json) -> Json:
    return {**structured(given), "x-unheard-of": {"deep": [None, {"é": 1}]}}


@tool
async def meta(turn: Turn, given: Json) -> Json:
    return structured({"meta": turn.params.get("_meta", {}), "headers": turn.headers})


@tool
async def who(turn: Turn, given: Json) -> Json:
    return structured(turn.facts)


@tool
async def ask(turn: Turn, given: Json) -> Json:
    """Ask `rounds`, each an object of key → [method, params]; give all answers back.

    `strict`: fail when an answer is an error, instead of making do.
    """
    answers: list[Json] = []
    for asked in given["rounds"]:
        answers.append(await turn.ask({key: tuple(one) for key, one in asked.items()}))
        if given.get("strict") and any("error" in one for one in answers[-1].values()):
            raise RefusedError(-32603, "I cannot go on", {"answers": answers})
    return structured({"answers": answers, "tag": given.get("tag")})


@tool
async def talk(turn: Turn, given: Json) -> Json:
    """Report progress and log, then wait at the gate `wait` if there is one."""
    for step in range(given.get("progress", 0)):
        report(turn, step + 1, given["progress"], given.get("tag", ""))
    for level in given.get("logs", ()):
        note(turn, level, given.get("tag", ""))
    if "wait" in given:
        await hold(turn, given["wait"])
    if given.get("asking"):
        await turn.ask({"more": ("elicitation/create", FORM)})
        report(turn, given["progress"] + 1, given["progress"] + 1, given.get("tag", ""))
    return structured({"tag": given.get("tag")})


@tool
async def wait(turn: Turn, given: Json) -> Json:
    """Wait at a gate; says `at NAME` when it is there and `cancelled NAME` when called off."""
    await hold(turn, given["gate"])
    return structured({"tag": given["gate"]})


@tool
async def fail(turn: Turn, given: Json) -> Json:
    raise RefusedError(given["code"], given["message"], given.get("data"))


@tool
async def value(turn: Turn, given: Json) -> Json:
    return structured(given["value"])


async def hold(turn: Turn, gate: str) -> None:
    """Wait until a test lets the gate go."""
    server = turn.server
    server.said[f"at {gate}"].set()
    try:
        await server.said[f"let {gate}"].wait()
    except asyncio.CancelledError:
        server.said[f"cancelled {gate}"].set()
        raise


def report(turn: Turn, done: int, total: int, tag: str) -> None:
    """Progress, where the client gave a token."""
    token = turn.params.get("_meta", {}).get("progressToken")
    if token is not None:
        params = {"progressToken": token, "progress": done, "total": total, "message": tag}
        turn.notify("notifications/progress", params)


def note(turn: Turn, level: str, tag: str) -> None:
    """A log message; the server leaves it to the level it was told, as servers should."""
    least = turn.facts.get("level")
    if least is not None and LEVELS.index(level) >= LEVELS.index(least):
        params = {"level": level, "logger": turn.server.name, "data": tag}
        turn.notify("notifications/message", params)


LEVELS = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]
FORM: Json = {
    "message": "Your name?",
    "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
}
MODEL: Json = {
    "messages": [{"role": "user", "content": {"type": "text", "text": "A sentence?"}}],
    "maxTokens": 10,
}
ELICIT = ["elicitation/create", FORM]
SAMPLE = ["sampling/createMessage", MODEL]
ROOTS = ["roots/list", {}]


@method("tools/list")
async def list_tools(turn: Turn) -> Json:
    anything = {"type": "object"}
    entries = [
        {"name": name, "inputSchema": anything, "x-unheard-of": [1, {"é": None}]} for name in TOOLS
    ]
    return turn.server.listed(turn.params, "tools", [*entries, *turn.server.extra_tools])


@method("prompts/list")
async def list_prompts(turn: Turn) -> Json:
    return turn.server.listed(turn.params, "prompts", [{"name": "greet"}, {"name": "asking"}])


@method("prompts/get")
async def get_prompt(turn: Turn) -> Json:
    said = "hello"
    if turn.params["name"] == "asking":
        said = json.dumps(await turn.ask({"user": ("elicitation/create", FORM)}))
    return {"messages": [{"role": "user", "content": {"type": "text", "text": said}}]}


@method("resources/list")
async def list_resources(turn: Turn) -> Json:
    entries = [{"uri": URI, "name": "today"}, {"uri": "notes://asking", "name": "asking"}]
    return turn.server.listed(turn.params, "resources", entries)


@method("resources/templates/list")
async def list_templates(turn: Turn) -> Json:
    entries = [{"uriTemplate": "notes://{day}", "name": "day"}]
    return turn.server.listed(turn.params, "resourceTemplates", entries)


@method("resources/read")
async def read(turn: Turn) -> Json:
    uri = turn.params["uri"]
    if uri in (ABSENT, NOWHERE):
        code = -32602 if turn.facts["version"] >= "2026" else -32002
        raise RefusedError(code, "Resource not found", {"uri": uri})
    said = "a note"
    if uri == "notes://asking":
        said = json.dumps(await turn.ask({"user": ("elicitation/create", FORM)}))
    return {"contents": [{"uri": uri, "text": said}]}


@method("completion/complete")
async def complete(turn: Turn) -> Json:
    start = turn.params["argument"]["value"]
    values = [one for one in ("monday", "tuesday") if one.startswith(start)]
    return {"completion": {"values": values, "total": len(values), "hasMore": False}}
