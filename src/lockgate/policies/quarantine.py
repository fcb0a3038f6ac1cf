"""Holds a result back until a person has looked at it, and lets it go once.

Refuses: a result that nobody can be asked about, and one whose person said no (`result-held`,
`result-refused`). Costs: nothing but a step of the chain for results that are not held back. Does
not protect from: a person who says yes to anything, or a client that answers in its person's place.

    | the caller comes with                | and gets                                            |
    |--------------------------------------|-----------------------------------------------------|
    | a call whose result is to be held    | the question, and the result sealed in a state      |
    | the state, and yes                   | the result, as it came; the state is used up        |
    | the state, and no, or an error       | a refusal; the state is used up                     |
    | the state and no answer              | the question once more; the state is used up        |
    | another's, an old or a used state    | a refusal: the call was made, and is not made again |

The result itself is in the state, encrypted, so that no replica keeps anything and the tool never
runs twice; it opens for one principal, method, target and set of arguments, for a short time, once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

import msgspec

from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.legible import lines, shortened, visible
from lockgate.core.message import Call, Failure, Reply, Result
from lockgate.core.once import Once
from lockgate.core.policy import CallNext, Stage
from lockgate.core.raw import Raw
from lockgate.core.store import StoreGone
from lockgate.guard.kept_back import HELD, foreign, held, said_no, unknown
from lockgate.wire.binding import bound_to
from lockgate.wire.elicitation import ASKABLE, LONGEST_NAME, shows_forms, yes_or_no
from lockgate.wire.envelope import unreadable
from lockgate.wire.handshake_out import ABANDON
from lockgate.wire.seal import BadSeal, KeyRing

KEY: Final = "lockgate-release"
PREFIX: Final = "lockgate-held."
"""How a state that holds a result begins, so that none is ever taken to a server; nor is a server's
own state, which is any text it likes, taken for one."""
LARGEST: Final = 256 * 1024
"""Bytes of a result that can be held: clients carry it, and bring it back."""
CHARACTERS: Final = 2000
_PURPOSE: Final = "quarantine"


class _Held(msgspec.Struct, array_like=True):
    process: bytes
    number: int
    found: list[str]
    result: bytes


_read = msgspec.msgpack.Decoder(_Held).decode
_write: Final = msgspec.msgpack.Encoder().encode


class Quarantine:
    """Before one server, outside of whoever says that a result is to be held."""

    name: ClassVar[str] = "quarantine"
    stage: ClassVar[Stage] = Stage.INSPECT

    def __init__(
        self,
        keys: KeyRing,
        once: Once,
        *,
        wait: float = 300.0,
        mask: Callable[[str], str] = str,
        clock: Clock = SYSTEM,
    ) -> None:
        """`wait`: seconds an answer may take; `mask` takes configured secrets out of a text."""
        self._keys = keys
        self._once = once
        self._wait = wait
        self._mask = mask
        self._clock = clock

    def concerns(self, method: str) -> bool:
        """See `lockgate.core.policy.Policy`."""
        return method in ASKABLE

    async def __call__(self, call: Call, call_next: CallNext, /) -> Reply:
        """See `lockgate.core.policy.Policy`."""
        try:
            state: object = call.params.get("requestState")
            if isinstance(state, str) and state.startswith(PREFIX):
                return await self._answered(call, state[len(PREFIX) :])
        except msgspec.MsgspecError:
            return unreadable()
        reply = await call_next(call)
        if not isinstance(reply, Failure) or reply.reason != HELD or reply.detail is None:
            return reply
        found = msgspec.convert(reply.data, dict[str, list[str]])["found"]
        return self._question(call, found, reply.detail.encode())

    async def _answered(self, call: Call, state: str) -> Reply:
        now, bind = self._clock.wall(), _bind(call)
        try:
            opened = _read(self._keys.open(_PURPOSE, state, now=now, bind=bind))
            if not await self._once.use(opened.process, opened.number, self._wait):
                return foreign(self.name)
        except BadSeal:
            return foreign(self.name)
        except StoreGone:
            return unknown(self.name)
        answers = call.params.object("inputResponses")
        if KEY not in answers and ABANDON not in call.params:
            return self._question(call, opened.found, opened.result)
        if answers.object(KEY).get("action") == "accept":
            return Result(Raw(opened.result))
        return said_no(opened.found, self.name)

    def _question(self, call: Call, found: list[str], result: bytes) -> Reply:
        """Ask, where there is somebody to ask."""
        if len(result) > LARGEST or not shows_forms(call.client.capabilities):
            return held(found, self.name, too_large=len(result) > LARGEST)
        number = self._once.give(call.principal.id, self._wait)
        what = _write(_Held(self._once.process, number, found, result))
        now, bind = self._clock.wall(), _bind(call)
        state = PREFIX + self._keys.seal(_PURPOSE, what, now=now, ttl=self._wait, bind=bind)
        message = self._mask(_asked(call, found, result))
        asked = {"inputRequests": {KEY: yes_or_no(message)}, "requestState": state}
        return Result(Raw.of(asked), "input_required")


def _asked(call: Call, found: list[str], result: bytes) -> str:
    """What a person reads; what is hidden in the result is made visible."""
    target = call.target
    name = "The server" if target is None else shortened(visible(target.name), LONGEST_NAME)
    server = "" if target is None else f" of {shortened(visible(target.server), LONGEST_NAME)}"
    return "\n".join(
        (
            f"{name}{server} answered with what may be meant to steer a model: {', '.join(found)}.",
            "Is the model to get it, this once? It says:",
            *lines(msgspec.json.decode(result), lambda _: False, CHARACTERS),
        )
    )


def _bind(call: Call) -> str:
    return f"{call.facts.get('endpoint', '')}\0{bound_to(call)}"
