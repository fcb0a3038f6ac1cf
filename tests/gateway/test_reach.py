"""Where the names in servers' URLs may lead."""

from __future__ import annotations

from typing import Any

import pytest

from lockgate.config.model import ServerConfig
from lockgate.gateway.build import reach_of, stricter
from lockgate.upstreams.pool import REACHES
from tests.fronts.served import run
from tests.security.controls import holds
from tests.security.world import Peer, gateway
from tests.support.names import named


@holds(28)
@pytest.mark.parametrize(
    ("url", "server", "reach"),
    [
        ("https://mcp.example.com/mcp", {}, "outside"),
        ("https://mcp.example.com/mcp", {"reach": "public"}, "public"),
        ("http://localhost:1/mcp", {}, "outside"),
        ("http://127.0.0.1:1/mcp", {}, "any"),
        ("http://[fe80::1]:1/mcp", {}, "any"),
        ("http://169.254.1.1/mcp", {"reach": "public"}, "public"),
        ("ws://mcp.example.com/", {}, "outside"),
    ],
)
def test_a_name_leads_to_no_credentials_and_an_address_says_where_it_is(
    url: str, server: dict[str, Any], reach: Any
) -> None:
    assert reach_of(ServerConfig.model_validate({"url": url, **server}), url) == reach


def test_of_two_the_stricter_holds() -> None:
    assert stricter("any", "outside") == stricter("outside", "any") == "outside"
    assert stricter("public", "outside") == "public"
    outside, public = REACHES["outside"], REACHES["public"]
    assert outside is not None
    assert public is not None
    assert outside("10.0.0.1")
    assert not outside("169.254.169.254")
    assert not outside("::ffff:169.254.169.254")
    assert not public("10.0.0.1")


@holds(28)
@pytest.mark.parametrize(
    ("address", "reach", "reached"),
    [("127.0.0.1", "any", True), ("127.0.0.1", "public", False), ("169.254.169.254", "any", False)],
)
def test_a_server_is_not_asked_where_its_name_must_not_lead(
    address: str, reach: str, reached: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> None:
        peer = Peer()
        [(_, peer.port)] = await peer.http.start("127.0.0.1", 0)
        entry = {"url": f"http://mcp.test:{peer.port}/mcp", "era": "modern", "reach": reach}
        with named(monkeypatch, {"mcp.test": [[address]]}):
            async with gateway({"peer": entry}) as w:
                answer = await w.call("echo")
        assert bool(peer.calls) == reached
        if not reached:
            assert answer.error["data"]["reason"] == "server-unavailable"
            assert peer.requests == []
        await peer.die()

    run(play())
