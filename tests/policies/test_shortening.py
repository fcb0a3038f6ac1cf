"""Results in fewer tokens: where it is allowed, where it is worth it, and never elsewhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lockgate.context.tokens import Estimate
from lockgate.core.message import Call, ClientFacts, Failure, Result, Target
from lockgate.core.raw import Raw
from lockgate.policies.shortening import ELSEWHERE, ResultShape, Shortening

ROWS = [{"identifier": at, "title": f"Issue number {at}", "state": "open"} for at in range(40)]
PRETTY = json.dumps({"issues": ROWS}, indent=2)
SHORT = json.dumps({"issues": ROWS}, separators=(",", ":"))
CLIENT = ClientFacts(era="modern", protocol_version="2026-07-28")
CALL = Call(
    method="tools/call",
    client=CLIENT,
    target=Target("hub", "tool", "list"),
    facts={"endpoint": "/mcp"},
)


def result(text: str = PRETTY, **more: Any) -> Result:
    return Result(Raw(json.dumps({"content": [{"type": "text", "text": text}], **more}).encode()))


class Play:
    def __init__(self, results: Any = "auto", duplicates: Any = "keep") -> None:
        self.saved: list[tuple[str, str, int]] = []
        shapes = {"/mcp": ResultShape(results, duplicates)}
        self.lens = Shortening(shapes, Estimate(), lambda *said: self.saved.append(said))

    def __call__(self, reply: Any, call: Call = CALL) -> Any:
        assert self.lens.inward(call) is call
        return self.lens.outward(call, reply)

    def text(self, reply: Result) -> str:
        return json.loads(self(reply).raw.encode())["content"][0]["text"]


def test_json_is_written_without_space_where_it_is_asked_for() -> None:
    play = Play("minify")
    assert play.text(result()) == SHORT
    assert play.saved == [("hub", "minify", len(PRETTY) - len(SHORT))]


def asked(name: str, **arguments: Any) -> Call:
    params = {"name": name, "arguments": arguments}
    return CALL.replace(target=Target("hub", "tool", name), params=Raw(json.dumps(params).encode()))


def test_by_itself_data_loses_its_space() -> None:
    play = Play()
    assert play.text(result()) == SHORT
    assert play.text(result(json.dumps(ROWS))) == json.dumps(ROWS, separators=(",", ":"))
    found = play(result(), asked("run_query", sql="select 1", limit=5))
    assert json.loads(found.raw.encode())["content"][0]["text"] == SHORT
    # What is larger than any model reads is not gone through for it.
    long = result(json.dumps(ROWS * 200, indent=2))
    assert play(long) is long


@pytest.mark.parametrize(
    "call",
    [
        asked("read_file", at="a"),
        asked("getFileContents"),
        asked("execute_command"),
        asked("lookup", path="/etc/x"),
        asked("lookup", file_path="a"),
        asked("lookup", which=["package.json"]),
        asked("lookup", where="file:///a"),
        asked("lookup", where="https://example.com/raw/tsconfig.json?ref=main"),
    ],
)
def test_what_may_be_a_copy_of_a_file_keeps_every_space(call: Call) -> None:
    play = Play()
    reply = result()
    assert play(reply, call) is reply
    # Structured content that says the same says that it is data.
    both = result(structuredContent={"issues": ROWS})
    assert json.loads(play(both, call).raw.encode())["content"][0]["text"] == SHORT


def test_by_itself_what_stands_for_structured_content_is() -> None:
    """A text may be a file that somebody wants to change, space by space."""
    play = Play()
    assert play.text(result(structuredContent={"issues": ROWS})) == SHORT
    assert (
        play.text(result(json.dumps(ROWS, indent=1), structuredContent={"result": ROWS}))[1] == "{"
    )
    for held in ({"result": PRETTY}, {"content": PRETTY, "size": 1}):
        file = result(structuredContent=held)
        assert play(file) is file


def test_tables_are_written_by_columns_where_that_saves_enough() -> None:
    play = Play("columnar")
    table = json.loads(play.text(result()))["issues"]
    assert table["cols"] == ["identifier", "title", "state"]
    assert table["rows"][0] == [0, "Issue number 0", "open"]
    assert play.saved[0][1] == "columnar"
    # Long values and short names: the names are not what costs.
    long = [{"a": "sentence after sentence. " * 20} for _ in range(5)]
    assert play.text(result(json.dumps(long, indent=1))) == json.dumps(long, separators=(",", ":"))


def test_what_says_the_same_twice_is_said_once_where_it_is_asked_for() -> None:
    play = Play("off", "drop")
    reply = play(result(structuredContent={"issues": ROWS}))
    shown = json.loads(reply.raw.encode())
    assert shown["content"][0]["text"] == ELSEWHERE
    assert shown["structuredContent"] == {"issues": ROWS}
    other = result(structuredContent={"issues": ROWS[1:]})
    assert play(other) is other


@pytest.mark.parametrize("mode", ["off", "auto", "minify", "columnar"])
def test_structured_content_is_never_touched(mode: Any) -> None:
    data = b'{"content":[{"type":"text","text":%b}],"structuredContent":%b,"x":1}' % (
        json.dumps(PRETTY).encode(),
        PRETTY.encode(),
    )
    found = Play(mode)(Result(Raw(data))).raw
    assert found.member("structuredContent") == PRETTY.encode()
    assert found["x"] == 1


@pytest.mark.parametrize(
    "reply",
    [
        result("{}"),
        result(isError=True),
        result("x" * 5000),
        Result(Raw(json.dumps({"content": [{"type": "image", "data": "A" * 5000}]}).encode())),
        Result(Raw(json.dumps({"content": "x" * 5000}).encode())),
        Result(Raw(b"x" * 5000)),
        Result(Raw(json.dumps({"inputRequests": "x" * 5000}).encode()), kind="input_required"),
        Failure(code=-32603, message="no", origin="gateway", reason="x"),
    ],
)
def test_everything_else_passes_as_it_is(reply: Any) -> None:
    assert Play("columnar", "drop")(reply) is reply


def test_other_endpoints_are_left_alone() -> None:
    reply = result()
    assert Play("minify")(reply, CALL.replace(facts={"endpoint": "/other"})) is reply
    assert Play("off")(reply) is reply


def test_blocks_keep_what_else_they_have() -> None:
    blocks = [
        {"type": "text", "text": "Two lists:"},
        {"type": "text", "text": PRETTY, "annotations": {"priority": 1}, "_meta": {"a": 1}},
    ]
    reply = Result(Raw(json.dumps({"content": blocks}).encode()))
    assert json.loads(Play("minify")(reply).raw.encode())["content"] == [
        blocks[0],
        {**blocks[1], "text": SHORT},
    ]
