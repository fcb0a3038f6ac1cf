"""Who is at a browser: a login at a server is begun only by the very person it is for.

Must not know: pages, forms, cookies, logins at servers.

Whoever called has shown the gateway a credential, and whoever opens the page shows that they can
get one like it: an API key, or a token of the same issuer for the same endpoint, for which the
gateway sends them to sign in there, as any client of the endpoint does. Who that is, is judged as
for a call. Where callers are not told apart, it is whoever sits at this very machine.
Source: specification 2026-07-28, client/elicitation, "Phishing".
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

import msgspec

from lockgate.config import identity as config
from lockgate.config.model import Config
from lockgate.core.clock import Clock
from lockgate.core.message import ANONYMOUS, Principal
from lockgate.fronts.http import HttpRequest
from lockgate.gateway.health import from_this_machine
from lockgate.gateway.identity import Doors, endpoint_auths
from lockgate.gateway.issuing import OwnIssuer
from lockgate.gateway.outbound import DOCUMENT, IDENTITY, Outbound, client_of, own_document
from lockgate.wire.challenge import Admitted, Challenge

if TYPE_CHECKING:
    # What OAuth needs takes long to import, and most configurations have no logins.
    from lockgate.identity.outbound.entrance import Entrance
    from lockgate.identity.outbound.flow import Flow
    from lockgate.identity.outbound.reach import Reach

_log: Final = logging.getLogger("lockgate.gateway")
ENTRY: Final = "\0identity"
"""What a flow is for that finds out who somebody is; no server has such a name."""
_KEY: Final = "key:"
_LOCAL: Final = ("127.0.0.1", "::1", "localhost")


class Way(msgspec.Struct, frozen=True):
    """How somebody at a browser shows who they are.

    kind    here: by sitting at this machine; key: by their API key; sign-in: at their issuer.
    path    the endpoint at which the same credential would be accepted.
    """

    kind: Literal["here", "key", "sign-in"]
    path: str = ""
    issuer: str = ""


class Visitors:
    """Finds out who is at a browser."""

    def __init__(
        self,
        outbound: Outbound,
        doors: Doors,
        own: OwnIssuer,
        configured: Callable[[], Config],
        clock: Clock,
    ) -> None:
        """`configured` gives the configuration in effect."""
        self._outbound = outbound
        self._doors = doors
        self._own = own
        self._config = configured
        self._clock = clock

    @property
    def redirect_uri(self) -> str:
        """Where issuers send browsers back to."""
        return f"{self._outbound.base}{IDENTITY}"

    def way(self, owner: str) -> Way | None:
        """How the principal with this id shows at a browser that it is them; None: in no way."""
        if owner == ANONYMOUS.id:
            local = urlsplit(self._outbound.base or "").hostname in _LOCAL
            return Way("here") if local and not self._config().identifies else None
        for path, auth in endpoint_auths(self._config()).items():
            if owner.startswith(_KEY) and (auth.keys_file or auth.keys_env):
                return Way("key", path)
            for issuer in self._issuers(auth):
                # A program that acts for itself is spelled with two of them, and has no browser.
                if owner.startswith(f"{issuer}#") and not owner.startswith(f"{issuer}##"):
                    return Way("sign-in", path, issuer)
        return None

    def _issuers(self, auth: config.AuthSettings) -> list[str]:
        own = self._own.issuer
        return [*([own.settings.issuer] if own else []), *(one.issuer for one in auth.issuers)]

    @staticmethod
    def here(request: HttpRequest) -> bool:
        """Whether a browser is on this very machine."""
        return from_this_machine(request)

    async def keyed(self, way: Way, key: str) -> str | None:
        """Whose API key it is; None: nobody's."""
        shown = b"Bearer " + key.strip().encode("latin-1", "replace")
        found = await self._who(way, {b"authorization": shown})
        return found.id if isinstance(found, Principal) else None

    async def begin(self, way: Way, ticket: str, browser: str) -> str:
        """Where to send somebody so that they sign in; `ticket` comes back as the flow's owner.

        Raises:
            Trouble: there is nowhere to send anybody.
        """
        from lockgate.identity.outbound.trouble import Trouble  # noqa: PLC0415 - see above

        try:
            return await self._entrance(way).begin(ticket, self.redirect_uri, browser=browser)
        except Trouble as trouble:
            if trouble.reason != "oauth-registration":
                raise
            _log.warning("nobody can sign in at %s: %s", way.issuer, trouble)
            raise _unverified(f"{way.issuer} does not let the gateway ask it: {trouble}") from None

    async def finish(self, way: Way, flow: Flow, params: Mapping[str, str], browser: str) -> str:
        """Who has signed in, as the id of a principal.

        Raises:
            Trouble: nobody has, or with nothing that is accepted here.
        """
        from lockgate.identity.outbound.flow import stray  # noqa: PLC0415 - see above
        from lockgate.identity.outbound.shown import Shown  # noqa: PLC0415 - see above

        if flow.server.issuer != way.issuer or flow.redirect_uri != self.redirect_uri:
            raise stray()
        login = await self._entrance(way).finish(flow, params, None, browser)
        shown = Shown(f"{self._doors.base}{way.path}", self._clock)
        found = await self._who(way, dict(shown.headers(login.token, login.prover, "POST")))
        if isinstance(found, Principal):
            return found.id
        _log.warning("a token of %s for %s is not accepted: %s", way.issuer, way.path, found)
        raise _unverified(f"the token that {way.issuer} gave is not accepted here: {found}")

    async def _who(self, way: Way, headers: dict[bytes, bytes]) -> Principal | str:
        """Whose credential it is, judged as for a call; or why it is not accepted."""
        door = self._doors.door(way.path).authentication
        if door is None:
            return "nobody is told apart"
        request = HttpRequest(method="POST", path=way.path, query="", headers=headers)
        found = door.authenticate(request)
        if not isinstance(found, Principal | Admitted | Challenge):
            found = await found
        if isinstance(found, Admitted):
            return found.principal
        return found if isinstance(found, Principal) else found.failure.message

    def _entrance(self, way: Way) -> Entrance:
        from lockgate.identity.outbound.clients import Client  # noqa: PLC0415 - see above
        from lockgate.identity.outbound.discovery import Settled  # noqa: PLC0415 - see above
        from lockgate.identity.outbound.entrance import (  # noqa: PLC0415 - see above
            Entrance,
            EntranceSettings,
        )
        from lockgate.identity.outbound.pins import Pins  # noqa: PLC0415 - see above

        wanted = self._config()
        auth = endpoint_auths(wanted)[way.path]
        named = next((one for one in auth.issuers if one.issuer == way.issuer), None)
        sign_in = config.SignInSettings() if named is None else named.sign_in
        client = client_of(sign_in, way.issuer)
        if named is None:
            client = Client(id=self._doors.base + DOCUMENT, method="none", issuer=way.issuer)
        settings = EntranceSettings(
            entry=ENTRY,
            client=client,
            document=own_document(wanted),
            scopes=tuple(sign_in.scopes or auth.scopes),
            dpop=auth.dpop == "require",
            lasting=False,
        )
        reach, vault = self._reach(way, own=named is None), self._outbound.vault(wanted)
        resource = f"{self._doors.base}{way.path}".rstrip("/")
        return Entrance(
            reach,
            Settled(reach, resource, way.issuer),
            vault,
            Pins(vault, ENTRY),
            settings,
            self._clock,
        )

    def _reach(self, way: Way, *, own: bool) -> Reach:
        from lockgate.identity.outbound.reach import Reach  # noqa: PLC0415 - see above

        if own:
            return Reach(self._own.fetch, self._own.fetch, way.issuer)
        return self._outbound.reach(way.issuer)


def _unverified(why: str) -> Exception:
    from lockgate.identity.outbound.trouble import Trouble  # noqa: PLC0415 - see above

    return Trouble(
        "login-unverified",
        f"it cannot be told who is at this browser: {why}",
        "Whoever runs the gateway registers it there, with `sign_in` of that issuer in "
        "`auth.issuers`; or logs you in with `lockgate login`.",
        origin="gateway",
    )
