"""How long a list that was read counts: the rules by which it is kept. Pure.

Must not know: how lists are read, or how they are merged and shown.

A list is due to be read anew when its `ttlMs` is over, when it is older than `refresh`, or when the
server says that it has changed. If that cannot be done, what was read last is believed for `stale`
longer, counted from when it was due:

    | reading it anew                            | what was read last                           |
    |--------------------------------------------|----------------------------------------------|
    | fails, or is not over within `wait`        | believed until `stale` after it was due      |
    | hangs behind the answers                   | the same: hanging moves no bound             |
    | was refused: see `DEFINITE`                | not believed: that was the server's answer   |
    | happens after the server had gone          | not believed: another may have come back     |

Where nobody asked for so long that the bound is over already, the first who asks gets it as it is,
as everyone does while a list is read behind the answers, for `wait` at most.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Final

import msgspec

from lockgate.core.attempts import NOT_ASKED
from lockgate.core.message import Failure
from lockgate.core.names import Naming
from lockgate.gateway.listing import Section
from lockgate.gateway.presenting import Presentation
from lockgate.gateway.shaping import ToolShape

DEFINITE: Final = NOT_ASKED | {"upstream-unauthorized", "list-too-long"}
"""Failures that are no mishap: the server is down, lets nobody in, or lists more than is taken."""
GONE: Final = -inf
"""When a list was due of a server that has gone since: nothing is believed after that."""


class CatalogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds and ages. Times in seconds.

    most   of servers by name: entries and pages taken of one list.
    stale  how much longer a list is believed that cannot be read anew.
    shapes how tools are listed, by endpoint; those that are missing list them as servers do.
    presentations  what becomes of single tools, by endpoint.
    """

    naming: Naming = "prefix"
    page_size: int = 1000
    most: Mapping[str, tuple[int, int]] = {}
    most_bytes: int = 64 * 1024 * 1024
    wait: float = 5.0
    refresh: float = 30.0
    retry: float = 5.0
    longest_ttl: float = 3600.0
    stale: float = 300.0
    shapes: Mapping[str, ToolShape] = {}
    presentations: Mapping[str, Presentation] = {}


class Kept(msgspec.Struct):
    """One list of one server in one view.

    section  what is shown; without items, and with the problem, when there is nothing to show.
    expires  when it is asked for again.
    hard     whether whoever needs it then waits for that.
    due      when what was read last ought to have been read anew.
    stale    it is known to have changed: whoever needs it waits for the new one.
    late     why it has not been read anew since it was due.
    until    if what was read last is over, it counts until then while it is being read behind.
    last     what was read last; never shown by itself.
    """

    section: Section
    expires: float
    hard: bool
    due: float
    stale: bool = False
    late: Failure | None = None
    until: float = 0.0
    last: Section | None = None

    @property
    def problem(self) -> Failure | None:
        """Why it is not as it should be."""
        return self.late or self.section.problem

    def over(self, stale: float) -> float:
        """When it is no longer believed unless it is read anew."""
        return max(self.due + stale, self.until)

    def outdated(self, due: float) -> None:
        """It ought to be read anew since `due`, and before it is shown again."""
        self.stale = True
        self.due = min(self.due, due)
        if due == GONE:
            # However long it was to count while it is read: a server that is down takes it along.
            self.until = 0.0


def read(section: Section, now: float, settings: CatalogSettings) -> Kept:
    """A list as it was just read."""
    ttl = min(section.ttl_ms / 1000, settings.longest_ttl) if section.ttl_ms else None
    expires = now + (settings.refresh if ttl is None else ttl)
    return Kept(section, expires, hard=ttl is not None, due=expires, last=section)


def unread(
    server: str, why: Failure, before: Kept | None, now: float, settings: CatalogSettings
) -> Kept:
    """A list that could not be read; `before` is what there was."""
    last = before.last if before else None
    due = before.due if before else GONE
    expires = now + settings.retry
    if last is None or why.reason in DEFINITE or now >= due + settings.stale:
        absent = Section(server=server, problem=why)
        return Kept(absent, expires, hard=False, due=GONE, last=last)
    # Clients are not to believe it for as long as the server once said.
    shown = msgspec.structs.replace(last, ttl_ms=None)
    return Kept(shown, expires, hard=False, due=due, late=why, last=last)
