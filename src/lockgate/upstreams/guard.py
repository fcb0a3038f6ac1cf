"""Whether a caller has what lets it into a server, before the server is asked.

Must not know: where credentials come from, transports.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from lockgate.core.credentials import Credentials
from lockgate.core.message import Failure, Principal

NOBODY: Final = frozenset({"login-required", "subject-missing"})
"""Reasons for which it is not the server that is in trouble: the caller has to do something."""
NEEDS_LOGIN: Final = "it lets nobody in without a login, and there is none yet"


class Guard:
    """Asks the credentials of one server that tells callers apart."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    async def admit(self, principal: Principal) -> Failure | None:
        """What the caller has to do first; None: it may go on.

        What is known of its credential only from afar is looked up here, so that whose sessions
        and lists are whose is settled before any is chosen.
        """
        shown = self._credentials.headers(principal)
        if isinstance(shown, Awaitable):
            shown = await shown
        return shown if isinstance(shown, Failure) else None

    async def opens_for(self, principal: Principal) -> bool:
        """Whether there is a credential for this principal."""
        shown = self._credentials.headers(principal)
        if isinstance(shown, Awaitable):
            shown = await shown
        return bool(shown) and not isinstance(shown, Failure)
