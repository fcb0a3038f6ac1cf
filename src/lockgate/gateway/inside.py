"""A server that runs in the gateway's own process, as the gateway is told of it.

Must not know: what the server is made with, how it is started.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass

from lockgate.core.credentials import Credentials, Headers
from lockgate.core.message import Failure, Principal
from lockgate.upstreams.remote import Pool


@dataclass(frozen=True, slots=True, eq=False)
class Inside:
    """One server.

    pool         takes its requests, in place of the connections to servers elsewhere.
    credentials  what it is shown of who calls, beside what is configured; None: nothing.
    """

    pool: Pool
    credentials: Credentials | None = None

    def shown(self, configured: Credentials | None) -> Credentials | None:
        """All that it is shown, given what the configuration has it shown."""
        if configured is None or self.credentials is None:
            return configured or self.credentials
        return Both(configured, self.credentials)


class Both:
    """Two credentials of one server, shown together."""

    shared = False

    def __init__(self, first: Credentials, second: Credentials) -> None:
        self._first = first
        self._second = second

    def partition(self, principal: Principal, /) -> str:
        """See `Credentials`: one to the server are those who are one to both."""
        first, second = self._first.partition(principal), self._second.partition(principal)
        return f"{first}|{second}" if second else first

    def headers(
        self, principal: Principal, method: str = "POST", /
    ) -> Headers | Failure | Awaitable[Headers | Failure]:
        """See `Credentials`."""
        first = self._first.headers(principal, method)
        second = self._second.headers(principal, method)
        if isinstance(first, Awaitable) or isinstance(second, Awaitable):
            return _together(first, second)
        return _joined(first, second)

    async def refused(
        self, principal: Principal, www_authenticate: str | None, nonce: str | None = None, /
    ) -> bool | Failure:
        """See `Credentials`; the first has a say."""
        return await self._first.refused(principal, www_authenticate, nonce)


def _joined(first: Headers | Failure, second: Headers | Failure) -> Headers | Failure:
    if isinstance(first, Failure):
        return first
    return second if isinstance(second, Failure) else (*first, *second)


async def _together(
    first: Headers | Failure | Awaitable[Headers | Failure],
    second: Headers | Failure | Awaitable[Headers | Failure],
) -> Headers | Failure:
    one = await first if isinstance(first, Awaitable) else first
    other = await second if isinstance(second, Awaitable) else second
    return _joined(one, other)
