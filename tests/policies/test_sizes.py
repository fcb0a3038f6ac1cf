"""Bounds of single tools, and of what results may link to, asked as the chain asks them."""

from __future__ import annotations

from typing import Any

import pytest

from lockgate.core.chain import compose
from lockgate.core.match import ByTool
from lockgate.core.message import Call, ClientFacts, Failure, Reply, Result, Target
from lockgate.core.policy import Check
from lockgate.core.raw import Raw
from lockgate.policies.links import LinkCheck
from lockgate.policies.sizes import SizeCheck, Sizes
from tests.security.controls import holds
from tests.support.asking import asked

CLIENT = ClientFacts(era="modern", protocol_version="2026-07-28")
TOOLS = ByTool([("big_*", Sizes(None, 100)), ("small", Sizes(20, None))], Sizes())


def answered(
    check: Check, result: bytes | dict[str, Any], tool: str = "small", method: str = "tools/call",
    **arguments: Any,
) -> tuple[Reply, int]:  # fmt: skip
    times = 0

    async def server(_: Call) -> Reply:
        nonlocal times
        times += 1
        return Result(Raw(result) if isinstance(result, bytes) else Raw.of(result))

    params = Raw(Raw.of({"name": tool, "arguments": arguments}).encode())
    call = Call(method=method, client=CLIENT, params=params, target=Target("shop", "tool", tool))
    return asked(compose([check], server)(call)), times


def reason(check: Check, result: bytes | dict[str, Any], **more: Any) -> str | None:
    reply, _ = answered(check, result, **more)
    return reply.reason if isinstance(reply, Failure) else None


def test_arguments_are_bounded_for_one_tool_before_it_is_called() -> None:
    one = SizeCheck(TOOLS)
    assert reason(one, b"{}", text="short") is None
    reply, times = answered(one, b"{}", text="x" * 100)
    assert isinstance(reply, Failure)
    assert (reply.reason, reply.data, times) == ("arguments-too-large", {"limit": 20}, 0)
    assert reason(one, b"{}", tool="other", text="x" * 100) is None


@holds(33)
def test_results_are_bounded_for_one_tool() -> None:
    one = SizeCheck(TOOLS)
    large = b'{"content":[{"type":"text","text":"%b"}]}' % (b"x" * 200)
    assert reason(one, large, tool="big_read") == "result-too-large"
    assert reason(one, b'{"content":[]}', tool="big_read") is None
    assert reason(one, large, tool="other") is None


LINK = {"type": "resource_link", "uri": "https://example.com/a", "name": "a"}
FILE = {"type": "resource_link", "uri": "file:///etc/passwd", "name": "a"}
INSIDE = {"type": "resource", "resource": {"uri": "file:///a", "text": "x"}}
IMAGE = {"type": "image", "data": "", "mimeType": "image/png"}
SVG = {"type": "image", "data": "", "mimeType": "image/svg+xml; charset=utf-8"}


@holds(33)
@pytest.mark.parametrize(
    ("content", "refused"),
    [
        ([LINK, IMAGE, {"type": "text", "text": "file:///etc/passwd"}], False),
        ([LINK, FILE], True),
        ([{**FILE, "uri": " FILE:///etc/passwd"}], True),
        ([{**FILE, "uri": "data:text/html,x"}], True),
        ([{**FILE, "uri": "javascript:alert(1)"}], True),
        ([{**FILE, "uri": 3}], True),
        ([{"type": "resource_link"}], True),
        ([INSIDE], True),
        ([SVG], True),
        ([{**INSIDE, "resource": {"uri": "https://a.example/", "mimeType": "text/html"}}], True),
        (["nonsense", None, 3], False),
        ("nonsense", False),
    ],
)
def test_results_link_to_chosen_schemes_and_hold_chosen_media(content: Any, refused: bool) -> None:
    one = LinkCheck(["https"], ["image/png", "text/plain"])
    assert (reason(one, {"content": content}) == "result-link") == refused


def test_resources_and_prompts_hold_content_as_well() -> None:
    one = LinkCheck(["https"], [])
    contents = {"contents": [{"uri": "file:///a", "text": "x"}]}
    assert reason(one, contents, method="resources/read") == "result-link"
    messages = {"messages": [{"role": "user", "content": FILE}]}
    assert reason(one, messages, method="prompts/get") == "result-link"
    fine = {"messages": [{"role": "user", "content": [LINK]}]}
    assert reason(one, fine, method="prompts/get") is None


def test_an_escaped_type_is_the_type_it_is() -> None:
    written = rb'{"content":[{"type":"resource\u005flink","uri":"file:///a"}]}'
    assert reason(LinkCheck(["https"], []), written) == "result-link"
    assert reason(LinkCheck(["https"], []), b'{"content":[1e999]}') == "result-link"
