"""Headers that repeat the body, and what of a client's headers reaches a server."""

from __future__ import annotations

import logging
from base64 import b64encode
from typing import Any

import pytest

from tests.bridge.clients import Client
from tests.fronts.served import run
from tests.security.controls import holds
from tests.security.world import SCHEMA, Json, Peer, before, with_meta

MISMATCH = -32020
REGION: Json = {
    "name": "reg",
    "inputSchema": {
        "type": "object",
        "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "size": {"type": "integer", "x-mcp-header": "Size"},
        },
    },
}
TOOLS = [{"name": name, "inputSchema": SCHEMA} for name in ("list_files", "delete_all", "é")]
Fields = dict[str, str | bytes | None]
More = list[tuple[str, str | bytes]]


def base64(text: str) -> str:
    return f"=?base64?{b64encode(text.encode()).decode()}?="


DELETE: Json = {"name": "delete_all", "arguments": {}}
DISAGREEING: dict[str, tuple[Json, Fields, More]] = {
    "another name": (DELETE, {"Mcp-Name": "list_files"}, []),
    "no name": (DELETE, {"Mcp-Name": None}, []),
    "empty name": (DELETE, {"Mcp-Name": ""}, []),
    "name in other case": (DELETE, {"Mcp-Name": "Delete_All"}, []),
    "name twice, equal": (DELETE, {}, [("Mcp-Name", "delete_all")]),
    "name twice": (DELETE, {"Mcp-Name": "list_files"}, [("mcp-name", "delete_all")]),
    "two names in one": (DELETE, {"Mcp-Name": "delete_all, list_files"}, []),
    "another name in base64": (DELETE, {"Mcp-Name": base64("list_files")}, []),
    "base64 without padding": (DELETE, {"Mcp-Name": base64("delete_all").replace("=?=", "?=")}, []),
    "base64 with junk": (DELETE, {"Mcp-Name": base64("delete_all").replace("ZGV", "Z-GV")}, []),
    "base64 with spare bits": (DELETE, {"Mcp-Name": "=?base64?ZGVsZXRlX2FsbB==?="}, []),
    "base64 in capitals": (
        DELETE,
        {"Mcp-Name": base64("delete_all").replace("base64", "BASE64")},
        [],
    ),
    "base64 twice": (DELETE, {"Mcp-Name": base64(base64("delete_all"))}, []),
    "base64 of no text": (DELETE, {"Mcp-Name": "=?base64?/////w==?="}, []),
    "percent": (DELETE, {"Mcp-Name": "delete%5Fall"}, []),
    "bytes": ({"name": "é"}, {"Mcp-Name": "é".encode()}, []),
    "latin": ({"name": "é"}, {"Mcp-Name": b"\xe9"}, []),
    "another method": (DELETE, {"Mcp-Method": "tools/list"}, []),
    "method in other case": (DELETE, {"Mcp-Method": "Tools/Call"}, []),
    "method in base64": (DELETE, {"Mcp-Method": base64("tools/call")}, []),
    "no method": (DELETE, {"Mcp-Method": None}, []),
    "method twice": (DELETE, {}, [("Mcp-Method", "tools/call")]),
    "another version": (DELETE, {"MCP-Protocol-Version": "2025-11-25"}, []),
    "unknown version": (DELETE, {"MCP-Protocol-Version": "2099-01-01"}, []),
    "no version": (DELETE, {"MCP-Protocol-Version": None}, []),
    "version twice": (DELETE, {}, [("MCP-Protocol-Version", "2026-07-28")]),
    "two versions": (DELETE, {}, [("mcp-protocol-version", "2025-11-25")]),
    "no parameter": ({"name": "reg", "arguments": {"region": "eu"}}, {}, []),
    "another parameter": (
        {"name": "reg", "arguments": {"region": "eu"}},
        {"Mcp-Param-Region": "us"},
        [],
    ),
    "a parameter too many": ({"name": "reg", "arguments": {}}, {"Mcp-Param-Region": "us"}, []),
    "parameter twice": (
        {"name": "reg", "arguments": {"region": "eu"}},
        {"Mcp-Param-Region": "us"},
        [("MCP-PARAM-REGION", "eu")],
    ),
    "another integer": ({"name": "reg", "arguments": {"size": 1}}, {"Mcp-Param-Size": "01e1"}, []),
    "integer as text": (
        {"name": "reg", "arguments": {"region": 1}},
        {"Mcp-Param-Region": "one"},
        [],
    ),
    "object": (
        {"name": "reg", "arguments": {"region": {"a": 1}}},
        {"Mcp-Param-Region": '{"a": 1}'},
        [],
    ),
}
AGREEING: dict[str, tuple[Json, Fields, More]] = {
    "plain": (DELETE, {}, []),
    "base64": (DELETE, {"Mcp-Name": base64("delete_all")}, []),
    "white space around": (DELETE, {"Mcp-Name": "  delete_all\t"}, []),
    "not ASCII": ({"name": "é"}, {"Mcp-Name": base64("é")}, []),
    "parameter": ({"name": "reg", "arguments": {"region": "eu"}}, {"Mcp-Param-Region": "eu"}, []),
    "integer": ({"name": "reg", "arguments": {"size": 7}}, {"Mcp-Param-Size": "7.0"}, []),
    "a parameter nobody declared": (DELETE, {}, [("Mcp-Param-Other", "x")]),
}


@holds(24)
@pytest.mark.parametrize("case", DISAGREEING)
def test_a_header_that_disagrees_is_refused(case: str) -> None:
    params, fields, more = DISAGREEING[case]

    async def play() -> None:
        peer = Peer(tools=[*TOOLS, REGION])
        async with before(peer) as w:
            answer = await w.post("tools/call", params, fields=fields, more=more)
            assert answer.status == 400
            assert answer.error["code"] == MISMATCH
            assert not peer.calls

    run(play())


@holds(24)
@pytest.mark.parametrize("case", AGREEING)
def test_a_header_that_agrees_is_written_anew(case: str) -> None:
    params, fields, more = AGREEING[case]

    async def play() -> None:
        peer = Peer(tools=[*TOOLS, REGION])
        async with before(peer) as w:
            assert (await w.post("tools/call", params, fields=fields, more=more)).result
            [call] = peer.calls
            assert not call.repeated
            name = params["name"]
            wanted = name if name.isascii() else base64(name)
            assert call.headers[b"mcp-name"] == wanted.encode()
            assert peer.called() == [name]
            assert b"mcp-param-other" not in call.headers

    run(play())


@holds(24)
def test_the_body_decides_which_tool_is_called() -> None:
    """The escaped, the repeated and the late member: header, name and forwarded name are one."""

    async def play() -> None:
        peer = Peer(tools=TOOLS)
        async with before(peer) as w:
            for members in (
                b'"name":"list_files","name":"delete_all"',
                b'"name":"list_files","n\\u0061me":"delete_all"',
                b'"n\\u0061me":"list_files","name":"delete\\u005fall"',
            ):
                peer.calls.clear()
                fields: Fields = {"Mcp-Name": "list_files"}
                refused = await w.post("tools/call", with_meta(members), fields=fields)
                assert refused.error["code"] == MISMATCH
                assert not peer.calls
                fields = {"Mcp-Name": "delete_all"}
                assert (await w.post("tools/call", with_meta(members), fields=fields)).result
                [call] = peer.calls
                assert call.headers[b"mcp-name"] == b"delete_all"
                assert b"list_files" not in call.body

    run(play())


@holds(24, 42)
@pytest.mark.parametrize("era", ["L", "M"])
def test_the_argument_in_the_header_is_the_one_in_the_body(era: str) -> None:
    arguments = b'"name":"reg","arguments":{"region":"us","region":"eu","other":1}'

    async def play() -> None:
        peer = Peer(tools=[REGION])
        async with before(peer) as w:
            if era == "M":
                fields: Fields = {"Mcp-Param-Region": "eu"}
                assert (await w.post("tools/call", with_meta(arguments), fields=fields)).result
            else:
                await raw_old_call(w.port, arguments)
            [call] = peer.calls
            assert call.headers[b"mcp-param-region"] == b"eu"
            assert b'"us"' not in call.body

    run(play())


async def raw_old_call(port: int, members: bytes) -> None:
    """A call of the handshake era whose params are these bytes."""
    old = await Client(port, "L").open()
    body = b'{"jsonrpc":"2.0","id":77,"method":"tools/call","params":{%b}}' % members
    kinds = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    stream = await old.exchange("POST", body, kinds)
    assert "result" in (await stream.next() or {})
    old.close()


@holds(25)
@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b", "\u2028", " a", "=?"])
@pytest.mark.parametrize("era", ["L", "M"])
def test_no_argument_writes_a_header_of_its_own(value: str, era: str) -> None:
    async def play() -> None:
        peer = Peer(tools=[REGION, {"name": value, "inputSchema": SCHEMA}])
        off = {"definitions": {"block": "off"}}  # or names with hidden characters would be withheld
        async with before(peer, guard=off) as w:
            if era == "M":
                params = {"name": "reg", "arguments": {"region": value}}
                fields: Fields = {"Mcp-Param-Region": base64(value)}
                assert (await w.post("tools/call", params, fields=fields)).result
                fields = {"Mcp-Name": base64(value)}
                assert (await w.post("tools/call", {"name": value}, fields=fields)).result
            else:
                old = await Client(w.port, "L").open()
                assert (await old.call("reg", region=value)).result
                assert (await old.call(value)).result
                old.close()
            repeated, named = peer.calls
            wanted = value if value == "=?" else base64(value)
            assert repeated.headers[b"mcp-param-region"] == wanted.encode()
            assert named.headers[b"mcp-name"] == wanted.encode()
            assert b"x-evil" not in {**repeated.headers, **named.headers}

    run(play())


CLIENT_HEADERS = {
    "Authorization": "Bearer canary-authorization",
    "Cookie": "session=canary-cookie",
    "X-Api-Key": "canary-key",
    "Proxy-Authorization": "Basic canary-proxy",
    "X-Forwarded-For": "canary-for",
    "X-Forwarded-Host": "canary-host",
    "X-Forwarded-Proto": "canary-proto",
    "Forwarded": "for=canary-forwarded",
    "X-Real-Ip": "canary-ip",
    "X-Grafana-URL": "http://canary-url",
    "X-Mcp-Server": "canary-server",
    "Referer": "http://127.0.0.1/canary-referer",
    "User-Agent": "canary-agent",
    "Last-Event-Id": "canary-event",
    "Traceparent": "canary-trace",
    "Mcp-Param-Anything": "canary-param",
    "Connection": "close, X-Api-Key",
}
OURS = {b"host", b"content-length", b"content-type", b"accept", b"x-own"}
PROTOCOL = {b"mcp-protocol-version", b"mcp-method", b"mcp-name"}


@holds(25)
@pytest.mark.parametrize("era", ["L", "M"])
def test_no_header_of_a_client_reaches_a_server_or_the_log(
    era: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("lockgate").propagate = True

    async def play() -> None:
        peer = Peer()
        async with before(peer, server={"headers": {"X-Own": "configured"}}) as w:
            more: More = list(CLIENT_HEADERS.items())
            if era == "M":
                params: Any = {"name": "echo", "arguments": {}}
                assert (await w.post("tools/call", params, more=more)).result
                assert (await w.post("tools/call", params, more=[*more, ("A", "b\x01")])).status
            else:
                old = await Client(w.port, "L").open()
                headers = {name: text for name, text in CLIENT_HEADERS.items() if name[0] != "L"}
                begun = await old.begin(
                    "tools/call", {"name": "echo", "arguments": {}}, headers=headers
                )
                assert begun.result
                old.close()
            for request in peer.requests:
                assert set(request.headers) <= OURS | PROTOCOL, request.headers
                assert request.headers[b"x-own"] == b"configured"
                assert b"canary" not in request.body

    run(play())
    assert "canary" not in caplog.text
