"""JSON that readers disagree about: one defined behaviour, and no two readings on the way."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.bridge.clients import Client
from tests.fronts.served import run
from tests.security.controls import holds
from tests.security.world import META, MODERN, Answer, Json, Peer, World, before, with_meta

PARSE, INVALID = -32700, -32600
M = json.dumps(META).encode()


def call(members: bytes) -> bytes:
    """A tool call whose envelope ends in these members."""
    return b'{"jsonrpc":"2.0","id":1,"method":"tools/call",%b}' % members


def arguments(value: bytes) -> bytes:
    """A tool call with this one argument."""
    return call(b'"params":{"_meta":%b,"name":"echo","arguments":{"a":%b}}' % (M, value))


WHOLE = arguments(b"1")
REFUSED: dict[str, tuple[bytes, int]] = {
    "NaN": (arguments(b"NaN"), PARSE),
    "Infinity": (arguments(b"Infinity"), PARSE),
    "minus Infinity": (arguments(b"-Infinity"), PARSE),
    "bytes that are no UTF-8": (arguments(b'"\xff"'), PARSE),
    "overlong UTF-8": (arguments(b'"\xc0\xaf"'), PARSE),
    "surrogate in UTF-8": (arguments(b'"\xed\xa0\x80"'), PARSE),
    "half a surrogate pair": (arguments(b'"\\ud800"'), PARSE),
    "bytes in a key that are no UTF-8": (call(b'"params":{"_meta":%b,"\xff":1}' % M), PARSE),
    "control character in a string": (arguments(b'"\x01"'), PARSE),
    "leading zero": (arguments(b"01"), PARSE),
    "plus sign": (arguments(b"+1"), PARSE),
    "hexadecimal": (arguments(b"0x1"), PARSE),
    "single quotes": (arguments(b"'a'"), PARSE),
    "comment": (arguments(b"1 /* a */"), PARSE),
    "comma at the end": (arguments(b"[1,]"), PARSE),
    "byte order mark": (b"\xef\xbb\xbf" + WHOLE, PARSE),
    "UTF-16": (WHOLE.decode().encode("utf-16"), PARSE),
    "two messages": (WHOLE + WHOLE, PARSE),
    "two lines": (WHOLE + b"\n" + WHOLE, PARSE),
    "something behind it": (WHOLE + b"x", PARSE),
    "NUL behind it": (WHOLE + b"\0", PARSE),
    "half of it": (WHOLE[:-1], PARSE),
    "nothing": (b"", PARSE),
    "batch": (b"[%b]" % WHOLE, INVALID),
    "batch behind a space": (b" [%b]" % WHOLE, INVALID),
    "batch of two": (b"[%b,%b]" % (WHOLE, WHOLE), INVALID),
    "empty batch": (b"[]", INVALID),
    "string": (b'"tools/call"', INVALID),
    "null": (b"null", INVALID),
    "no jsonrpc": (WHOLE.replace(b'"jsonrpc":"2.0",', b""), INVALID),
    "jsonrpc 1.0": (WHOLE.replace(b'"2.0"', b'"1.0"'), INVALID),
    "jsonrpc as number": (WHOLE.replace(b'"2.0"', b"2.0"), INVALID),
    "jsonrpc with space": (WHOLE.replace(b'"2.0"', b'"2.0 "'), INVALID),
    "null id": (WHOLE.replace(b'"id":1', b'"id":null'), INVALID),
    "fraction as id": (WHOLE.replace(b'"id":1', b'"id":1.5'), INVALID),
    "boolean id": (WHOLE.replace(b'"id":1', b'"id":true'), INVALID),
    "object as id": (WHOLE.replace(b'"id":1', b'"id":{}'), INVALID),
    "huge id": (WHOLE.replace(b'"id":1', b'"id":1%b' % (b"0" * 5000)), INVALID),
    "number as method": (WHOLE.replace(b'"tools/call"', b"1"), INVALID),
    "list of params": (call(b'"params":["echo"]'), INVALID),
    "request and response": (call(b'"result":{},"params":{"_meta":%b,"name":"echo"}' % M), INVALID),
    "too deep": (arguments(b"[" * 80 + b"]" * 80), INVALID),
    "too deep for any stack": (arguments(b"[" * 500_000 + b"]" * 500_000), PARSE),
    "deep and never closed": (arguments(b'{"a":' * 300_000), PARSE),
}
TWICE: dict[str, bytes] = {
    "id": call(b'"id":7,"params":{"_meta":%b,"name":"echo"}' % M),
    "method": b'{"method":"tools/list",%b' % WHOLE[1:],
    "escaped method": b'{"m\\u0065thod":"tools/list",%b' % WHOLE[1:],
    "params": b'{"params":{"name":"other"},%b' % WHOLE[1:],
    "jsonrpc": b'{"jsonrpc":"1.0",%b' % WHOLE[1:],
    "name": call(b'"params":{"_meta":%b,"name":"other","name":"echo"}' % M),
    "_meta": call(b'"params":{"_meta":{"former":1},"name":"echo","_meta":%b}' % M),
}


async def say(w: World, era: str, body: bytes) -> Answer:
    """Send this body as a client of the era would send the message it stands for."""
    fields: list[tuple[str, str | bytes]] = [
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
    ]
    if era == "M":
        own = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "echo"}
    else:
        old = await Client(w.port, "L").open()
        own = {"MCP-Protocol-Version": "2025-11-25", "Mcp-Session-Id": old.session or ""}
        old.close()
        body = body.replace(M, b"{}")
    return await w.http(body, fields=[*fields, *own.items()])


def each_once(pairs: list[tuple[str, Any]]) -> Json:
    """An object in which no member occurs twice."""
    made = dict(pairs)
    assert len(made) == len(pairs), pairs
    return made


@holds(42)
@pytest.mark.parametrize("era", ["L", "M"])
@pytest.mark.parametrize("case", REFUSED)
def test_what_readers_disagree_about_is_refused(case: str, era: str) -> None:
    body, code = REFUSED[case]

    async def play() -> None:
        peer = Peer()
        async with before(peer) as w:
            answer = await say(w, era, body)
            assert answer.status == 400
            assert answer.error["code"] == code
            assert answer.error["data"]["reason"] == "malformed-message"
            assert answer.error["data"]["remedy"]
            assert not peer.calls
            assert (await w.call("echo")).status == 200

    run(play())


@holds(42)
@pytest.mark.parametrize("era", ["L", "M"])
@pytest.mark.parametrize("case", TWICE)
def test_of_a_member_that_occurs_twice_the_last_counts(case: str, era: str) -> None:
    async def play() -> None:
        peer = Peer(tools=[{"name": name, "inputSchema": {}} for name in ("echo", "other")])
        async with before(peer) as w:
            answer = await say(w, era, TWICE[case])
            assert answer.result["structuredContent"] == {"by": "peer"}
            assert answer.json["id"] == (7 if case == "id" else 1)
            [sent] = peer.calls
            # What was read is written anew, so that nobody behind this can read it otherwise.
            for word in (b"other", b'"1.0"', b"tools/list", b"former"):
                assert word not in sent.body
            json.loads(sent.body, object_pairs_hook=each_once)

    run(play())


@holds(42)
def test_a_version_that_occurs_twice_is_the_last_one() -> None:
    first = b'"io.modelcontextprotocol/protocolVersion":"2025-11-25"'

    async def play() -> None:
        peer = Peer()
        async with before(peer) as w:
            twice = call(b'"params":{"name":"echo","_meta":{%b,%b}' % (first, M[1:]))
            assert (await say(w, "M", twice)).result
            assert peer.calls[0].body.count(b"protocolVersion") == 1
            assert b"2025-11-25" not in peer.calls[0].body
            late = call(b'"params":{"name":"echo","_meta":%b,%b}}' % (M[:-1], first))
            assert (await say(w, "M", late)).error["code"] == -32020
            assert len(peer.calls) == 1

    run(play())


@holds(42)
@pytest.mark.parametrize("value", [b"1" + b"0" * 400, b"1e999", b"-1e-999", b"1.0", b"1E+2"])
def test_what_nobody_reads_here_passes_as_it_was_written(value: bytes) -> None:
    async def play() -> None:
        peer = Peer()
        async with before(peer, guard={"arguments": {"mode": "off"}}) as w:
            assert (await say(w, "M", arguments(value))).result
            assert b'"arguments":{"a":%b}' % value in peer.calls[0].body

    run(play())


ANSWERS: dict[str, bytes] = {
    "NaN": b'{"jsonrpc":"2.0","id":%d,"result":{"content":[],"a":NaN}}',
    "no UTF-8": b'{"jsonrpc":"2.0","id":%d,"result":{"content":[],"a":"\xff"}}',
    "half": b'{"jsonrpc":"2.0","id":%d,"result":{"content":[]',
    "two": b'{"jsonrpc":"2.0","id":%d,"result":{}}{"jsonrpc":"2.0","id":1,"result":{}}',
    "batch": b'[{"jsonrpc":"2.0","id":%d,"result":{}}]',
    "no version": b'{"id":%d,"result":{"content":[]}}',
    "both": b'{"jsonrpc":"2.0","id":%d,"result":{},"error":{"code":1,"message":"a"}}',
    "neither": b'{"jsonrpc":"2.0","id":%d}',
    "list": b'{"jsonrpc":"2.0","id":%d,"result":[]}',
    "string": b'{"jsonrpc":"2.0","id":%d,"result":"a"}',
    "null": b'{"jsonrpc":"2.0","id":%d,"result":null}',
    "error without code": b'{"jsonrpc":"2.0","id":%d,"error":{"message":"a"}}',
    "error as text": b'{"jsonrpc":"2.0","id":%d,"error":"a"}',
    "deep": b'{"jsonrpc":"2.0","id":%d,"result":' + b"[" * 200_000,
    "unknown kind": b'{"jsonrpc":"2.0","id":%d,"result":{"resultType":"other"}}',
    "another id": b'{"jsonrpc":"2.0","id":1%d,"result":{"content":[]}}',
    "the id as text": b'{"jsonrpc":"2.0","id":"%d","result":{"content":[]}}',
    "no JSON": b"<html>%d</html>",
}


@holds(42)
@pytest.mark.parametrize("era", ["L", "M"])
@pytest.mark.parametrize("events", [False, True])
@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_of_a_server_that_readers_disagree_about_is_an_error(
    case: str, events: bool, era: str
) -> None:
    async def script(_: Peer, __: Any, message: Json, responder: Any) -> None:
        body = ANSWERS[case] % message["id"]
        kind = b"text/event-stream" if events else b"application/json"
        responder.send(200, ((b"content-type", kind),), b"data: %b\n\n" % body if events else body)

    async def play() -> None:
        peer = Peer(script=script)
        async with before(peer) as w:
            answer = await say(w, era, WHOLE)
            error = answer.error
            assert error["code"] == -32603
            assert error["data"]["reason"] in {"upstream-invalid", "upstream-lost"}
            assert error["data"]["server"] == "peer"
            assert answer.json["id"] == 1

    run(play())


@holds(42)
def test_a_repeated_member_of_an_answer_has_one_meaning_too() -> None:
    async def script(_: Peer, __: Any, message: Json, responder: Any) -> None:
        body = (
            b'{"jsonrpc":"2.0","id":99,"result":{"content":[],"isError":true},"id":%d,'
            b'"result":{"resultType":"complete","content":[],"structuredContent":{"last":1}}}'
        )
        responder.send(200, ((b"content-type", b"application/json"),), body % message["id"])

    async def play() -> None:
        async with before(Peer(script=script)) as w:
            answer = await w.post("tools/call", with_meta(b'"name":"echo"'))
            assert answer.result["structuredContent"] == {"last": 1}
            assert b"isError" not in answer.body

    run(play())
