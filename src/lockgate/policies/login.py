"""A call whose caller has to log in at the server first, turned into a question to the caller.

Answers: with `input_required` and the address of the page, where the client can show one (URL
elicitation); everybody else gets the Failure, which names the page. When the call is made again it
waits a moment for the login, and goes on. Costs: one step, for servers that people log in to.

What the server itself had asked for meanwhile is kept in the state that the client carries, sealed
and bound to the caller and the call. A state that is shown twice does no more than the call would.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import blake2b, sha256
from typing import Any, ClassVar, Final

import msgspec

from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.message import Call, Failure, Notification, Principal, Reply, Result
from lockgate.core.policy import CallNext, Stage
from lockgate.core.raw import Raw
from lockgate.wire.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS
from lockgate.wire.seal import BadSeal, KeyRing

ASKING: Final = frozenset({"tools/call", "prompts/get", "resources/read"})
"""Methods that may be answered with a question (specification 2026-07-28, multi round-trip)."""
REASON: Final = "login-required"
KEY: Final = "lockgate-login"
MARK: Final = "lockgate-login."
PURPOSE: Final = "login-state"
TTL: Final = 900.0
LARGEST: Final = 64 * 1024
"""Bytes of a server's own round that can be carried along."""
_ROUND: Final = ("inputResponses", "requestState")
COMPLETE: Final = "notifications/elicitation/complete"

LoggedIn = Callable[[Principal, float, float], Awaitable[bool]]
"""Waits until somebody has logged in after a time, at most so many seconds; whether they have."""
ASKED: Final = "asked"


class Login:
    """The question to log in, of one server."""

    name: ClassVar[str] = "login"
    stage: ClassVar[Stage] = Stage.SHAPE

    def __init__(
        self,
        server: str,
        keys: KeyRing,
        logged_in: LoggedIn,
        *,
        wait: float = 25.0,
        clock: Clock = SYSTEM,
    ) -> None:
        """Ask for logins at `server`.

        Args:
            server: its name.
            keys: seal what the client carries.
            logged_in: waits for a login.
            wait: for how long.
            clock: for the life of what is sealed.
        """
        self._server = server
        self._keys = keys
        self._logged_in = logged_in
        self._wait = wait
        self._clock = clock

    def concerns(self, method: str) -> bool:
        """Calls that may be answered with a question."""
        return method in ASKING

    async def __call__(self, call: Call, call_next: CallNext, /) -> Reply:
        """See `lockgate.core.policy.Policy`."""
        state = call.params.get("requestState") if "requestState" in call.params else None
        if isinstance(state, str) and state.startswith(MARK):
            back = self._back(call, state)
            if isinstance(back, Failure):
                return back
            call, since = back
            done = await self._logged_in(call.principal, since, self._left(call))
            if done and call.client.era == "handshake":
                said = Raw.of({"elicitationId": _id(state)})
                call.emit(Notification(COMPLETE, said))
        reply = await call_next(call)
        if isinstance(reply, Failure) and reply.reason == REASON:
            return self._question(call, reply) or reply
        return reply

    def _left(self, call: Call) -> float:
        if call.deadline is None:
            return self._wait
        return max(0.0, min(self._wait, call.deadline - self._clock.monotonic() - 1.0))

    def _question(self, call: Call, failure: Failure) -> Result | None:
        data: Any = failure.data
        url = data.get("url") if isinstance(data, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] - JSON
        if not isinstance(url, str) or "url" not in call.client.capabilities.object("elicitation"):
            return None
        kept = {name: call.params.member(name) for name in _ROUND if name in call.params}
        now = self._clock.wall()
        members = {name: msgspec.Raw(value) for name, value in kept.items() if value is not None}
        carried = Raw.of({ASKED: now}).with_members(members).encode()
        if len(carried) > LARGEST:
            return None
        sealed = self._keys.seal(PURPOSE, carried, now=now, ttl=TTL, bind=self._bind(call))
        state = MARK + sealed
        params = {"mode": "url", "message": _message(failure), "url": url}
        if call.client.era == "handshake":
            params["elicitationId"] = _id(state)
        asked = {KEY: {"method": "elicitation/create", "params": params}}
        return Result(Raw.of({"inputRequests": asked, "requestState": state}), "input_required")

    def _back(self, call: Call, state: str) -> tuple[Call, float] | Failure:
        """The call as it was before the question, and when that was put; no yes is a Failure."""
        try:
            bind = self._bind(call)
            now = self._clock.wall()
            opened = self._keys.open(PURPOSE, state[len(MARK) :], now=now, bind=bind)
        except BadSeal:
            return _unknown()
        answer = call.params.object("inputResponses").object(KEY)
        if "action" in answer and answer.get("action") != "accept":
            return _declined(self._server)
        carried = Raw(opened)
        members = {name: carried.member(name) or b"null" for name in carried if name in _ROUND}
        params = call.params.without(*_ROUND)
        asked = call.replace(params=params.with_members(members) if members else params)
        return asked, float(carried.get(ASKED, 0.0))

    def _bind(self, call: Call) -> str:
        """Whose call it is, and which one."""
        digest = blake2b(digest_size=24)
        target = call.target
        for part in (
            call.principal.id,
            self._server,
            call.method,
            "" if target is None else target.name,
        ):
            digest.update(f"{len(part)}:{part}".encode())
        digest.update(call.params.without(*_ROUND, "_meta").encode())
        return digest.hexdigest()


def _id(state: str) -> str:
    return sha256(state.encode()).hexdigest()[:32]


def _message(failure: Failure) -> str:
    """What the person is told; the address stands beside it."""
    return failure.message.partition(" Open http")[0]


def _declined(server: str) -> Failure:
    return Failure(
        code=INTERNAL_ERROR,
        message=f"The server '{server}' needs a login, and it was declined.",
        origin="client",
        reason="login-declined",
        data={"server": server},
        remedy="Make the call again and accept, or do without it.",
    )


def _unknown() -> Failure:
    return Failure(
        code=INVALID_PARAMS,
        message="The requestState is unknown, expired, or belongs to another caller or call.",
        origin="client",
        reason="unknown-request-state",
        remedy="Make the call again without requestState and inputResponses.",
    )
