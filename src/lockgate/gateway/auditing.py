"""Calls as the audit log has them: who called what, and what became of it.

Must not know: how the log is written. Values never get there: of arguments there is a digest, of
results and messages nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any, ClassVar, Final

import msgspec

from lockgate.config.audit import AuditSettings
from lockgate.config.model import Config
from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.codes import CODES
from lockgate.core.message import LISTEN, Call, Failure, Reply, Result, Target
from lockgate.core.policy import Stage
from lockgate.errors import LockgateError
from lockgate.gateway.listing import LISTS
from lockgate.observe.audit import Audit, AuditUnusable
from lockgate.wire.jsonrpc import INTERNAL_ERROR

LONGEST: Final = 500
"""How much of a name that a caller chose is written."""
_ABOUT: Final = {
    "tools/call": ("name", "tools/list"),
    "prompts/get": ("name", "prompts/list"),
    "resources/read": ("uri", "resources/list"),
}
"""Methods with a target: the member that names it, and the list it is on."""
_METHODS: Final = frozenset({*_ABOUT, LISTEN, "tasks/cancel", "tasks/update", "tasks/result"})
_OUTCOMES: Final = {"complete": "answered", "input_required": "asked", "task": "begun"}

Find = Callable[[str, Call, str], Target | None]
"""Where a name (list method, call, name) leads for a caller, as far as is known at once."""


class Auditing:
    """Writes down every call of a client that is about something. A valve of the edge, outermost.

    Refuses calls while they could not be written down (`audit-unwritable`).
    """

    name: ClassVar[str] = "audit"
    stage: ClassVar[Stage] = Stage.ADMIT

    def __init__(self, audit: Audit, *, only_refused: bool, find: Find) -> None:
        """`only_refused`: calls that were answered are left out."""
        self._audit = audit
        self._only_refused = only_refused
        self._find = find

    @classmethod
    def of(cls, audit: Audit, settings: AuditSettings | None, find: Find) -> Auditing:
        """What writes to `audit` as the configuration says."""
        only_refused = settings is not None and settings.calls == "refused"
        return cls(audit, only_refused=only_refused, find=find)

    def enter(self, call: Call, /) -> object:
        """See `lockgate.core.policy.Valve`; the ticket is the time."""
        del call
        return perf_counter() if self._audit.ready else _unwritable()

    def left(self, call: Call, ticket: Any, reply: Reply | None, /) -> None:
        """See `lockgate.core.policy.Valve`."""
        if isinstance(reply, Result) and self._only_refused:
            return
        milliseconds = round((perf_counter() - ticket) * 1000, 3)
        self._audit.note(
            "call",
            {**self._who(call), **self._what(call), **_came_to(reply), "ms": milliseconds},
        )

    def concerns(self, method: str) -> bool:
        """Calls that are about something; lists and introductions are not."""
        return method in _METHODS

    @staticmethod
    def _who(call: Call) -> dict[str, Any]:
        who = call.principal
        said: dict[str, Any] = {"principal": who.id[:LONGEST], "agent": call.client.name[:LONGEST]}
        if who.issuer:
            said["issuer"] = who.issuer
        if who.client:
            said["client"] = who.client[:LONGEST]
        endpoint = call.facts.get("endpoint")
        return {**said, "endpoint": endpoint} if endpoint else said

    def _what(self, call: Call) -> dict[str, Any]:
        said: dict[str, Any] = {"method": call.method}
        member, listed = _ABOUT.get(call.method, ("", ""))
        if not member:
            return said
        try:
            name = call.params.get(member)
            arguments = call.params.member("arguments")
        except msgspec.MsgspecError:
            return said
        if isinstance(name, str):
            said["name"] = name[:LONGEST]
            target = self._find(listed, call, name)
            if target is not None:
                said |= {"server": target.server, "target": target.name[:LONGEST]}
        if arguments is not None:
            said["arguments"] = self._audit.hashed(arguments)
        return said


def opened(config: Config, clock: Clock = SYSTEM) -> Audit | None:
    """The log that a gateway of this configuration writes, if it does.

    Raises:
        LockgateError: it cannot be used.
    """
    settings = config.lockgate.audit
    if settings is None:
        return None
    try:
        return Audit(settings.file, settings.key_file, clock)
    except AuditUnusable as error:
        raise LockgateError(
            str(error),
            "Without it nobody is served: correct lockgate.audit, or see `lockgate audit verify`.",
            reason="audit-unusable",
        ) from error


def found_in(peek: Callable[[str, Call], Any]) -> Find:
    """A `Find` by the faces that `peek` (method, call) has at hand."""

    def find(method: str, call: Call, name: str) -> Target | None:
        face = peek(LISTS[method].method, call)
        return None if face is None else face.routes.get(name)

    return find


def _came_to(reply: Reply | None) -> dict[str, Any]:
    if reply is None:
        return {"outcome": "cancelled"}
    if isinstance(reply, Result):
        return {"outcome": _OUTCOMES[reply.kind]}
    said: dict[str, Any] = {
        "outcome": "refused" if reply.origin == "policy" else "failed",
        "reason": reply.reason,
        "origin": reply.origin,
    }
    code = CODES.get(reply.reason)
    more = {"code": code, "policy": reply.policy, "rule": reply.rule}
    return said | {key: value for key, value in more.items() if value is not None}


def _unwritable() -> Failure:
    return Failure(
        code=INTERNAL_ERROR,
        message="The audit log cannot be written, and without it no call is let through.",
        origin="gateway",
        reason="audit-unwritable",
        policy=Auditing.name,
        remedy="Whoever runs the gateway finds the cause in its log; most often a disk is full.",
    )
