"""A server that wants credentials is asked again once there are others, and only then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from lockgate.core.message import Failure, Principal
from lockgate.upstreams.authorized import TRIES, Authorized, Parties, Party
from lockgate.upstreams.failures import Barred
from lockgate.upstreams.head import KeptHeaders
from lockgate.upstreams.reply import WholeReply
from lockgate.wire.url import Url

URL = Url.parse("https://mcp.example.com/mcp")
ANN, BOB = Principal(id="ann"), Principal(id="bob")
NEEDED = Failure(code=-32603, message="log in", origin="client", reason="login-required")
Headers = tuple[tuple[bytes, bytes], ...]


class Keys:
    """Credentials by script: what is shown now, and what becomes of refusals."""

    def __init__(self, *outcomes: bool | Failure, shared: bool = False) -> None:
        self.shared = shared
        self.outcomes = list(outcomes)
        self.heard: list[tuple[str | None, str | None]] = []
        self.account = "1"
        self.number = 0
        self.shown: Headers | Failure | None = None

    def partition(self, principal: Principal, /) -> str:
        return "" if self.shared else f"{principal.id}#{self.account}"

    def headers(self, principal: Principal, method: str = "POST", /) -> Any:
        if isinstance(self.shown, Failure):
            return self.shown
        if self.shown is None:
            self.shown = ((b"authorization", b"Bearer %d" % self.number),)
        return self.shown

    async def refused(
        self, principal: Principal, challenge: str | None, nonce: str | None = None, /
    ) -> bool | Failure:
        self.heard.append((challenge, nonce))
        self.number += 1
        self.shown = None
        return self.outcomes.pop(0) if self.outcomes else False


class Pool:
    """Answers with these statuses; keeps what was sent."""

    def __init__(self, *answers: tuple[int, dict[bytes, bytes]]) -> None:
        self.answers = list(answers)
        self.sent: list[tuple[bytes, bytes]] = []

    async def request(
        self, url: Url, method: bytes, headers: KeptHeaders, body: bytes = b"", **_: Any
    ) -> WholeReply:
        self.sent.append((method, headers.head(url, method, len(body))))
        status, said = self.answers.pop(0) if self.answers else (200, {})
        return WholeReply(status, said, b"{}")

    def tls(self) -> Any:
        raise AssertionError


def remote(keys: Keys, pool: Pool, principal: Principal = ANN) -> Authorized:
    party = Party(keys.partition(principal), principal)
    fixed = {"Authorization": "fixed", "X-Other": "1"}
    return Authorized(keys, party, "s", pool, URL, fixed, max_message=1, max_event=1)


async def post(one: Authorized) -> Any:
    return await one.post(one.posted([(b"mcp-method", b"tools/call")]), b"{}")


DEMAND = (401, {b"www-authenticate": b"Bearer x", b"dpop-nonce": b"n"})


def test_the_same_is_sent_again_with_another_credential() -> None:
    async def scenario() -> None:
        keys, pool = Keys(True), Pool(DEMAND, (200, {}))
        assert (await post(remote(keys, pool))).status == 200

        first, second = (head for _, head in pool.sent)
        assert b"authorization: Bearer 0\r\n" in first
        assert b"authorization: Bearer 1\r\n" in second
        assert b"fixed" not in first
        assert b"x-other: 1" in second
        assert b"mcp-method: tools/call" in second
        assert keys.heard == [("Bearer x", "n")]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("outcomes", "answers", "status", "sent"),
    [
        ((), [DEMAND], 401, 1),
        ((True,) * 9, [DEMAND] * 9, 401, TRIES),
        ((True,), [(403, {})], 403, 1),
        ((True,), [(403, {b"www-authenticate": b"Bearer"}), (200, {})], 200, 2),
        ((True,), [(500, {b"www-authenticate": b"Bearer"})], 500, 1),
    ],
)
def test_how_often(outcomes: Any, answers: Any, status: int, sent: int) -> None:
    async def scenario() -> None:
        pool = Pool(*answers)
        assert (await post(remote(Keys(*outcomes), pool))).status == status
        assert len(pool.sent) == sent

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "ask",
    [
        post,
        lambda one: one.get([]),
        lambda one: one.delete([]),
    ],
)
def test_a_caller_who_has_to_act_is_told_and_nothing_is_called_executed(
    ask: Callable[[Authorized], Any],
) -> None:
    async def scenario() -> None:
        for keys, pool in ((Keys(NEEDED), Pool(DEMAND)), (Keys(), Pool())):
            if not keys.outcomes:
                keys.shown = NEEDED
            with pytest.raises(Barred) as refused:
                await ask(remote(keys, pool))
            assert refused.value.failure is NEEDED
            assert not refused.value.sent

    asyncio.run(scenario())


def test_headers_are_written_once_for_a_credential_that_stays() -> None:
    async def scenario() -> None:
        keys = Keys(shared=True)
        one = remote(keys, Pool())
        kept = one.posted([])
        await one.post(kept, b"")
        last = one._last
        await one.post(kept, b"")
        assert one._last is last

    asyncio.run(scenario())


def test_what_was_opened_as_somebody_else_is_over() -> None:
    async def scenario() -> None:
        keys, pool = Keys(), Pool()
        one = remote(keys, pool)
        await post(one)
        keys.account = "2"
        with pytest.raises(Barred) as refused:
            await post(one)
        assert refused.value.failure.reason == "upstream-session-lost"
        assert len(pool.sent) == 1

    asyncio.run(scenario())


def test_parties_are_apart_and_bounded() -> None:
    keys = Keys()
    parties = Parties(keys, lambda party: remote(keys, Pool(), party.principal))
    first = parties.of(ANN)

    assert parties.of(Principal(id="ann", scopes=frozenset({"new"}))) is first
    assert parties.of(BOB) is not first
    keys.account = "2"
    assert parties.of(ANN) is not first
    for number in range(2000):
        parties.of(Principal(id=str(number)))
    assert len(parties._known) <= 1024


def test_a_token_that_was_replaced_meanwhile_is_refused_by_nobody() -> None:
    async def scenario() -> None:
        keys = Keys()

        class Slow(Pool):
            async def request(self, *args: Any, **options: Any) -> Any:
                answer = await super().request(*args, **options)
                if len(self.sent) == 1:
                    # Another call has had its own refusal, and there is a new token by now.
                    keys.number, keys.shown = 7, None
                return answer

        pool = Slow((401, {}), (200, {}))
        assert (await post(remote(keys, pool))).status == 200
        assert keys.heard == []
        first, second = (head for _, head in pool.sent)
        assert b"authorization: Bearer 0\r\n" in first
        assert b"authorization: Bearer 7\r\n" in second

    asyncio.run(scenario())
