"""What is answered about a name that no list holds, and whose fault that is.

Must not know: how lists are read, or how servers are reached.

Nobody is told that a name is wrong while it may be one of a server's whose list is not known as it
is now. Names are never taken apart to find out: what a server listed last is spelled as it would be
listed, and compared.

    | the name may be of              | answered                                                   |
    |---------------------------------|------------------------------------------------------------|
    | the only server, all of which   | by that server                                             |
    | is shown                        |                                                            |
    | a server that is down           | by that server if it listed it last; else that it is down  |
    | a server that wants a login     | by that server, which asks for it; else that it does       |
    | a server whose list is not read | whose list it is, how it stands, when it is asked again    |
    | none of these                   | that there is no such name, and which is most like it      |
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from lockgate.core.attempts import NOT_ASKED
from lockgate.core.clock import Clock
from lockgate.core.message import Call, Failure, Target
from lockgate.core.names import may_be, nearest, spell
from lockgate.core.sight import Sight
from lockgate.gateway.catalog import Catalog
from lockgate.gateway.face import Face
from lockgate.gateway.unread import Unread
from lockgate.upstreams.guard import NOBODY
from lockgate.upstreams.refusals import crash_looping, unavailable
from lockgate.upstreams.supervisor import UpstreamState
from lockgate.wire.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS

AWAY: Final = frozenset({"backoff", "crash-looping", "stopped"})
"""Phases of a server in which calls to it are refused at once."""


class Unlisted:
    """Judges names by what is known of the servers that may have them."""

    def __init__(
        self,
        catalog: Catalog,
        state: Callable[[str], UpstreamState],
        clock: Clock,
    ) -> None:
        """`state` says how a server stands, by its name."""
        self._catalog = catalog
        self._state = state
        self._clock = clock

    def __call__(self, call: Call, face: Face, name: str) -> Target | Failure:
        """Where a call of this name goes all the same, or why it goes nowhere."""
        refused = face.refused.get(name)
        if refused is not None:
            return refused
        sight = self._catalog.sights.of(call)
        if len(sight.servers) == 1 and sight.whole:
            return Target(next(iter(sight.servers)), face.entry.kind, name)
        unread = self._catalog.unread(face.entry.method, call)
        naming = sight.naming
        suspects = [one for one in unread if may_be(name, one.server, naming)]
        barred = next((one for one in suspects if one.problem.reason in NOBODY), None)
        if barred is not None:
            return self._barred(face, barred, name, sight, alone=len(suspects) == 1)
        if len(suspects) == 1 and naming == "prefix":
            away = self._away(face, suspects[0], name, sight)
            if away is not None:
                return away
        if suspects:
            return self._not_read(face, suspects, name)
        return _unknown(face, name, [one.server for one in unread])

    def _barred(
        self, face: Face, suspect: Unread, name: str, sight: Sight, *, alone: bool
    ) -> Target | Failure:
        """Of a server whose caller has to log in first: on the way there they are asked to."""
        key = name.removeprefix(spell(suspect.server, "", sight.naming))
        if alone and sight.naming == "prefix" and sight.shows(suspect.server, face.entry.kind, key):
            return Target(suspect.server, face.entry.kind, key)
        return suspect.problem

    def _away(
        self, face: Face, suspect: Unread, name: str, sight: Sight
    ) -> Target | Failure | None:
        server = suspect.server
        state = self._state(server)
        connecting = state.phase != "ready" and suspect.problem.reason in NOT_ASKED
        if state.phase not in AWAY and not connecting:
            return None
        kind = face.entry.kind
        for item in suspect.last.items if suspect.last else ():
            listed = spell(server, item.key, "prefix") == name
            if listed and sight.shows(server, kind, item.key):
                # It says itself how long it is; and a client may have a process of its own there.
                return Target(server, kind, item.key)
        refusal = crash_looping if state.phase == "crash-looping" else unavailable
        return refusal(server, state, self._next_attempt(state))

    def _next_attempt(self, state: UpstreamState) -> float | None:
        due = state.next_attempt
        return None if due is None else max(0.0, due - self._clock.monotonic())

    def _not_read(self, face: Face, suspects: Sequence[Unread], name: str) -> Failure:
        known = [self._told(one) for one in suspects]
        servers = ", ".join(f"{one['server']} ({one['state']})" for one in known)
        wait = min(one["retry_after"] for one in known)
        return Failure(
            code=INTERNAL_ERROR,
            message=(
                f"What these servers list cannot be read now, so nobody knows whether one has the "
                f"{face.entry.kind} {name[:128]}: {servers}. It is tried again in {wait} s."
            ),
            origin="upstream",
            reason="list-unread",
            data=known[0] if len(known) == 1 else {"servers": known, "retry_after": wait},
            remedy="Call again after that; if it stays so, Lockgate's log says why.",
            detail=" ".join(f"{one.server}: {one.problem.message}" for one in suspects),
        )

    def _told(self, suspect: Unread) -> dict[str, Any]:
        state = self._state(suspect.server)
        attempt = self._next_attempt(state) if state.phase in AWAY else None
        seconds = suspect.seconds if attempt is None else attempt
        return {
            "server": suspect.server,
            "state": state.phase,
            "cause": suspect.problem.reason,
            "retry_after": round(seconds, 1),
        }


def _unknown(face: Face, name: str, absent: Sequence[str]) -> Failure:
    guess = nearest(name, face.routes)
    kind = face.entry.kind
    away = f" Not available now: {', '.join(absent)}." if absent else ""
    return Failure(
        code=INVALID_PARAMS,
        message=f"Unknown {kind}: {name[:128]}",
        origin="client",
        reason="unknown-tool" if kind == "tool" else "unknown-prompt",
        data={"unavailable": list(absent)} if absent else None,
        remedy=(f"Did you mean {guess}?" if guess else f"See {face.entry.method}.") + away,
    )
