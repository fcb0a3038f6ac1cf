"""Parts of the handshake era toward clients that the fronts' tests do not reach."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.message import Failure, Result
from lockgate.core.raw import Raw
from lockgate.wire import handshake_in
from lockgate.wire.envelope import capabilities_key, failure_data

KEYS = st.sampled_from(["resultType", "ttlMs", "cacheScope", "_meta", "content", "x"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers(0, 9) | st.sampled_from(["complete", "y"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_stripping_takes_the_envelope_and_nothing_else(value: dict[str, Any]) -> None:
    stripped = msgspec.json.decode(handshake_in.strip(Result(Raw.of(value))))
    wanted = {k: v for k, v in value.items() if k not in {"resultType", "ttlMs", "cacheScope"}}
    assert stripped == wanted


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_any_initialize_is_an_opening_or_a_failure(params: dict[str, Any]) -> None:
    assert isinstance(handshake_in.read_initialize(Raw.of(params)), Failure)


@given(st.dictionaries(st.sampled_from(["inputRequests", "requestState"]), VALUES))
def test_any_input_required_is_read(value: dict[str, Any]) -> None:
    found = handshake_in.input_requests(Raw.of(value))
    retry = handshake_in.retry_params(
        Raw.of({"name": "n", "requestState": "old"}), Raw.of(value), {}
    )
    assert isinstance(found, dict)
    assert retry.get("requestState") == value.get("requestState")
    assert retry["name"] == "n"


def test_the_tasks_extension_is_not_shown_to_this_era() -> None:
    def shown(extensions: dict[str, Any]) -> Any:
        raw = Raw.of({"capabilities": {"tools": {}, "extensions": extensions}, "x": 1})
        made = msgspec.json.decode(handshake_in.initialize_result("2025-11-25", raw, b"{}"))
        assert made["x"] == 1
        assert made["serverInfo"] == {}
        return made["capabilities"].get("extensions")

    tasks = "io.modelcontextprotocol/tasks"
    assert shown({tasks: {}}) is None
    assert shown({tasks: {}, "io.modelcontextprotocol/ui": {}}) == {
        "io.modelcontextprotocol/ui": {}
    }


@pytest.mark.parametrize(
    ("capabilities", "method", "params", "good"),
    [
        ({"roots": {}}, "roots/list", {}, True),
        ({}, "roots/list", {}, False),
        ({"elicitation": {}}, "elicitation/create", {}, True),
        ({"elicitation": {}}, "elicitation/create", {"mode": "url"}, False),
        ({"elicitation": {"url": {}}}, "elicitation/create", {"mode": "url"}, True),
        ({"sampling": {}}, "tools/call", {}, False),
    ],
)
def test_what_a_client_can_answer(
    capabilities: dict[str, Any], method: str, params: dict[str, Any], good: bool
) -> None:
    verdict = handshake_in.can_answer(Raw.of(capabilities), method, Raw.of(params))
    assert (verdict is None) == good


def test_failures_show_where_they_come_from() -> None:
    ours = Failure(
        -1, "m", "policy", "r", policy="p", data={"server": "s"}, remedy="do", detail="secret"
    )
    assert failure_data(ours) == {"reason": "r", "remedy": "do", "policy": "p", "server": "s"}
    odd = Failure(-1, "m", "gateway", "r", data=[1])
    assert failure_data(odd) == {"reason": "r", "data": [1]}
    theirs = Failure(-1, "m", "upstream", "upstream-error", data="x", remedy="ours")
    assert failure_data(theirs) == "x"
    about = Failure(-1, "m", "upstream", "server-unavailable", data={"server": "s"})
    assert failure_data(about) == {
        "code": "LG-601",
        "reason": "server-unavailable",
        "server": "s",
    }


def test_capability_keys_do_not_depend_on_spelling() -> None:
    one = capabilities_key(Raw(b'{"a":{},"b":{"c":[1]}}'))
    assert one == capabilities_key(Raw(b'{ "b":{"c": [1]} , "a":{}}'))
    assert one != capabilities_key(Raw(b'{"a":{}}'))
    assert capabilities_key(Raw()) == ""
