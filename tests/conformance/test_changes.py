"""What servers say unasked reaches the clients that want it, and those alone, in both eras."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.speaking import HANDSHAKE, META, MODERN, Plain

pytestmark = pytest.mark.conformance

WATCHED = "test://watched-resource"
GATEWAYS = pytest.mark.parametrize("gateway", ["over_http", "over_stdio"])
ERAS = pytest.mark.parametrize("revision", [HANDSHAKE, MODERN])
KINDS = {
    "tools": ("test_trigger_tool_change", "toolsListChanged"),
    "prompts": ("test_trigger_prompt_change", "promptsListChanged"),
    "resources": ("trigger_resource_change", "resourcesListChanged"),
}


def first(events: Iterator[Any], method: str) -> Any:
    """The params of the next notification of this method; bounded by the client's timeout."""
    return next(one.get("params", {}) for one in events if one.get("method") == method)


def run(client: Plain, tool: str, **arguments: Any) -> Any:
    """Call a tool."""
    return client.ask("tools/call", {"name": tool, "arguments": arguments})


@ERAS
@GATEWAYS
@pytest.mark.parametrize("kind", KINDS)
def test_list_changes_arrive(
    gateway: str, revision: str, kind: str, request: pytest.FixtureRequest
) -> None:
    tool, wanted = KINDS[kind]
    client = Plain(request.getfixturevalue(gateway), revision).open()
    with client.listening(**{wanted: True}) as events:
        if client.modern:
            granted = first(events, "notifications/subscriptions/acknowledged")
            assert granted["notifications"] == {wanted: True}
        run(client, tool)
        params = first(events, f"notifications/{kind}/list_changed")

    if client.modern:
        assert params["_meta"][META + "subscriptionId"] is not None


@ERAS
@GATEWAYS
def test_resource_updates_arrive(
    gateway: str, revision: str, request: pytest.FixtureRequest
) -> None:
    client = Plain(request.getfixturevalue(gateway), revision).open()
    with client.listening(resourceSubscriptions=[WATCHED]) as events:
        if client.modern:
            first(events, "notifications/subscriptions/acknowledged")
        else:
            client.ask("resources/subscribe", {"uri": WATCHED})
        run(client, "touch", uri=WATCHED)

        assert first(events, "notifications/resources/updated")["uri"] == WATCHED


@ERAS
@GATEWAYS
def test_what_nobody_asked_for_does_not_arrive(
    gateway: str, revision: str, request: pytest.FixtureRequest
) -> None:
    client = Plain(request.getfixturevalue(gateway), revision).open()
    with client.listening(toolsListChanged=True) as events:
        if client.modern:
            first(events, "notifications/subscriptions/acknowledged")
        run(client, "touch", uri=WATCHED)
        run(client, "test_trigger_tool_change")

        seen = []
        for event in events:
            seen.append(event["method"])
            if seen[-1] == "notifications/tools/list_changed":
                break
    assert "notifications/resources/updated" not in seen


def test_sessions_of_one_server_are_kept_apart(over_http: str) -> None:
    one, other = (Plain(over_http, HANDSHAKE).open() for _ in range(2))
    counted = [run(client, "count")["content"][0]["text"] for client in (one, one, other, one)]

    assert counted == ["1", "2", "1", "3"]
