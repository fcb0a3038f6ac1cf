"""Asks a person, through the client, about calls that the rules of access let through with a yes.

Refuses: a call whose person said no (`approval-refused`), and one whose client cannot ask
(`approval-required`). Costs: nothing for other calls; a call that is asked about is sent twice by
its client. Does not protect from: a client that answers in its person's place.

    | the caller comes with              | and gets                                              |
    |------------------------------------|-------------------------------------------------------|
    | nothing                            | the question, and a state to come back with           |
    | the state, and yes                 | the call's own answer; the state is used up           |
    | the state, and no, or an error     | a refusal; the state is used up                       |
    | the state and no answer            | the question once more                                |
    | another's, an old or a used state  | the question once more, as if it had brought nothing  |

A state opens for one principal, method, target and set of arguments, for a short time, and once:
at all replicas that share a store and keys, else at the process that gave it. While such a store is
away nobody can tell what was used, and nothing is let through (`approval-unavailable`).
What the server itself asks after a yes goes to the client with the server's state inside one of
ours, so that the person is not asked again and again; nor can that be used twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

import msgspec

from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.legible import Hidden
from lockgate.core.message import Call, Failure, Reply, Result
from lockgate.core.once import Once
from lockgate.core.policy import CallNext, Stage
from lockgate.core.raw import Raw
from lockgate.core.store import StoreGone
from lockgate.guard.kept_back import unknown
from lockgate.wire.binding import bound_to
from lockgate.wire.elicitation import (
    ASKABLE,
    LONGEST_NAME,
    because,
    question,
    shows_forms,
    yes_or_no,
)
from lockgate.wire.envelope import unreadable
from lockgate.wire.handshake_out import ABANDON
from lockgate.wire.jsonrpc import FORBIDDEN
from lockgate.wire.seal import BadSeal, KeyRing

APPROVED: Final = "approved"
"""Among the facts of a call that a person has said yes to."""
KEY: Final = "lockgate-approval"
_PURPOSE: Final = "approval"
_STATES: Final = ("inputResponses", "requestState")


class _Open(msgspec.Struct, array_like=True):
    """What is sealed. `said`: a person has said yes; then `state` is the server's own, if any."""

    process: bytes
    number: int
    said: bool = False
    state: str | None = None


_read = msgspec.msgpack.Decoder(_Open).decode


class ApprovalSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How people are asked.

    wait        seconds an answer may take.
    characters  how much of the arguments is shown.
    hidden      whether an argument of a name is not.
    mask        takes configured secrets out of a text.
    """

    wait: float = 300.0
    characters: int = 2000
    hidden: Hidden = lambda _: False
    mask: Callable[[str], str] = str


class Approval:
    """Of all servers. Stands outside the gate that says `approval-required`."""

    name: ClassVar[str] = "approval"
    stage: ClassVar[Stage] = Stage.AUTHORIZE

    def __init__(
        self, settings: ApprovalSettings, keys: KeyRing, once: Once, clock: Clock = SYSTEM
    ) -> None:
        """`keys` seal the states, and `once` knows which of them are used."""
        self._settings = settings
        self._keys = keys
        self._once = once
        self._clock = clock

    def concerns(self, method: str) -> bool:
        """See `lockgate.core.policy.Recovery`."""
        return method in ASKABLE

    def begin(self, call: Call, /) -> None:
        """See `lockgate.core.policy.Recovery`; nothing is counted."""

    async def recover(self, call: Call, failure: Failure, again: CallNext, /) -> Reply:
        """See `lockgate.core.policy.Recovery`."""
        if failure.reason != "approval-required":
            return failure
        try:
            opened = await self._take(call)
            answers = call.params.object("inputResponses")
            answer = answers.object(KEY) if opened is not None and KEY in answers else None
        except msgspec.MsgspecError:
            return unreadable()
        except StoreGone:
            return unknown(self.name)
        if opened is not None and opened.said:
            return await self._on(call, again, call.params, opened.state)
        if ABANDON in call.params:
            return failure  # whoever was asked has gone
        if opened is None or answer is None:
            return self._question(call, failure)
        if answer.get("action") == "accept":
            return await self._on(call, again, call.params.without(*_STATES), None)
        return _refused(call)

    async def _on(self, call: Call, again: CallNext, params: Raw, state: str | None) -> Reply:
        """The call itself, and what its server asks, so wrapped that it is known to be approved."""
        params = params.without("requestState")
        if state is not None:
            params = params.replace(requestState=state)
        facts = {**call.facts, APPROVED: True}
        reply = await again(call.replace(params=params, facts=facts))
        if isinstance(reply, Failure) or reply.kind != "input_required":
            return reply
        own = reply.raw.get("requestState")
        sealed = self._give(call, said=True, state=own if isinstance(own, str) else None)
        return Result(reply.raw.replace(requestState=sealed), "input_required")

    def _question(self, call: Call, failure: Failure) -> Reply:
        if not shows_forms(call.client.capabilities):
            return failure
        try:
            settings = self._settings
            said = question(call, settings.hidden, settings.characters, because(failure))
            message = settings.mask(said)
        except msgspec.MsgspecError:
            return unreadable()
        asked = {"inputRequests": {KEY: yes_or_no(message)}, "requestState": self._give(call)}
        return Result(Raw.of(asked), "input_required")

    def _give(self, call: Call, *, said: bool = False, state: str | None = None) -> str:
        """A state to come back with."""
        wait = self._settings.wait
        number = self._once.give(call.principal.id, wait)
        what = msgspec.msgpack.encode(_Open(self._once.process, number, said, state))
        return self._keys.seal(_PURPOSE, what, now=self._clock.wall(), ttl=wait, bind=_bind(call))

    async def _take(self, call: Call) -> _Open | None:
        """What the caller's state stands for, if it is its own and not used; then it is used.

        Raises:
            StoreGone: whether it was used is not known.
        """
        state: object = call.params.get("requestState")
        if not isinstance(state, str):
            return None
        try:
            sealed = self._keys.open(_PURPOSE, state, now=self._clock.wall(), bind=_bind(call))
        except BadSeal:
            return None
        opened = _read(sealed)
        unused = await self._once.use(opened.process, opened.number, self._settings.wait)
        return opened if unused else None


def _bind(call: Call) -> str:
    return f"{call.facts.get('endpoint', '')}\0{bound_to(call)}"


def _refused(call: Call) -> Failure:
    name = call.target.name[:LONGEST_NAME] if call.target else call.method
    return Failure(
        code=FORBIDDEN,
        message=f"A person was asked whether {name} is to be used, and did not say yes.",
        origin="policy",
        reason="approval-refused",
        policy=Approval.name,
        remedy="Do without it, or ask the person what should be different.",
    )
