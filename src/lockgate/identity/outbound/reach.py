"""Which addresses may be asked, for whom: what a server names is a stranger's choice.

Must not know: what is asked there. Sources: specification 2026-07-28, security best practices
(server-side request forgery); OAuth 2.1 section 1.5 (https, but for the machine itself).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import Final

from lockgate.identity.fetch import MOST, WITHIN, Fetch, Fetched, FetchFailed
from lockgate.identity.outbound.trouble import Trouble
from lockgate.wire.url import BadUrl, Origin, Url

_LOCAL: Final = ("localhost", "127.0.0.1", "::1")
Pairs = Sequence[tuple[str, str]]


class Reach:
    """Fetches what belongs to one server's authorization.

    What the configuration names is asked wherever it is. What others name has to be https at a
    public address, unless the server itself is on this machine or at a private address: then its
    authorization server may be too.
    """

    def __init__(
        self, known: Fetch, strange: Fetch, server: str, named: Iterable[str] = ()
    ) -> None:
        """`server` is the server's URL, `named` the other URLs that the configuration holds."""
        self._known = known
        self._strange = strange
        self._inside = _inside(server)
        self._origins = {origin for url in (server, *named) if (origin := _origin(url))}

    def check(self, url: str, what: str) -> str:
        """`url`, if it may be asked or shown to a browser. `what` names it in the error.

        Raises:
            Trouble: it is none, or neither https nor on this machine.
        """
        try:
            read = Url.parse(url)
        except BadUrl as error:
            raise _refused(what, str(error)) from None
        local = read.host in _LOCAL and self._inside
        if read.scheme != "https" and not local:
            raise _refused(what, "it does not begin with https:")
        return url

    async def __call__(
        self, method: str, url: str, what: str, *, headers: Pairs = (), body: bytes = b""
    ) -> Fetched:
        """Ask `url`.

        Raises:
            Trouble: it may not be asked, or there is no answer.
        """
        self.check(url, what)
        fetch = self._known if self._inside or _origin(url) in self._origins else self._strange
        try:
            return await fetch(method, url, headers=headers, body=body, most=MOST, within=WITHIN)
        except FetchFailed as error:
            if error.cause in ("url", "forbidden"):
                raise _refused(what, "it is not at a public address") from None
            raise Trouble(
                "token-unavailable",
                f"{what} could not be asked ({error}).",
                "Try again later; look at the network between the gateway and there.",
                retry_after=5,
            ) from None


def _refused(what: str, why: str) -> Trouble:
    return Trouble(
        "oauth-address",
        f"the address of {what} is not one to use: {why}.",
        "If it is to be trusted, name its issuer in the server's `auth.issuer`.",
    )


def _origin(url: str) -> Origin | None:
    try:
        return Url.parse(url).origin
    except BadUrl:
        return None


def _inside(url: str) -> bool:
    try:
        host = Url.parse(url).host
    except BadUrl:
        return False
    if host in _LOCAL:
        return True
    try:
        return not ip_address(host).is_global
    except ValueError:
        return False
