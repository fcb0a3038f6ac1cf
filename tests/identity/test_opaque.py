"""Opaque tokens: the issuer is asked (RFC 7662), once for many, and not for long."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import Any

import pytest

from tests.identity.issuer import Issuer
from tests.identity.world import guarded, run
from tests.security.musts import must

Json = dict[str, Any]
SECRET = "s:e+c r%t"
ASKED = {"introspection": {"client_id": "gate", "client_secret": SECRET}}


def active(issuer: Issuer, resource: str, **more: Any) -> Json:
    return {"active": True, "token_type": "Bearer", **issuer.claims(resource), **more}


@must("as-validate-token", "as-audience", "introspection")
def test_an_active_token_gets_in_and_is_not_asked_about_again() -> None:
    async def test() -> None:
        async with guarded(told=ASKED) as it:
            it.issuer.tokens["good"] = active(it.issuer, it.resource)
            answers = await asyncio.gather(*(it.call("good") for _ in range(10)))
            assert {one.status for one in answers} == {200}
            assert (await it.call("good")).status == 200
            [form] = it.issuer.forms
            assert form == {"token": "good", "token_type_hint": "access_token"}
            sent = it.issuer.headers[0][b"authorization"].removeprefix(b"Basic ")
            assert base64.b64decode(sent) == b"gate:s%3Ae%2Bc%20r%25t"

    run(test())


@must("as-audience", "as-401", "introspection")
@pytest.mark.parametrize(
    "change",
    [
        {"active": False},
        {"active": "true"},
        {"active": None},
        {"aud": "https://other.example"},
        {"aud": None},
        {"iss": "https://other.example"},
        {"exp": int(time.time()) - 3600},
        {"nbf": int(time.time()) + 3600},
        {"token_type": "refresh_token"},
        {"token_use": "id"},
        {"sub": None, "client_id": None},
        {"cnf": {"x5t#S256": "a"}},
    ],
)
def test_a_token_that_is_not_for_us_touches_no_server(change: Json) -> None:
    async def test() -> None:
        async with guarded(told=ASKED) as it:
            said = {**active(it.issuer, it.resource), **change}
            it.issuer.tokens["bad"] = {k: v for k, v in said.items() if v is not None}
            for _ in range(3):
                assert (await it.refused("bad")).status == 401
            inactive = change.get("active") is not None or "active" in change
            # The answer is kept for a moment, whatever it was.
            assert len(it.issuer.forms) == 1, inactive

    run(test())


def test_an_issuer_that_names_no_audience_has_to_be_trusted_to() -> None:
    async def test() -> None:
        told = {"introspection": {**ASKED["introspection"], "any_audience": True, "method": "post"}}
        async with guarded(told=told) as it:
            said = active(it.issuer, it.resource)
            it.issuer.tokens["other"] = {**said, "aud": "https://other.example"}
            del said["aud"]
            it.issuer.tokens["silent"] = said
            assert (await it.call("silent")).status == 200
            assert (await it.refused("other")).status == 401
            assert it.issuer.forms[0]["client_secret"] == SECRET
            assert b"authorization" not in it.issuer.headers[0]

    run(test())


@must("introspection")
def test_an_answer_is_kept_no_longer_than_it_is_true() -> None:
    async def test() -> None:
        told = {"introspection": {**ASKED["introspection"], "cache": 0}}
        async with guarded(told=told) as it:
            it.issuer.tokens["good"] = active(it.issuer, it.resource)
            assert (await it.call("good")).status == 200
            it.issuer.tokens["good"] = {"active": False}
            assert (await it.refused("good")).status == 401

    run(test())


@must("issuer-away")
@pytest.mark.parametrize("status", [401, 500])
def test_an_issuer_that_cannot_be_asked_is_no_fault_of_the_token(status: int) -> None:
    async def test() -> None:
        issuer = Issuer()
        issuer.status = {"/introspect": status}
        async with guarded(issuer=issuer, told=ASKED) as it:
            answer = await it.refused("some")
            assert answer.status == 503
            assert answer.error["data"]["reason"] == "issuer-unavailable"
            assert SECRET.encode() not in answer.body
            # It may be back at any moment, so that nothing is kept of it.
            issuer.status = {}
            issuer.tokens["some"] = active(issuer, it.resource)
            assert (await it.call("some")).status == 200

    run(test())


@must("no-other-tokens")
def test_a_signed_token_is_shown_to_no_issuer_but_its_own() -> None:
    async def test() -> None:
        async with guarded(told=ASKED) as it:
            assert (await it.refused(it.token(iss="https://other.example"))).status == 401
            assert (await it.call(it.token())).status == 200
            assert it.issuer.forms == []

    run(test())


@must("as-validate-token")
def test_tokens_that_end_alike_are_told_apart() -> None:
    async def test() -> None:
        async with guarded(told=ASKED) as it:
            end = "e" * 40
            for who in ("ann", "bob"):
                it.issuer.tokens[who + end] = active(it.issuer, it.resource, sub=who)
            who = {"Accept": "application/vnd.lockgate.principal+json"}
            for _ in range(2):
                for name in ("ann", "bob"):
                    fields = [("Authorization", f"Bearer {name}{end}"), *who.items()]
                    answer = await it.world.http(verb="GET", fields=fields)
                    assert json.loads(answer.body)["id"] == f"{it.issuer.url}#{name}"
                assert (await it.refused(f"eve{end}")).status == 401
            assert [form["token"][:3] for form in it.issuer.forms] == ["ann", "bob", "eve"]

    run(test())
