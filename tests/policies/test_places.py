"""The checks of paths and URLs, asked as the chain asks them."""

from __future__ import annotations

import asyncio
from typing import Any

from lockgate.core.chain import compose
from lockgate.core.message import Call, ClientFacts, Failure, Reply, Result, Target
from lockgate.core.raw import EMPTY, Raw
from lockgate.guard.places.hosts import UrlRule
from lockgate.guard.places.rules import PlaceRule, Places
from lockgate.policies.places import PlaceCheck, PlaceLookup
from tests.support.asking import asked

DEFINITION = Raw.of({"inputSchema": {"properties": {"url": {"format": "uri"}}}})
DNS = {
    "good.example": ["93.184.216.34", "2606:2800:220:1::1"],
    "mixed.example": ["93.184.216.34", "10.0.0.7"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "inside.example": ["192.168.0.1"],
    "empty.example": [],
}


async def resolve(host: str, port: int) -> list[str]:
    if host == "never.example":
        await asyncio.Event().wait()
    if host not in DNS:
        raise OSError("no such name")
    return DNS[host]


def answered(places: Places, **arguments: Any) -> Reply:
    call = Call(
        method="tools/call",
        client=ClientFacts(era="modern", protocol_version="2026-07-28"),
        params=Raw.of({"name": "get", "arguments": arguments}),
        target=Target("web", "tool", "get"),
    )

    async def server(_: Call) -> Reply:
        return Result(EMPTY)

    checks = [PlaceCheck(lambda _: DEFINITION, places)]
    looks = [PlaceLookup(lambda _: DEFINITION, places, resolve)] if places.looks_up else []
    return asked(compose([*checks, *looks], server)(call))


def refused(places: Places, **arguments: Any) -> str | None:
    reply = answered(places, **arguments)
    if isinstance(reply, Failure):
        assert (reply.reason, reply.policy) == ("argument-refused", "places")
        return reply.message
    return None


def test_only_names_that_lead_to_the_public_internet_alone_pass() -> None:
    public = Places({}, "public")
    assert refused(public, url="https://good.example/") is None
    assert refused(public, url="https://8.8.8.8/") is None
    assert refused(public) is None
    said = {
        refused(public, url=f"https://{name}.example/")
        for name in ("mixed", "mapped", "inside", "empty", "unknown")
    }
    # Nobody learns from it which names mean something inside.
    assert said == {"get may not be called so: a URL must lead to a host on the public internet."}
    assert "10.0.0.1" not in str(refused(public, url="http://10.0.0.1/"))


def test_a_list_is_judged_whole_and_not_looked_up_without_end() -> None:
    rule = Places({"*": {"urls": PlaceRule(url=UrlRule())}})
    good, bad = "https://good.example/", "https://inside.example/"
    assert refused(rule, urls=[good] * 500) is None
    assert refused(rule, urls=[*[good] * 20, bad])
    assert refused(rule, urls=[f"https://{one}.good.example/" for one in range(100)])


def test_a_lookup_that_hangs_refuses(monkeypatch: Any) -> None:
    monkeypatch.setattr("lockgate.policies.places.WITHIN", 0.01)
    assert refused(Places({}, "public"), url="https://never.example/")


def test_metadata_is_refused_by_default_and_nothing_is_looked_up() -> None:
    places = Places({})
    assert not places.looks_up
    assert refused(places, url="http://169.254.169.254/latest")
    assert refused(places, url="http://inside.example/") is None


def test_paths_are_kept_in_their_folders() -> None:
    places = Places({"*": {"path": PlaceRule(under=("/srv/docs",))}})
    assert refused(places, path="/srv/docs/a;b.txt") is None
    assert refused(places, path="/srv/docs-evil/a") == (
        "get may not be called so: `path` must be a path in /srv/docs."
    )
