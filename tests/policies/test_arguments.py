"""The check of arguments, asked as the chain asks it."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from lockgate.core.message import Call, ClientFacts, Failure, Target
from lockgate.core.raw import Raw
from lockgate.guard.schemas.schema import Schemas
from lockgate.policies.arguments import ArgumentCheck

CLIENT = ClientFacts(era="modern", protocol_version="2026-07-28")
TARGET = Target("shop", "tool", "buy")
SCHEMA = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}


class Shown:
    """What the caller was shown, and how often somebody asked."""

    def __init__(self, *schemas: Any) -> None:
        self.schemas = list(schemas)
        self.asked = 0

    def __call__(self, call: Call) -> Raw | None:
        assert call.target is not None
        self.asked += 1
        if not self.schemas:
            return None
        return Raw.of({"name": call.target.name, "inputSchema": self.schemas[-1]})


def check(*schemas: Any, **settings: Any) -> ArgumentCheck:
    return ArgumentCheck(Shown(*schemas), Schemas(), **settings)


def call(params: bytes, target: Target | None = TARGET) -> Call:
    return Call(method="tools/call", client=CLIENT, params=Raw(params), target=target)


def said(arguments: bytes, **settings: Any) -> Failure | None:
    return check(SCHEMA, **settings).check(call(b'{"name":"buy","arguments":%b}' % arguments))


def test_what_fits_passes_and_what_does_not_is_told_so_that_it_can_be_corrected() -> None:
    assert said(b'{"count":1}') is None
    failure = said(b'{"count":"1"}')
    assert failure is not None
    assert failure.reason == "invalid-arguments"
    assert failure.origin == "client"
    assert failure.code == -32602
    assert failure.message == (
        "The arguments of buy do not fit its input schema: `count` must be an integer, "
        "not a string."
    )
    assert failure.data == {
        "arguments": [
            {"path": "count", "keyword": "type", "expected": "must be an integer, not a string"}
        ],
        "inputSchema": json.dumps(SCHEMA, separators=(",", ":")),
    }


@pytest.mark.parametrize("params", [b'{"name":"buy"}', b'{"name":"buy","arguments":null}'])
def test_no_arguments_are_none(params: bytes) -> None:
    failure = check(SCHEMA).check(call(params))
    assert failure is not None
    assert "`count` is missing" in failure.message
    assert check({"type": "object"}).check(call(params)) is None


@pytest.mark.parametrize("arguments", [b"[]", b'"a"', b"1", b"true"])
def test_arguments_that_are_no_object_are_no_call(arguments: bytes) -> None:
    failure = check(True).check(call(b'{"name":"buy","arguments":%b}' % arguments))
    assert failure is not None
    assert failure.reason == "invalid-params"


@pytest.mark.parametrize("arguments", [b'{"count":1e999}', b'{"count":"\\ud800"}'])
def test_what_cannot_be_read_is_refused(arguments: bytes) -> None:
    failure = said(arguments)
    assert failure is not None
    assert failure.reason == "invalid-params"


def test_what_was_looked_at_is_what_is_forwarded() -> None:
    twice = call(b'{"name":"buy","arguments":{"count":"x","count":1,"in":{"a":"x","a":2}}}')
    assert check(SCHEMA).check(twice) is None
    assert twice.params.encode() == b'{"name":"buy","arguments":{"count":1,"in":{"a":2}}}'


def test_a_tool_on_no_list_and_a_call_of_nothing_pass() -> None:
    assert check().check(call(b'{"name":"buy","arguments":{"a":1}}')) is None
    assert check(SCHEMA).check(call(b"{}", target=None)) is None


def test_the_definition_is_looked_up_once_for_a_target_and_anew_for_another() -> None:
    shown = Shown(SCHEMA)
    one = ArgumentCheck(shown, Schemas())
    for _ in range(3):
        assert one.check(call(b'{"arguments":{"count":1}}')) is None
    assert shown.asked == 1
    shown.schemas.append({"type": "object", "required": ["other"]})
    again = Target("shop", "tool", "buy")
    assert one.check(call(b'{"arguments":{"count":1}}', again)) is not None
    # Once to learn it, and once to show what was not kept to.
    assert shown.asked == 3


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "any"}, "invalid"),
        ({"$schema": "urn:x"}, "dialect"),
        ({"$ref": "https://example.com/x"}, "reference"),
        (3, "invalid"),
    ],
)
def test_a_tool_that_nothing_can_be_checked_by(
    schema: Any, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    some = call(b'{"arguments":{}}')
    failure = check(schema).check(some)
    assert failure is not None
    assert (failure.reason, failure.origin) == ("schema-unusable", "upstream")
    assert failure.data == {"why": why}
    with caplog.at_level(logging.WARNING):
        lenient = check(schema, refuse_unusable=False)
        assert lenient.check(some) is None
        assert lenient.check(some) is None
    assert len(caplog.records) == 1


def test_warn_says_it_once_and_names_no_value(caplog: pytest.LogCaptureFixture) -> None:
    lenient = check(SCHEMA, enforce=False)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert lenient.check(call(b'{"arguments":{"count":"s3cret"}}')) is None
        assert lenient.check(call(b'{"arguments":{}}')) is None
    assert [one.message for one in caplog.records] == [
        "arguments do not fit the input schema (type)",
        "arguments do not fit the input schema (required)",
    ]


def test_strict_refuses_arguments_nobody_named() -> None:
    assert said(b'{"count":1,"sidenote":"x"}') is None
    failure = said(b'{"count":1,"sidenote":"x"}', strict=True)
    assert failure is not None
    assert "sidenote" in failure.message


def test_targets_that_are_gone_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lockgate.guard.schemas.known.MOST_TARGETS", 10)
    one = check(SCHEMA)
    for _ in range(100):
        assert one.check(call(b'{"arguments":{"count":1}}', Target("shop", "tool", "buy"))) is None
    assert len(one._known) <= 10  # pyright: ignore[reportPrivateUsage] - what is bounded
