"""What comes through the gateway is what the servers said, field for field, in both eras."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.speaking import HANDSHAKE, META, MODERN, Plain, RefusedError

pytestmark = pytest.mark.conformance

LISTS = {
    "tools/list": ("tools", "name"),
    "prompts/list": ("prompts", "name"),
    "resources/list": ("resources", "uri"),
    "resources/templates/list": ("resourceTemplates", "uriTemplate"),
}
CALLS = {
    "echo": (
        "tools/call",
        {"name": "echo", "arguments": {"text": "héllo \u2028", "extra": {"n": 1.50, "x": None}}},
    ),
    "content": ("tools/call", {"name": "test_multiple_content_types", "arguments": {}}),
    "failure": ("tools/call", {"name": "test_error_handling", "arguments": {}}),
    "second": ("tools/call", {"name": "second_add", "arguments": {"a": 1, "b": 2}}),
    "text": ("resources/read", {"uri": "test://static-text"}),
    "binary": ("resources/read", {"uri": "test://static-binary"}),
    "template": ("resources/read", {"uri": "test://template/7/data"}),
    "notes": ("resources/read", {"uri": "second://notes/today"}),
    "prompt": (
        "prompts/get",
        {"name": "test_prompt_with_arguments", "arguments": {"arg1": "a", "arg2": "ü"}},
    ),
    "summary": ("prompts/get", {"name": "second_summary", "arguments": {"day": "monday"}}),
    "complete": (
        "completion/complete",
        {
            "ref": {"type": "ref/prompt", "name": "test_prompt_with_arguments"},
            "argument": {"name": "arg1", "value": "par"},
        },
    ),
    "complete second": (
        "completion/complete",
        {
            "ref": {"type": "ref/resource", "uri": "second://notes/{day}"},
            "argument": {"name": "day", "value": "s"},
        },
    ),
}
REFUSALS = {
    "resource": ("resources/read", {"uri": "test://nowhere"}),
    "prompt": ("prompts/get", {"name": "no such prompt"}),
}
SECOND = {"second", "notes", "summary", "complete second"}
ERAS = pytest.mark.parametrize("revision", [HANDSHAKE, MODERN])
GATEWAYS = pytest.mark.parametrize("gateway", ["over_http", "over_stdio"])


@ERAS
@GATEWAYS
@pytest.mark.parametrize("method", LISTS)
def test_lists_are_the_lists_of_the_servers(
    gateway: str,
    revision: str,
    method: str,
    everything: str,
    second: str,
    request: pytest.FixtureRequest,
) -> None:
    key, identity = LISTS[method]
    url: str = request.getfixturevalue(gateway)
    through = Plain(url.replace("/mcp", "/as-listed/mcp"), revision).open()
    direct = [Plain(url, revision).open() for url in (everything, second)]

    expected = {e[identity]: e for one in direct for e in one.everything(method, key)}
    entries = through.everything(method, key)
    assert [e[identity] for e in entries] == list(dict.fromkeys(e[identity] for e in entries))
    assert {e[identity]: e for e in entries} == expected
    assert entries == through.everything(method, key), "the order changes from call to call"


@ERAS
@GATEWAYS
@pytest.mark.parametrize("case", CALLS)
def test_results_are_the_results_of_the_servers(
    gateway: str,
    revision: str,
    case: str,
    everything: str,
    second: str,
    request: pytest.FixtureRequest,
) -> None:
    method, params = CALLS[case]
    through = Plain(request.getfixturevalue(gateway), revision).open()
    direct = Plain(second if case in SECOND else everything, revision).open()

    assert undressed(through.ask(method, params)) == undressed(direct.ask(method, params))


@ERAS
@GATEWAYS
@pytest.mark.parametrize("case", REFUSALS)
def test_refusals_carry_the_code_of_the_server(
    gateway: str, revision: str, case: str, everything: str, request: pytest.FixtureRequest
) -> None:
    errors: list[Any] = []
    for url in (request.getfixturevalue(gateway), everything):
        with pytest.raises(RefusedError) as refused:
            Plain(url, revision).open().ask(*REFUSALS[case])
        errors.append(refused.value.error)

    assert errors[0]["code"] == errors[1]["code"]
    if case == "resource":
        assert errors[0]["data"]["uri"] == errors[1]["data"]["uri"]


@ERAS
@GATEWAYS
def test_opening_shows_one_server_with_everything_the_parts_have(
    gateway: str, revision: str, everything: str, second: str, request: pytest.FixtureRequest
) -> None:
    through = Plain(request.getfixturevalue(gateway), revision).open().opening
    parts = [Plain(url, revision).open().opening for url in (everything, second)]

    for part in parts:
        assert part["instructions"] in through["instructions"]
        for name in part["capabilities"]:
            assert name in through["capabilities"]
    assert through["capabilities"]["tools"]["listChanged"] is True
    assert through["capabilities"]["resources"] == {"listChanged": True, "subscribe": True}
    if revision == MODERN:
        assert MODERN in through["supportedVersions"]
        assert through["cacheScope"] == "private"
        assert through["ttlMs"] <= 30_000
        lists = Plain(request.getfixturevalue(gateway), revision).ask("tools/list")
        assert (lists["cacheScope"], lists["ttlMs"] <= 30_000) == ("private", True)


@ERAS
@GATEWAYS
def test_progress_and_logs_travel_with_the_call(
    gateway: str, revision: str, request: pytest.FixtureRequest
) -> None:
    client = Plain(request.getfixturevalue(gateway), revision).open()
    meta: dict[str, Any] = {"progressToken": "token-1"}
    if client.modern:
        meta[META + "logLevel"] = "info"
    else:
        client.ask("logging/setLevel", {"level": "info"})
    call = {"arguments": {}, "_meta": meta}

    client.ask("tools/call", {"name": "test_tool_with_progress", **call})
    client.ask("tools/call", {"name": "test_tool_with_logging", **call})

    told = [event["params"] for event in client.heard]
    progress = [one for one in told if "progressToken" in one]
    logs = [one["data"] for one in told if one.get("logger") == "everything"]
    assert [one["progressToken"] for one in progress] == ["token-1"] * 3
    assert [one["message"] for one in progress] == ["0 of 100", "50 of 100", "100 of 100"]
    stages = ("started", "processing data", "completed")
    assert logs == [f"Tool execution {stage}" for stage in stages]


@ERAS
@GATEWAYS
def test_the_server_learns_who_calls(
    gateway: str, revision: str, request: pytest.FixtureRequest
) -> None:
    client = Plain(request.getfixturevalue(gateway), revision).open()
    said = client.ask("tools/call", {"name": "who_calls", "arguments": {}})["structuredContent"]

    assert said["version"] == revision
    assert set(said["capabilities"]) == {"sampling", "elicitation", "roots"}


@GATEWAYS
def test_unknown_metadata_and_trace_context_reach_the_server(
    gateway: str, request: pytest.FixtureRequest
) -> None:
    client = Plain(request.getfixturevalue(gateway), MODERN)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    meta = {"traceparent": trace, "example.vendor/x": [1, {"é": None}]}
    call = {"name": "meta", "arguments": {}, "_meta": meta}
    said = client.ask("tools/call", call)["structuredContent"]

    assert said["example.vendor/x"] == [1, {"é": None}]
    assert said["traceparent"].split("-")[1] == trace.split("-")[1]


def undressed(result: dict[str, Any]) -> dict[str, Any]:
    """The result without what names the server that answered, which a gateway may replace."""
    meta = {k: v for k, v in result.get("_meta", {}).items() if k != META + "serverInfo"}
    return {**result, "_meta": meta}


@GATEWAYS
def test_arguments_travel_in_headers_and_are_checked(
    gateway: str, request: pytest.FixtureRequest
) -> None:
    client = Plain(request.getfixturevalue(gateway), MODERN)
    client.tools()
    call = {"name": "region", "arguments": {"where": "Zürich", "level": 3}}

    assert client.ask("tools/call", call)["content"][0]["text"] == "Zürich 3"
    client.schemas = {}
    with pytest.raises(RefusedError) as refused:
        client.ask("tools/call", call)
    assert (refused.value.status, refused.value.error["code"]) == (400, -32020)


@ERAS
@GATEWAYS
@pytest.mark.parametrize(
    ("tool", "said"),
    [
        ("test_sampling", "LLM response: A sentence."),
        ("test_elicitation", '"action": "accept"'),
        ("test_input_required_result_list_roots", "Roots: file:///root"),
        ("test_input_required_result_multi_round", "text likes text"),
        ("test_input_required_result_multiple_inputs", "Got client_roots, greeting, user_name"),
        ("test_input_required_result_request_state", "state-ok"),
        ("open_page", "The user said accept"),
    ],
)
def test_servers_ask_clients(
    gateway: str, revision: str, tool: str, said: str, request: pytest.FixtureRequest
) -> None:
    client = Plain(request.getfixturevalue(gateway), revision).open()
    given = {"prompt": "p", "message": "m", "url": "https://page.example/"}
    result = client.call("tools/call", {"name": tool, "arguments": given})

    assert said in result["content"][0]["text"]


@GATEWAYS
@pytest.mark.parametrize("revision", ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"])
def test_every_revision_is_served_at_one_address(
    gateway: str, revision: str, request: pytest.FixtureRequest
) -> None:
    client = Plain(request.getfixturevalue(gateway), revision).open()
    answered = client.opening.get("protocolVersion") or client.opening["supportedVersions"][0]
    called = client.call("tools/call", {"name": "second_add", "arguments": {"a": 1, "b": 2}})

    assert answered == revision
    assert called["content"] == [{"type": "text", "text": "3"}]
