"""The check of what tools answer, asked as the chain asks it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from lockgate.core.chain import compose
from lockgate.core.message import Call, ClientFacts, Failure, Reply, Result, Target
from lockgate.core.raw import Raw
from lockgate.guard.schemas.schema import Schemas
from lockgate.policies.outputs import OutputCheck
from tests.security.controls import holds
from tests.support.asking import asked

CALL = Call(
    method="tools/call",
    client=ClientFacts(era="modern", protocol_version="2026-07-28"),
    target=Target("shop", "tool", "price"),
)
SCHEMA = {"type": "object", "properties": {"cents": {"type": "integer"}}, "required": ["cents"]}


def answered(reply: Reply | bytes, schema: Any = SCHEMA, **settings: Any) -> tuple[Reply, int]:
    """What becomes of an answer, and how often the server was asked for it."""
    times = 0
    definition = {"name": "price", "inputSchema": {}}
    if schema is not None:
        definition["outputSchema"] = schema

    async def server(_: Call) -> Reply:
        nonlocal times
        times += 1
        return Result(Raw(reply)) if isinstance(reply, bytes) else reply

    one = OutputCheck(lambda _: Raw.of(definition), Schemas(), **{"enforce": True, **settings})
    return asked(compose([one], server)(CALL)), times


GOOD = b'{"content":[],"structuredContent":{"cents":3}}'
EXEMPT: list[tuple[Reply | bytes, Any]] = [
    (GOOD, SCHEMA),
    (b'{"content":[{"type":"text","text":"no"}],"isError":true}', SCHEMA),
    (b'{"content":[],"isError":true,"structuredContent":{"cents":"x"}}', SCHEMA),
    (Result(Raw(b'{"inputRequests":{}}'), "input_required"), SCHEMA),
    (Result(Raw(b'{"task":{}}'), "task"), SCHEMA),
    (Failure(code=-1, message="no", origin="upstream"), SCHEMA),
    (b'{"content":[],"structuredContent":[1,"anything"]}', None),
    (b'{"content":[],"structuredContent":[1]}', {"type": "array", "items": {"type": "integer"}}),
    (b'{"content":[],"structuredContent":null}', {"type": "null"}),
]


@pytest.mark.parametrize(("reply", "schema"), EXEMPT)
def test_what_fits_or_need_not_passes(reply: Reply | bytes, schema: Any) -> None:
    found, times = answered(reply, schema)
    assert times == 1
    if isinstance(reply, bytes):
        assert isinstance(found, Result)
        assert found.raw.encode() == reply
    else:
        assert found is reply


WRONG: list[tuple[bytes, str]] = [
    (b'{"content":[],"structuredContent":{"cents":"3"}}', "`cents` must be an integer"),
    (b'{"content":[],"structuredContent":{}}', "`cents` is missing"),
    (b'{"content":[]}', "structured content is missing"),
    (b'{"content":[],"structuredContent":{"cents":1e999}}', "cannot be read"),
    (b'{"content":[],"structuredContent":%b}' % (b"[" * 5000 + b"]" * 5000), "cannot be read"),
    (b'{"content":[],"structuredContent":{"cents":3,"a":"%b"}}' % (b"x" * 2000), "more of it"),
]


@holds(33)
@pytest.mark.parametrize(("reply", "said"), WRONG)
def test_what_does_not_fit_is_the_servers_fault(
    reply: bytes, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    found, _ = answered(reply, largest=11_000 if b"[[" in reply else 1000)
    assert isinstance(found, Failure)
    assert (found.reason, found.origin) == ("result-schema", "upstream")
    assert said in found.message
    with caplog.at_level(logging.WARNING):
        lenient, _ = answered(reply, enforce=False, largest=11_000 if b"[[" in reply else 1000)
    assert isinstance(lenient, Result)
    assert lenient.raw.encode() == reply
    assert len(caplog.records) == 1


def test_of_members_that_are_there_twice_the_one_looked_at_goes_on() -> None:
    twice = b'{"content":[],"structuredContent":{"cents":"x","cents":3}}'
    found, _ = answered(twice)
    assert isinstance(found, Result)
    assert found.raw.encode() == b'{"content":[],"structuredContent":{"cents":3}}'


def test_a_tool_whose_results_cannot_be_checked_is_not_called_where_that_is_wanted() -> None:
    found, times = answered(GOOD, {"type": "any"}, refuse_unusable=True)
    assert isinstance(found, Failure)
    assert (found.reason, times) == ("schema-unusable", 0)
    found, times = answered(GOOD, {"type": "any"})
    assert isinstance(found, Result)
    assert times == 1
