"""Tokens bound to a key of their client (RFC 9449)."""

from __future__ import annotations

import time
from typing import Any

import pytest

from lockgate.config.identity import AuthSettings
from lockgate.identity.proofs import MOST_SEEN, Held, Proofs, Terms
from tests.identity.issuer import Holder, ec
from tests.identity.world import Guarded, guarded, run
from tests.security.musts import must
from tests.security.world import Answer

Json = dict[str, Any]


async def bound(it: Guarded, holder: Holder, token: str, **more: Any) -> Answer:
    proof = holder.proof("POST", it.resource, token, **more)
    return await it.call(token, scheme="DPoP", DPoP=proof)


@must("dpop")
@pytest.mark.parametrize("dpop", ["allow", "require"])
def test_a_bound_token_needs_a_new_proof_each_time(dpop: str) -> None:
    async def test() -> None:
        async with guarded(auth={"dpop": dpop}) as it:
            holder = Holder()
            token = it.token(cnf=holder.bound)
            for _ in range(3):
                assert (await bound(it, holder, token)).status == 200
            proof = holder.proof("POST", it.resource, token)
            assert (await it.call(token, scheme="DPoP", DPoP=proof)).status == 200
            again = await it.refused(token, scheme="DPoP", DPoP=proof)
            assert again.status == 401
            assert 'error="invalid_dpop_proof"' in again.headers["www-authenticate"]
            assert again.error["data"]["reason"] == "proof-invalid"

    run(test())


NOW = int(time.time())
WRONG: dict[str, Json] = {
    "method": {"htm": "GET"},
    "other endpoint": {"htu": "http://127.0.0.1:1/mcp"},
    "no url": {"htu": None},
    "other token": {"ath": "x"},
    "no token": {"ath": None},
    "old": {"iat": NOW - 3600},
    "of the future": {"iat": NOW + 3600},
    "no time": {"iat": None},
    "no id": {"jti": None},
    "long id": {"jti": "x" * 300},
    "type": {"header": {"typ": "JWT"}},
    "no key": {"header": {"jwk": None}},
    "other key": {"header": {"jwk": ec("x").as_dict(private=False)}},
    "private key": {"header": {"jwk": ec("x").as_dict(private=True)}},
    "secret": {"header": {"jwk": {"kty": "oct", "k": "AAAA"}}},
}


@must("dpop")
@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_proof_touches_no_server(wrong: str) -> None:
    async def test() -> None:
        async with guarded() as it:
            holder = Holder()
            token = it.token(cnf=holder.bound)
            assert (await bound(it, holder, token)).status == 200
            seen = len(it.peer.requests)
            assert (await bound(it, holder, token, **WRONG[wrong])).status == 401
            assert len(it.peer.requests) == seen

    run(test())


@must("dpop")
def test_a_bound_token_is_worth_nothing_without_its_key() -> None:
    async def test() -> None:
        async with guarded() as it:
            holder, thief = Holder(), Holder()
            token = it.token(cnf=holder.bound)
            for _ in range(2):
                assert (await it.refused(token)).status == 401
                assert (await it.refused(token, scheme="DPoP")).status == 401
                proof = thief.proof("POST", it.resource, token)
                assert (await it.refused(token, scheme="DPoP", DPoP=proof)).status == 401
                assert (await bound(it, holder, token)).status == 200

    run(test())


@must("dpop")
def test_what_is_required_or_off_is_so() -> None:
    async def test() -> None:
        holder = Holder()
        async with guarded(auth={"dpop": "require"}) as it:
            answer = await it.refused(it.token())
            assert answer.status == 401
            challenge = answer.headers["www-authenticate"]
            assert challenge.startswith("DPoP ")
            assert 'algs="RS256' in challenge
        async with guarded(auth={"dpop": "off"}) as it:
            token = it.token(cnf=holder.bound)
            assert (await bound(it, holder, token)).status == 401
            assert (await it.refused(token)).status == 401
            assert (await it.call(it.token())).status == 200

    run(test())


def test_both_schemes_are_named_to_who_sends_nothing() -> None:
    async def test() -> None:
        async with guarded() as it:
            answer = await it.refused(None)
            lines = [line for line in answer.raw.split(b"\r\n") if line.startswith(b"www-auth")]
            assert [line.split()[1] for line in lines] == [b"Bearer", b"DPoP"]

    run(test())


@must("dpop")
def test_a_reload_lets_no_proof_in_twice() -> None:
    async def test() -> None:
        async with guarded() as it:
            holder = Holder()
            token = it.token(cnf=holder.bound)
            proof = holder.proof("POST", it.resource, token)
            assert (await it.call(token, scheme="DPoP", DPoP=proof)).status == 200
            auth = {"issuers": [{"issuer": it.issuer.url}], "dpop_window": 90}
            config = it.world.gateway._config
            settings = AuthSettings.model_validate(auth)
            await it.world.gateway.reload(config.with_settings(auth=settings))
            assert (await it.refused(token, scheme="DPoP", DPoP=proof)).status == 401
            assert (await bound(it, holder, token)).status == 200

    run(test())


def test_what_is_remembered_of_proofs_is_bounded() -> None:
    holder, proofs = Holder(), Proofs(most=3)
    jkt = holder.bound["jkt"]
    now = time.time()

    def check(at: float = now) -> object:
        proof = holder.proof("POST", "https://a/mcp", "token", iat=int(at))
        return proofs.check(proof, "token", jkt, Terms("POST", "https://a/mcp", at, 60))

    assert all(isinstance(check(), Held) for _ in range(3))
    full = check()
    assert getattr(full, "cause", None) == "away"
    assert len(proofs) == 3
    assert isinstance(check(now + 100), Held)
    assert len(proofs) == 1
    assert MOST_SEEN > 1000
