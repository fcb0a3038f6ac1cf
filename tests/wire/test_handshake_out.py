"""The handshake era toward servers, as bytes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.core.message import Call, ClientFacts
from lockgate.core.raw import Raw
from lockgate.wire.handshake_out import (
    BadOpening,
    answer,
    canonical,
    discovered,
    initialize_params,
    read_opening,
    request_params,
)
from tests.wire.test_modern_out import objects


def client(**more: Any) -> ClientFacts:
    return ClientFacts(era="handshake", protocol_version="2025-06-18", **more)


def make(params: Raw, **more: Any) -> Call:
    return Call(method="tools/call", client=client(), params=params, **more)


def test_initialize_speaks_for_the_client() -> None:
    info = Raw(b'{"name":"n","version":"1","icons":[1]}')
    written = json.loads(initialize_params(client(info=info, capabilities=Raw(b'{"roots":{}}'))))
    assert written == {
        "protocolVersion": "2025-11-25",
        "capabilities": {"roots": {}},
        "clientInfo": {"name": "n", "version": "1", "icons": [1]},
    }


def test_a_nameless_client_gets_what_this_era_requires() -> None:
    assert json.loads(initialize_params(client(name="x")))["clientInfo"] == {
        "name": "x",
        "version": "0",
    }
    only = client(name="x", info=Raw(b'{"name":"y","k":1}'))
    assert json.loads(initialize_params(only))["clientInfo"] == {
        "name": "y",
        "version": "0",
        "k": 1,
    }


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
def test_an_opening(version: str) -> None:
    data = {"protocolVersion": version, "capabilities": {"tools": {"listChanged": True}, "x": 1}}
    opening = read_opening(json.dumps(data).encode())
    assert opening.protocol_version == version
    assert opening.offers("tools")
    assert opening.offers("tools", "listChanged")
    assert not opening.offers("tools", "other")
    assert not opening.offers("x")
    assert not opening.offers("prompts")


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b"[]",
        b"",
        b'{"protocolVersion":1}',
        b'{"protocolVersion":"2026-07-28"}',
        b'{"protocolVersion":"1999-01-01"}',
        b'{"protocolVersion":"2025-11-25","capabilities":1}',
    ],
)
def test_a_bad_opening(data: bytes) -> None:
    with pytest.raises(BadOpening):
        read_opening(data)


def test_an_opening_in_canonical_form() -> None:
    data = {
        "protocolVersion": "2025-06-18",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "s", "version": "1", "k": [1]},
        "instructions": "i",
        "_meta": {"m": 1},
        "unheard": 2,
    }
    found = discovered(json.dumps(data).encode())
    assert {key: found[key] for key in found} == {
        "supportedVersions": ["2025-06-18"],
        "capabilities": {"tools": {}},
        "instructions": "i",
        "unheard": 2,
        "_meta": {"m": 1, "io.modelcontextprotocol/serverInfo": data["serverInfo"]},
    }


@given(objects)
def test_params_pass_without_what_this_era_does_not_have(params: dict[str, Any]) -> None:
    params.pop("_meta", None)
    ours = {"requestState": "s", "inputResponses": {"k": 1}}
    expected = {key: value for key, value in params.items() if key not in ours}
    written = json.loads(request_params(make(Raw.of({**params, **ours})), 5))
    assert written == expected
    written = json.loads(request_params(make(Raw.of(params), wants_progress=True), 5))
    assert written == {
        **{key: value for key, value in params.items() if key not in ours},
        "_meta": {"progressToken": 5},
    }


def test_meta_keeps_what_is_the_clients() -> None:
    meta = {"progressToken": "theirs", "traceparent": "t", "io.modelcontextprotocol/logLevel": "x"}
    written = json.loads(request_params(make(Raw.of({"_meta": meta})), 5))
    assert written == {"_meta": {"traceparent": "t"}}


def test_untouched_params_are_the_same_bytes() -> None:
    data = b'{ "name" : "n", "arguments":{"x":1.50} }'
    assert request_params(make(Raw(data)), 5) in {data, b'{"name":"n","arguments":{"x":1.50}}'}


@given(st.integers() | st.text(), objects)
def test_answers(request_id: int | str, value: dict[str, Any]) -> None:
    value.pop("_lockgate/error", None)
    written = json.loads(answer(request_id, json.dumps(value).encode()))
    assert written == {"jsonrpc": "2.0", "id": request_id, "result": value}


def test_an_error_of_the_client_stays_one() -> None:
    for error in ({"code": -1, "message": "m"}, {"code": 2, "message": "m", "data": [1]}):
        written = json.loads(answer("q", json.dumps({"_lockgate/error": error}).encode()))
        assert written == {"jsonrpc": "2.0", "id": "q", "error": error}
    odd = json.loads(answer("q", b'{"_lockgate/error":{"code":"x"}}'))
    assert "result" in odd


def test_progress_loses_its_token() -> None:
    params = Raw.of({"progressToken": 1, "progress": 2})
    assert dict(canonical("notifications/progress", params).params) == {"progress": 2}
    assert canonical("notifications/message", params).params is params
