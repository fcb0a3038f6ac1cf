"""What clients carry for servers, bound to who got it: request states and task ids.

Must not know: what a state or a task is about.

A server that is shown the same credentials for everybody cannot tell callers apart, so what it gave
one of them would work for all. Only the gateway knows them apart. Where it does (callers are
identified, or there is more than one endpoint), what a client gets opens for the same principal at
the same endpoint and for nobody else; everybody else is told what whoever made it up is told. With
nobody to tell apart, handles pass as they are.
"""

from __future__ import annotations

from typing import Final

import msgspec

from lockgate.core.clock import Clock
from lockgate.core.message import ANONYMOUS, Call, Failure, Reply, Result
from lockgate.upstreams.refusals import unknown_state
from lockgate.wire.seal import BadSeal, KeyRing

_STATE: Final = "request-state"
_TASK: Final = "task"
LIFETIME: Final = 24 * 3600.0
"""Seconds a request state is worth something; servers bound it further."""


class Handles:
    """Binds what clients carry."""

    def __init__(self, keys: KeyRing, clock: Clock, *, restricted: bool) -> None:
        """`restricted`: callers are told apart even while none is identified."""
        self._keys = keys
        self._clock = clock
        self.restricted = restricted

    def bound(self, call: Call) -> bool:
        """Whether what this caller carries is bound to it."""
        return self.restricted or call.principal.id != ANONYMOUS.id

    def whose(self, call: Call) -> str:
        """What a handle of this caller is bound to."""
        return f"{call.facts.get('endpoint', '')}\0{call.principal.id}"

    def inward(self, call: Call) -> Call | Failure:
        """The call with the server's own request state, if it carries one."""
        if "requestState" not in call.params:
            return call
        state: object = call.params.get("requestState")
        try:
            if not isinstance(state, str):
                return unknown_state()
            said = self._keys.open(_STATE, state, now=self._clock.wall(), bind=self._of(call))
        except BadSeal:
            return unknown_state()
        return call.replace(params=call.params.replace(requestState=said.decode()))

    def state(self, call: Call) -> str | None:
        """The server's own request state that a call carries, if it is this caller's."""
        try:
            own = self.inward(call) if self.bound(call) else call
            found: object = None if isinstance(own, Failure) else own.params.get("requestState")
        except msgspec.MsgspecError:  # whoever has to read it says what is wrong
            return None
        return found if isinstance(found, str) else None

    def outward(self, call: Call, reply: Reply) -> Reply:
        """The reply with a request state that only this caller can come back with."""
        if isinstance(reply, Failure) or reply.kind != "input_required":
            return reply
        state: object = reply.raw.get("requestState")
        if not isinstance(state, str):
            return reply
        sealed = self._keys.seal(
            _STATE, state.encode(), now=self._clock.wall(), ttl=LIFETIME, bind=self._of(call)
        )
        return Result(reply.raw.replace(requestState=sealed), reply.kind)

    def _of(self, call: Call) -> str:
        """One request of one caller, in the caller's words."""
        about: object = call.params.get("uri" if call.method == "resources/read" else "name")
        return "\0".join((self.whose(call), call.method, about if isinstance(about, str) else ""))

    def task_out(self, call: Call, server: str, task: str) -> str:
        """A task id that only this caller can use."""
        return f"{task}.{self._keys.mark(_TASK, task, bind=self._at(call, server))}"

    def task_in(self, call: Call, server: str, task: str) -> str | None:
        """The server's own task id; None when this is none of this caller's."""
        own, _, mark = task.rpartition(".")
        known = own and self._keys.marked(_TASK, own, mark, bind=self._at(call, server))
        return own if known else None

    def _at(self, call: Call, server: str) -> str:
        return f"{server}\0{self.whose(call)}"
