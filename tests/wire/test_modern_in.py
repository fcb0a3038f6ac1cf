"""Results and envelopes of the stateless era; the ladder itself is in tests/fronts."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.message import ClientFacts, Notification, Result
from lockgate.core.raw import Raw
from lockgate.wire import modern_dress, modern_in
from lockgate.wire.modern_in import Lifter, Refusal

KEYS = st.sampled_from(["resultType", "ttlMs", "cacheScope", "_meta", "content", 'a"b', "x\\y"])
LEAVES = st.sampled_from(
    ["complete", '"resultType":"complete"', "\\", '{"', "public"]
) | st.integers(0, 9)
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=10,
)
METHODS = st.sampled_from(["tools/call", "tools/list", "resources/read", "prompts/get"])


def once(data: bytes) -> dict[str, Any]:
    """Decode, and check that no member stands twice."""

    def hook(found: list[tuple[str, Any]]) -> dict[str, Any]:
        counted[:] = [key for key, _ in found]
        return dict(found)

    counted: list[str] = []
    made = json.loads(data, object_pairs_hook=hook)
    assert len(counted) == len(set(counted))
    return made


@given(METHODS, st.dictionaries(KEYS, VALUES, max_size=5), st.sampled_from(["", " ", "\n"]))
def test_dressing_adds_what_is_missing_and_changes_nothing(
    method: str, value: dict[str, Any], space: str
) -> None:
    data = (
        msgspec.json.format(msgspec.json.encode(value), indent=1)
        if space
        else msgspec.json.encode(value)
    )
    dressed = modern_dress.dress(method, Result(Raw(space.encode() + data)), b'{"name":"g"}')
    made = once(dressed)
    for key, item in value.items():
        assert made[key] == item
    assert "resultType" in made
    if method in modern_dress.CACHEABLE:
        assert {"ttlMs", "cacheScope"} <= set(made)
    if "resultType" in value and method not in modern_dress.CACHEABLE:
        assert dressed == space.encode() + data


@pytest.mark.parametrize("method", ["tools/call", "tools/list"])
def test_what_is_dressed_passes_byte_for_byte(method: str) -> None:
    for body in (
        b'{"x":1,"resultType":"complete","ttlMs":5,"cacheScope":"public"}',
        b'{"resultType":"complete","ttlMs":5,"cacheScope":"private","x" : 1}',
        b'{"_meta":{"a":"}"},"resultType":"complete","ttlMs":5,"cacheScope":"private","x" : 1}',
    ):
        for filler in (b"", b"y" * 9000):
            data = body.replace(b'"x"', b'"x' + filler + b'"')
            assert modern_dress.dress(method, Result(Raw(data))) == data


@given(st.dictionaries(st.sampled_from([*modern_in._LIFTED, "other", "traceparent"]), VALUES))
def test_any_metadata_is_lifted_or_a_typed_refusal(meta: dict[str, Any]) -> None:
    lifter = Lifter()
    for _ in range(2):
        with suppress(Refusal):
            lifted = lifter.lift(Raw.of({"name": "x", "_meta": meta}))
            left = lifted.params.get("_meta") or {}
            assert left == {k: v for k, v in meta.items() if k not in modern_in._LIFTED}
            assert lifted.params["name"] == "x"


@given(st.binary(max_size=60))
def test_garbage_metadata_is_a_typed_refusal(data: bytes) -> None:
    with pytest.raises(Refusal):
        Lifter().lift(Raw(members={"_meta": data}))


def test_tags_keep_what_else_is_in_the_metadata() -> None:
    note = Notification("notifications/resources/updated", Raw.of({"uri": "a", "_meta": {"b": 1}}))
    made = msgspec.json.decode(modern_dress.listen_notice(note, 7))
    tag = {"io.modelcontextprotocol/subscriptionId": 7}
    assert made["params"] == {"uri": "a", "_meta": {"b": 1, **tag}}


def test_log_messages_need_a_level() -> None:
    note = Notification("notifications/message", Raw.of({"level": "emergency"}))
    facts = ClientFacts(era="modern", protocol_version="2026-07-28")
    assert modern_dress.notice(note, facts, b"1") is None
    heard = facts.replace(log_level="emergency")
    assert modern_dress.notice(note, heard, None) is not None


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    Notification("notifications/tools/list_changed"),
                    Notification("notifications/resources/updated", Raw(b'{"uri":"a:b"}')),
                    Notification("x", Raw(b'{"_meta":{"a":1},"b":"%b%d"}')),
                ]
            ),
            st.integers() | st.text(),
        )
    )
)
def test_many_streams_hear_what_each_would_hear_alone(
    told: list[tuple[Notification, int | str]],
) -> None:
    notices = modern_dress.ListenNotices()
    for notification, listen_id in told:
        alone = modern_dress.listen_notice(notification, listen_id)
        assert notices.notice(notification, listen_id) == alone
