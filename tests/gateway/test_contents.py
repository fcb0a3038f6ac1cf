"""What passes between clients and servers, through running gateways: secrets, both ways."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from lockgate.observe.contents import FOUND
from tests.bridge.scripted_http import Sse, reply
from tests.fronts.served import run
from tests.security.world import META, SCHEMA, Answer, Json, Peer, World, answer, before

TOKEN = "ghp_" + "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5"
GONE = "[redacted: github-token]"
NOTE = "io.github.lockgate/found"


class Saying(Peer):
    """A server that answers everything with the same result, and says other things before."""

    def __init__(self, result: Json | bytes, *said: Json, error: Json | None = None) -> None:
        super().__init__(
            "peer",
            self._act,
            tools=[{"name": "look", "inputSchema": SCHEMA}],
            prompts=[{"name": "ask"}],
            resources=[{"uri": "file:///a", "name": "a"}],
        )
        self.result = result
        self.said = said
        self.error = error

    async def _act(self, _: Peer, __: Any, message: Json, responder: Any) -> None:
        if self.error is not None:
            reply(responder, {"id": message["id"], "error": self.error})
        elif isinstance(self.result, bytes):
            body = b'{"jsonrpc":"2.0","id":%d,"result":%b}' % (message["id"], self.result)
            responder.send(200, ((b"content-type", b"application/json"),), body)
        elif self.said:
            stream = Sse(responder)
            for one in self.said:
                stream.send(one)
            result = {"resultType": "complete", **self.result}
            stream.send({"id": message["id"], "result": result})
            stream.end()
        else:
            answer(responder, message, self.result)


def text(*said: str, **more: Any) -> Json:
    return {"content": [{"type": "text", "text": one} for one in said], **more}


def asked(peer: Saying, method: str = "tools/call", **settings: Any) -> Answer:
    """What a client gets for one call."""
    params: dict[str, Json] = {
        "tools/call": {"name": "look", "arguments": {}},
        "prompts/get": {"name": "ask"},
        "resources/read": {"uri": "file:///a"},
    }

    got: list[Answer] = []

    async def check() -> None:
        async with before(peer, **settings) as w:
            got.append(await w.post(method, params[method]))

    run(check())
    return got[0]


def guard(**results: Any) -> Json:
    """These settings of results."""
    return {"guard": {"results": results}}


def test_a_clean_result_passes_byte_for_byte() -> None:
    result = (
        b'{"resultType":"complete","content":[{"type":"text","text":"na\xc3\xafve\\n\\/ 1.10"}],'
        b'"structuredContent":{"n":1.10,"big":123456789012345678901234567890},"x-own":[1e3]}'
    )
    assert result in asked(Saying(result)).body


def test_secrets_are_taken_out_wherever_they_stand_and_nothing_else_changes() -> None:
    result = {
        "content": [
            {"type": "text", "text": f"the token is {TOKEN}."},
            {"type": "resource", "resource": {"uri": "a:b", "text": TOKEN, "mimeType": "text/x"}},
            {"type": "image", "data": base64.b64encode(bytes(range(256)) * 40).decode()},
        ],
        "structuredContent": {
            "deep": [{"n": 1.5, TOKEN: [f"a {TOKEN} b"]}],
            "password": "hU7_kk2x!",
        },
        "_meta": {"theirs": 1},
    }
    got = asked(Saying(result)).result
    assert TOKEN not in json.dumps(got)
    assert got["content"][0]["text"] == f"the token is {GONE}."
    assert got["content"][1]["resource"] == {"uri": "a:b", "text": GONE, "mimeType": "text/x"}
    assert got["content"][2] == result["content"][2]
    assert got["structuredContent"]["deep"] == [{"n": 1.5, GONE: [f"a {GONE} b"]}]
    assert got["structuredContent"]["password"] == "[redacted: named-secret]"
    assert got["_meta"]["theirs"] == 1
    assert {"what": "secrets", "kind": "github-token", "done": "redacted"} in got["_meta"][NOTE]


def test_resources_and_prompts_are_looked_through_as_well() -> None:
    read = {"contents": [{"uri": "file:///a", "text": f"k={TOKEN}"}]}
    assert asked(Saying(read), "resources/read").result["contents"][0]["text"] == f"k={GONE}"
    said = {"messages": [{"role": "user", "content": {"type": "text", "text": TOKEN}}]}
    assert asked(Saying(said), "prompts/get").result["messages"][0]["content"]["text"] == GONE


@pytest.mark.parametrize(
    "spelled",
    [
        "\\u0067hp_" + TOKEN[4:],
        base64.b64encode(f"token {TOKEN} end".encode()).decode(),
        "".join(f"%{byte:02X}" for byte in TOKEN.encode()),
    ],
)
def test_spelling_a_secret_otherwise_hides_nothing(spelled: str) -> None:
    result = b'{"resultType":"complete","content":[{"type":"text","text":"a %b b"}]}'
    got = asked(Saying(result % spelled.encode())).result
    assert got["content"][0]["text"] == f"a {GONE} b"


def test_of_a_key_that_appears_twice_neither_passes_with_a_secret() -> None:
    result = b'{"resultType":"complete","content":[{"type":"text","text":"%b","text":"\\u0067"}]}'
    assert TOKEN.encode() not in asked(Saying(result % TOKEN.encode())).body


def test_a_secret_cut_in_pieces_is_put_together() -> None:
    got = asked(Saying(text("it is gh", TOKEN[2:20], f"{TOKEN[20:]} and done"))).result
    assert [one["text"] for one in got["content"]] == [f"it is {GONE}", "", " and done"]


def test_failures_of_servers_hold_no_secrets() -> None:
    error = {"code": -32050, "message": f"bad token {TOKEN}", "data": {"was": [TOKEN], "n": 1}}
    got = asked(Saying({}, error=error)).error
    assert got == {"code": -32050, "message": f"bad token {GONE}", "data": {"was": [GONE], "n": 1}}
    said = text(f"bad {TOKEN}", isError=True)
    assert asked(Saying(said)).result["content"][0]["text"] == f"bad {GONE}"


def test_what_is_said_meanwhile_is_looked_through_and_not_held_back() -> None:
    said = {
        "method": "notifications/message",
        "params": {"level": "info", "data": {"using": TOKEN}},
    }

    async def check() -> None:
        async with before(Saying(text("done"), said)) as w:
            logged = {**META, "io.modelcontextprotocol/logLevel": "debug"}
            got = await w.post("tools/call", {"name": "look", "arguments": {}, "_meta": logged})
            assert TOKEN.encode() not in got.body
            assert GONE.encode() in got.body

    run(check())


def test_what_is_found_may_be_flagged_blocked_or_let_be() -> None:
    found = text(f"a {TOKEN}")
    flagged = asked(Saying(found), **guard(secrets="flag")).result
    assert flagged["content"] == found["content"]
    [note] = flagged["_meta"][NOTE]
    assert note == {"what": "secrets", "kind": "github-token", "done": "nothing"}
    blocked = asked(Saying(found), **guard(secrets="block")).error
    assert blocked["data"]["reason"] == "result-blocked"
    assert "secrets: github-token" in blocked["data"]["found"]
    assert TOKEN not in json.dumps(blocked)
    assert "_meta" not in asked(Saying(found), **guard(secrets="off")).result


def test_what_a_server_has_of_its_own_wins() -> None:
    async def check() -> None:
        peer = Saying(text(TOKEN))
        own = {"guard": {"results": {"secrets": "off"}}}
        async with before(peer, server=own, guard={"secrets": "block"}) as w:
            assert (await w.call("look")).result["content"][0]["text"] == TOKEN
            refused = (await w.call("look", key=TOKEN)).error
            assert refused["data"]["reason"] == "argument-secret"
            assert peer.called() == ["look"]

    run(check())


async def sent(w: World, peer: Peer, **arguments: Any) -> Json:
    await w.call("look", **arguments)
    return peer.bodies[-1]["params"]["arguments"]


@pytest.mark.parametrize("doing", ["flag", "redact", "off"])
def test_secrets_on_their_way_out(doing: str) -> None:
    async def check() -> None:
        peer = Saying(text("done"))
        async with before(peer, guard={"secrets": doing}) as w:
            FOUND.clear()
            got = await sent(w, peer, deep=[{"to": f"x {TOKEN}"}], n=2)
            expected = GONE if doing == "redact" else TOKEN
            assert got == {"deep": [{"to": f"x {expected}"}], "n": 2}
            found = {("peer", "secrets", "github-token", doing): 1}
            assert found == FOUND if doing != "off" else not FOUND

    run(check())
