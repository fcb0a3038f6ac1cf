"""Nonces for proofs of possession, and proofs that are used at several replicas."""

from __future__ import annotations

import asyncio
import os
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lockgate.config.identity import AuthSettings
from lockgate.identity.nonces import Nonces
from lockgate.wire.seal import KeyRing
from tests.identity.issuer import Holder
from tests.identity.world import Guarded, guarded, run
from tests.security.musts import must
from tests.security.world import Answer
from tests.support.valkey import valkey

KEY = os.urandom(32)
SESSION = {"keys": [urlsafe_b64encode(KEY).decode()]}
PUBLIC = "https://mcp.example"
HOLDER = Holder()


async def shown(it: Guarded, token: str, nonce: str | None = None, **more: Any) -> Answer:
    """A call with a proof that holds this nonce."""
    proof = HOLDER.proof("POST", f"{PUBLIC}/mcp", token, nonce=nonce, **more)
    return await it.call(token, scheme="DPoP", DPoP=proof)


@asynccontextmanager
async def demanding(**auth: Any) -> AsyncIterator[tuple[Guarded, str]]:
    async with guarded(auth=auth, public_url=PUBLIC, session=SESSION) as it:
        yield it, it.token(audience=f"{PUBLIC}/mcp", cnf=HOLDER.bound)


@must("dpop-nonce")
def test_where_a_nonce_is_required_a_proof_without_it_is_told_one() -> None:
    async def test() -> None:
        async with demanding(dpop_nonce="require") as (it, token):
            for wrong in (None, "made-up"):
                seen = len(it.peer.requests)
                refused = await shown(it, token, wrong)
                assert refused.status == 401
                assert refused.headers["www-authenticate"].startswith("DPoP ")
                assert 'error="use_dpop_nonce"' in refused.headers["www-authenticate"]
                assert refused.headers["cache-control"] == "no-store"
                assert refused.error["data"]["reason"] == "proof-nonce"
                assert len(it.peer.requests) == seen
            nonce = refused.headers["dpop-nonce"]
            for _ in range(2):
                answer = await shown(it, token, nonce)
                assert answer.status == 200
                assert "dpop-nonce" not in answer.headers, "nothing is new"
            # Whatever else is wrong with a proof, the next one needs a nonce.
            assert (await it.refused(token)).headers["dpop-nonce"] == nonce
            assert (await shown(it, token, nonce, htm="GET")).headers["dpop-nonce"] == nonce

    run(test())


@must("dpop-nonce")
def test_where_nonces_are_allowed_they_are_given_and_judged() -> None:
    async def test() -> None:
        async with demanding(dpop_nonce="allow") as (it, token):
            answer = await shown(it, token)
            assert answer.status == 200
            again = await shown(it, token, answer.headers["dpop-nonce"])
            assert again.status == 200
            assert "dpop-nonce" not in again.headers
            assert (await shown(it, token, "made-up")).status == 401

    run(test())


def test_where_they_are_off_nobody_hears_of_them() -> None:
    async def test() -> None:
        async with demanding() as (it, token):
            for nonce in (None, "of another server"):
                answer = await shown(it, token, nonce)
                assert answer.status == 200
                assert "dpop-nonce" not in answer.headers
            assert "dpop-nonce" not in (await it.refused(token)).headers

    run(test())


@must("dpop-nonce")
def test_a_nonce_that_grows_old_is_replaced_and_an_old_one_refused() -> None:
    async def test() -> None:
        async with demanding(dpop_nonce="require", dpop_nonce_life=600) as (it, token):
            known = Nonces(KeyRing([KEY]), 600, demanded=True)
            now = time.time()
            before = known.current(now - 300)
            answer = await shown(it, token, before)
            assert answer.status == 200
            assert answer.headers["dpop-nonce"] not in ("", before)
            assert (await shown(it, token, known.current(now - 900))).status == 401

    run(test())


@given(st.floats(0, 4e9), st.floats(10, 3600))
def test_a_nonce_lives_between_half_of_its_life_and_all_of_it(now: float, life: float) -> None:
    nonces = Nonces(KeyRing([KEY]), life, demanded=True)
    nonce = nonces.current(now)
    assert nonces.accepts(nonce, now + life * 0.49)
    assert not nonces.accepts(nonce, now + life * 1.01)
    assert not nonces.accepts(None, now)
    for other in ("", nonce[:-1], nonce + "x", 1, [nonce], {}):
        assert not nonces.accepts(other, now)


def test_a_nonce_is_known_to_who_has_the_key_and_to_nobody_else() -> None:
    now, other = time.time(), os.urandom(32)
    nonce = Nonces(KeyRing([KEY]), 300, demanded=True).current(now)
    assert Nonces(KeyRing([other, KEY]), 300, demanded=True).accepts(nonce, now)
    assert not Nonces(KeyRing([other]), 300, demanded=True).accepts(nonce, now)


def test_nonces_need_proofs() -> None:
    with pytest.raises(ValidationError, match="leave `dpop_nonce` out"):
        AuthSettings.model_validate({"dpop": "off", "dpop_nonce": "allow"})


@must("dpop")
def test_a_proof_is_good_for_one_use_at_all_replicas() -> None:
    async def test() -> None:
        with valkey() as server:
            shared = {"store": server.url, "public_url": PUBLIC, "session": SESSION}
            auth = {"dpop_nonce": "require"}
            async with (
                guarded(auth=auth, **shared) as one,
                guarded(told={"issuer": one.issuer.url}, auth=auth, **shared) as other,
            ):
                token = one.token(audience=f"{PUBLIC}/mcp", cnf=HOLDER.bound)
                nonce = (await shown(one, token)).headers["dpop-nonce"]

                def proof() -> str:
                    return HOLDER.proof("POST", f"{PUBLIC}/mcp", token, nonce=nonce)

                async def status(it: Guarded, proof: str) -> int:
                    return (await it.call(token, scheme="DPoP", DPoP=proof)).status

                first = proof()
                # At once, so that neither can know of the other but by the store.
                found = await asyncio.gather(status(one, first), status(other, first))
                assert sorted(found) == [200, 401]
                assert await status(one, first) == await status(other, first) == 401
                assert await status(other, proof()) == 200
                server.kill()
                # While nobody can say what the others saw, each knows what it saw itself.
                second = proof()
                assert await status(one, second) == 200
                assert await status(one, second) == 401

    run(test())
