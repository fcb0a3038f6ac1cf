"""Lists that could not be read: told once, and told to whoever asks how things stand.

Must not know: how lists are read, or how long what was read last is believed.

That a server is down is told where servers are told of, and not once more for each of its lists.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from lockgate.core.attempts import NOT_ASKED
from lockgate.core.codes import CODES
from lockgate.core.message import Call, Failure
from lockgate.core.policy import Decision, Observe
from lockgate.gateway.kept import Kept
from lockgate.gateway.listing import Section
from lockgate.gateway.views import View

_log: Final = logging.getLogger("lockgate.servers")
_Key = tuple[str, str, View]
_Every = Mapping[_Key, Kept]

WHO: Final = "lists"
"""What decisions about lists are said to be of."""


class Unread(msgspec.Struct, frozen=True):
    """A server whose list is not as it is now, or not there.

    seconds  until it is asked for again.
    last     what was read last, however long ago.
    """

    server: str
    problem: Failure
    seconds: float
    last: Section | None


class ListTrouble(msgspec.Struct, frozen=True, kw_only=True):
    """One list of a server that cannot be read, for people.

    method    which: `tools/list` and so on.
    code      the stable code of why (`lockgate.core.codes`).
    believed  for how many seconds more what was read last is shown; None: nothing is shown.
    """

    method: str
    code: str | None
    believed: float | None


def troubled(kept: Kept) -> bool:
    """Whether a list could not be read although its server is not known to be down."""
    return kept.problem is not None and kept.problem.reason not in NOT_ASKED


class ListNews:
    """Remembers which lists are known not to be read, and whether they are left out by now."""

    def __init__(self, observe: Observe) -> None:
        """`observe` is told of every single failure."""
        self._observe = observe
        self._out: dict[tuple[str, str], bool] = {}

    def inherit(self, before: ListNews, servers: Collection[str]) -> None:
        """What `before` has told of these servers is told."""
        self._out |= {key: out for key, out in before._out.items() if key[0] in servers}

    def note(self, call: Call, key: _Key, every: _Every, seconds: float, now: float) -> None:
        """A list of `every` is as it is now; if it is `late`, it counts `seconds` more."""
        method, server, _ = key
        if every[key].problem is not None:
            self._unread(call, server, method, every[key], seconds)
        elif (server, method) in self._out and not any(
            # Who does not come back for a list does not keep it in trouble.
            troubled(kept) and kept.expires > now
            for other, kept in every.items()
            if other[:2] == key[:2]
        ):
            del self._out[server, method]
            _log.info("%s of %s is read again", method, server)

    def troubles(
        self, server: str, every: _Every, stale: float, now: float
    ) -> tuple[ListTrouble, ...]:
        """The worst there is to say of each list of a server."""
        found: dict[str, ListTrouble] = {}
        for (method, of, _), kept in every.items():
            told = kept.expires > now or (server, method) in self._out
            if of != server or kept.problem is None or not troubled(kept) or not told:
                continue
            left = max(0.0, round(kept.over(stale) - now, 1)) if kept.late else None
            known = found.get(method)
            if known is None or left is None or left < (known.believed or 0.0):
                code = CODES.get(kept.problem.reason or "")
                found[method] = ListTrouble(method=method, code=code, believed=left)
        return tuple(found[method] for method in sorted(found))

    def _unread(self, call: Call, server: str, method: str, kept: Kept, seconds: float) -> None:
        problem = kept.problem
        if problem is None or not troubled(kept):
            return
        out = kept.late is None
        verdict = "refused" if out else "answered"
        self._observe(call, Decision(WHO, verdict, 0.0, problem.reason))
        before = self._out.get((server, method))
        self._out[server, method] = out or before is True
        if before is not None and (before or not out):
            return
        counts = "it is left out until it is" if out else _counts(seconds)
        extra = {"server": server, "method": method, "reason": problem.reason}
        code = CODES.get(problem.reason or "")
        detail = f" [{problem.detail}]" if problem.detail else ""
        _log.warning(
            "%s of %s cannot be read (%s%s); %s",
            method,
            server,
            problem.message,
            detail,
            counts,
            extra=extra if code is None else extra | {"code": code},
        )


def _counts(seconds: float) -> str:
    return f"what was read last counts for {seconds:.0f} s more"
