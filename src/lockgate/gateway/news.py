"""What happens to servers after their start, for the log: each piece of news once.

Must not know: how servers are reached, or who reads the log.

How a server's first attempt ends is for whoever waits for it to tell. After that a server that
fails again and again for the same reason is one line in the log, not one for each attempt.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Final

from lockgate.core.codes import CODES
from lockgate.upstreams.supervisor import UpstreamState

_log: Final = logging.getLogger("lockgate.servers")


class News:
    """Remembers what was last said of each server."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}

    def inherit(self, before: News, servers: Collection[str]) -> None:
        """What `before` has said of these servers has been said."""
        self._said |= {name: said for name, said in before._said.items() if name in servers}

    def changed(self, server: str, state: UpstreamState, *, quiet: bool = False) -> None:
        """Log what is new about `server`; with `quiet`, only remember it."""
        before = self._said.get(server)
        if state.phase == "ready":
            self._said.pop(server, None)
            if before is not None and not quiet:
                _log.info("%s is ready again", server)
        elif state.phase in ("backoff", "crash-looping") and state.last_error is not None:
            self._said[server] = state.last_error
            if state.last_error != before and not quiet:
                self._away(server, state)

    @staticmethod
    def _away(server: str, state: UpstreamState) -> None:
        code = CODES.get(state.reason or "")
        extra = None if code is None else {"code": code}
        remedy = f". {state.remedy}" if state.remedy else ""
        loops = state.phase == "crash-looping"
        level, what = (
            (logging.ERROR, "is crash-looping and left alone for a while")
            if loops
            else (logging.WARNING, "is not available")
        )
        _log.log(level, "%s %s: %s%s", server, what, state.last_error, remedy, extra=extra)
