"""A server that wants credentials, as a place to send to on behalf of one party.

Must not know: where credentials come from, what is sent. A refusal for want of a credential is an
answer of HTTP, so it is dealt with here: nothing was executed, and once there is another credential
the same is sent again, at most `TRIES` times.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from lockgate.core.credentials import Credentials
from lockgate.core.credentials import Headers as Shown
from lockgate.core.message import Failure, Principal
from lockgate.upstreams.failures import Barred
from lockgate.upstreams.head import KeptHeaders
from lockgate.upstreams.posting import Post
from lockgate.upstreams.refusals import session_lost
from lockgate.upstreams.remote import EVENTS, Headers, Remote
from lockgate.upstreams.reply import HttpReply

TRIES: Final = 3
"""How often one request is sent: as it is, with a proof the server asks for, with a new token."""
MOST: Final = 1024
"""Parties whose place to send to is kept."""
CHALLENGE: Final = b"www-authenticate"
NONCE: Final = b"dpop-nonce"
_TOKEN: Final = b"authorization"

Make = Callable[["Party"], "Authorized"]


class Party:
    """Those who are one to the server.

    key        their partition.
    principal  of all of them, the one who called last.
    """

    __slots__ = ("key", "principal")

    def __init__(self, key: str, principal: Principal) -> None:
        self.key = key
        self.principal = principal


class Authorized(Remote):
    """Sends bytes to one HTTP server, with what lets a party in."""

    def __init__(self, credentials: Credentials, party: Party, *args: Any, **options: Any) -> None:
        """`credentials` are the server's; the rest is as for `Remote`."""
        super().__init__(*args, **options)
        self._party = party
        self._credentials = credentials
        self._shared = credentials.shared
        self._last: tuple[Shown, KeptHeaders, KeptHeaders] | None = None

    @property
    def posting(self) -> Post:
        """See `Remote.posting`."""
        return self.post

    def post(
        self, headers: KeptHeaders, body: bytes, *, stream: bool = False
    ) -> Awaitable[HttpReply]:
        """See `Remote.post`; raises `Barred` as well."""
        return self._send("POST", headers, body, stream=stream)

    async def get(self, headers: Headers) -> HttpReply:
        """See `Remote.get`; raises `Barred` as well."""
        kept = KeptHeaders([(b"accept", EVENTS), *self._headers, *headers])
        return await self._send("GET", kept, b"", stream=True)

    async def delete(self, headers: Headers) -> HttpReply:
        """See `Remote.delete`; raises `Barred` as well."""
        return await self._send("DELETE", KeptHeaders(self._headers + headers), b"", stream=False)

    async def _send(
        self, method: str, headers: KeptHeaders, body: bytes, *, stream: bool
    ) -> HttpReply:
        principal = self._party.principal
        for left in range(TRIES - 1, -1, -1):
            if not self._shared and self._credentials.partition(principal) != self._party.key:
                # They have become somebody else to the server; what was theirs there is over.
                raise Barred(session_lost(self.server))
            shown = self._credentials.headers(principal, method)
            if isinstance(shown, Awaitable):
                shown = await shown
            if isinstance(shown, Failure):
                raise Barred(shown)
            whole = self._with(headers, shown)
            reply = await self._pool.request(self._url, method.encode(), whole, body, stream=stream)
            if reply.status not in {401, 403}:
                return reply
            replaced = left and self._replaced(shown, method)
            if not await self._again(reply, left, replaced=bool(replaced)):
                return reply
        raise AssertionError("the last try is answered")

    def _with(self, headers: KeptHeaders, shown: Shown) -> KeptHeaders:
        """Both together; written once for what is sent again and again."""
        if not shown:
            return headers
        last = self._last
        if last is not None and last[0] is shown and last[1] is headers:
            return last[2]
        whole = headers.plus(shown)
        self._last = shown, headers, whole
        return whole

    def _replaced(self, shown: Shown, method: str) -> bool:
        """Whether another call has seen to a new token while this one was on its way."""
        now = self._credentials.headers(self._party.principal, method)
        if isinstance(now, Failure | Awaitable):
            if isinstance(now, Coroutine):
                now.close()
            return False
        return bool(now) and dict(now).get(_TOKEN) != dict(shown).get(_TOKEN)

    async def _again(self, reply: HttpReply, left: int, *, replaced: bool) -> bool:
        """Whether to send the same once more; raises `Barred` when the caller has to act."""
        challenge = reply.headers.get(CHALLENGE)
        if reply.status == 403 and challenge is None:
            # It knows who asks, and will not have it.
            return False
        if replaced:
            reply.close()
            return True
        nonce = reply.headers.get(NONCE)
        outcome = await self._credentials.refused(
            self._party.principal,
            None if challenge is None else challenge.decode("latin-1"),
            None if nonce is None else nonce.decode("latin-1"),
        )
        if outcome is False or (outcome is True and not left):
            return False
        reply.close()
        if isinstance(outcome, Failure):
            raise Barred(outcome)
        return True


class Parties:
    """One place to send to for each party: principals that the server cannot tell apart are one."""

    def __init__(self, credentials: Credentials, make: Make) -> None:
        """`make` makes a place."""
        self.credentials = credentials
        self._make = make
        self._known: OrderedDict[str, tuple[Party, Authorized]] = OrderedDict()

    def of(self, principal: Principal) -> Authorized:
        """The place of this principal's party."""
        key = self.credentials.partition(principal)
        found = self._known.get(key)
        if found is None:
            party = Party(key, principal)
            found = self._known[key] = party, self._make(party)
            while len(self._known) > MOST:
                self._known.popitem(last=False)
        else:
            found[0].principal = principal
            self._known.move_to_end(key)
        return found[1]
