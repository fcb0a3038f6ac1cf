"""The scenarios: what is sent, and how a right answer is known.

Must not know: processes, load generators, figures.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any, Final

from bench.cells import Era
from bench.origin import big_text, tools

PATH: Final = "/mcp"
TEXT: Final = "The quick brown fox jumps over the lazy dog."
_CLIENT: Final = {"name": "bench", "version": "1.0.0"}
_META: Final = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": _CLIENT,
    "io.modelcontextprotocol/clientCapabilities": {},
}
_COMMON: Final = {
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
}
_MARK: Final = "@id@"


class WrongAnswer(Exception):
    """A target answered, and the answer is not the right one."""


@dataclass(frozen=True)
class Scenario:
    """One kind of request. `check` raises WrongAnswer for a result that is not right."""

    name: str
    title: str
    method: str
    params: dict[str, Any]
    check: Callable[[dict[str, Any]], None]

    def headers(self, era: Era, session: str | None) -> dict[str, str]:
        """What a client of that era sends."""
        said = headers_of(era, session, self.method)
        if era == "modern" and "name" in self.params:
            said["Mcp-Name"] = self.params["name"]
        return said

    def body(self, era: Era) -> tuple[str, str]:
        """The body before and after the request's id."""
        params = {**self.params, "_meta": _META} if era == "modern" else self.params
        message = {"jsonrpc": "2.0", "id": _MARK, "method": self.method, "params": params}
        written = json.dumps(message, separators=(",", ":"))
        before, _, after = written.partition(f'"{_MARK}"')
        return before, after


def headers_of(
    era: Era = "handshake", session: str | None = None, method: str = ""
) -> dict[str, str]:
    """What a client of that era sends with a request that names nothing; at first, no session."""
    if era == "modern":
        return {**_COMMON, "MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method}
    if session is None:
        return dict(_COMMON)
    return {**_COMMON, "MCP-Protocol-Version": "2025-11-25", "Mcp-Session-Id": session}


def modern(method: str, params: dict[str, Any], number: int) -> dict[str, Any]:
    """A request of the modern era."""
    said = {**params, "_meta": _META}
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": said}


def _text_is(expected: str) -> Callable[[dict[str, Any]], None]:
    def check(result: dict[str, Any]) -> None:
        if result.get("isError") or [part["text"] for part in result["content"]] != [expected]:
            raise WrongAnswer("the tool's text is not what it should be")

    return check


def _tools_are(result: dict[str, Any]) -> None:
    got = {tool["name"]: tool for tool in result["tools"]}
    if len(result["tools"]) != len(got) or got != {str(tool["name"]): tool for tool in tools()}:
        raise WrongAnswer("the list of tools is not the origin's")


SCENARIOS: Final = (
    Scenario(
        "call",
        "tools/call, small",
        "tools/call",
        {"name": "echo", "arguments": {"text": TEXT}},
        _text_is(TEXT),
    ),
    Scenario(
        "big",
        "tools/call, 256 KiB",
        "tools/call",
        {"name": "big", "arguments": {"text": TEXT}},
        _text_is(big_text()),
    ),
    Scenario("list", "tools/list, 200 tools", "tools/list", {}, _tools_are),
)


def open_session(port: int) -> str:
    """Do the handshake with whoever listens on `port`. Returns the session's id."""
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": _CLIENT}
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    _, headers, _ = _post(port, dict(_COMMON), json.dumps(message))
    session = headers.get("mcp-session-id")
    if session is None:
        raise WrongAnswer("initialize gave no Mcp-Session-Id")
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    known = {**_COMMON, "Mcp-Session-Id": session, "MCP-Protocol-Version": "2025-11-25"}
    _post(port, known, json.dumps(ready))
    return session


def close_session(port: int, session: str) -> None:
    """Say goodbye; servers that keep no sessions may refuse, which is fine."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("DELETE", PATH, headers={"Mcp-Session-Id": session})
        connection.getresponse().read()
    finally:
        connection.close()


def bearer(token: str | None) -> dict[str, str]:
    """What a client with a token sends beside the rest."""
    return {} if token is None else {"Authorization": f"Bearer {token}"}


def sample(
    port: int,
    scenario: Scenario,
    era: Era,
    session: str | None,
    number: int,
    token: str | None = None,
) -> int:
    """Ask once and check the answer. Returns the length of the answer's body.

    Raises:
        WrongAnswer: a status other than 200, an error, another id, or another result.
    """
    before, after = scenario.body(era)
    written = f"{before}{number}{after}"
    status, headers, body = _post(
        port, {**scenario.headers(era, session), **bearer(token)}, written
    )
    if status != 200:
        raise WrongAnswer(f"status {status}: {body[:300]!r}")
    message = _message(headers.get("content-type", ""), body)
    if message.get("id") != number or "result" not in message:
        raise WrongAnswer(f"no result for the request: {body[:300]!r}")
    result = message["result"]
    if era == "modern" and result.get("resultType") != "complete":
        raise WrongAnswer("the result does not say that it is complete")
    scenario.check(result)
    return len(body)


def _message(content_type: str, body: bytes) -> dict[str, Any]:
    try:
        if content_type.startswith("text/event-stream"):
            lines = [line[5:] for line in body.splitlines() if line.startswith(b"data:")]
            return json.loads(lines[-1])
        return json.loads(body)
    except (ValueError, IndexError):
        raise WrongAnswer(f"the body is not JSON: {body[:300]!r}") from None


def _post(port: int, headers: dict[str, str], body: str) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("POST", PATH, body=body.encode(), headers=headers)
        response = connection.getresponse()
        named = {name.lower(): value for name, value in response.getheaders()}
        return response.status, named, response.read()
    finally:
        connection.close()
