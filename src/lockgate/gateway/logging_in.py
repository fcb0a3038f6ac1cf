"""Logging in at a server from a terminal: a browser on this machine comes back to a port of ours.

Must not know: terminals. Source: RFC 8252 (native apps): loopback redirect, any free port.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

from lockgate.config.model import Config
from lockgate.core.clock import SYSTEM
from lockgate.core.codes import CODES
from lockgate.core.message import ANONYMOUS, Principal
from lockgate.errors import LockgateError
from lockgate.fronts.http import HttpLimits, HttpRequest, Responder
from lockgate.fronts.routes import Routes
from lockgate.fronts.server import HttpServer
from lockgate.gateway import login_pages as pages
from lockgate.gateway.outbound import Outbound
from lockgate.wire.seal import KeyRing

if TYPE_CHECKING:
    from lockgate.identity.outbound.person import Person

PATH: Final = "/callback"


class LoggingIn:
    """One login, from `begin` to `finished`; `close` in any case."""

    def __init__(self, config: Config, server: str, owner: str | None = None) -> None:
        """As the login of `owner`, the id of a principal; None: of whoever is not told apart.

        Raises:
            LockgateError: nobody logs in to this server, or it has to be said whose login it is.
        """
        self._config = config
        self._outbound = Outbound(KeyRing.generate(), SYSTEM)
        self._person = self._found(server)
        if self._person.one_account:
            owner = None
        elif owner is None and config.lockgate.auth.asks:
            raise LockgateError(
                f"At the server {server} every caller of this gateway has an account of their own.",
                "Say whose login it is to be with --as ID; or let callers log in where their "
                "client sends them.",
                reason="login-unfit",
            )
        self.owner: Final = self._person.owner(Principal(id=owner or ANONYMOUS.id))
        self._server = HttpServer(Routes({PATH: self._callback}), HttpLimits())
        self._outcome: asyncio.Future[None] | None = None
        self._redirect = ""

    def _found(self, server: str) -> Person:
        entry = self._config.servers.get(server)
        if entry is None:
            known = ", ".join(self._config.servers)
            raise LockgateError(
                f"There is no server {server}.", f"There are: {known}.", reason="login-unfit"
            )
        if entry.auth is None or entry.auth.type != "oauth":
            raise LockgateError(
                f"Nobody logs in to the server {server}.",
                "Give it `auth: {type: oauth}` in the configuration, if it wants that.",
                reason="login-unfit",
            )
        alone = entry.model_copy(update={"disabled": False})
        self._outbound.turn_to(self._config.model_copy(update={"servers": {server: alone}}))
        return self._outbound.persons()[server]

    async def begin(self) -> str:
        """Where the person has to go.

        Raises:
            LockgateError: there is nowhere to go.
        """
        from lockgate.identity.outbound.trouble import Trouble  # noqa: PLC0415 - as in `outbound`

        self._outcome = asyncio.get_running_loop().create_future()
        host, port = (await self._server.start("127.0.0.1", 0))[0]
        self._redirect = f"http://{host}:{port}{PATH}"
        try:
            return await self._person.begin(self.owner, self._redirect)
        except Trouble as trouble:
            raise LockgateError(str(trouble), trouble.remedy, reason=trouble.reason) from trouble

    async def pasted(self, address: str) -> None:
        """Take the address that the browser ended at, where it could not come here."""
        await self._finish(dict(parse_qsl(urlsplit(address.strip()).query)))

    async def finished(self, seconds: float) -> None:
        """Wait for the browser.

        Raises:
            LockgateError: the login did not work, or nobody came.
        """
        from lockgate.identity.outbound.trouble import Trouble  # noqa: PLC0415 - as in `outbound`

        if self._outcome is None:
            raise RuntimeError("begin comes first")
        try:
            await asyncio.wait_for(self._outcome, seconds)
        except TimeoutError:
            raise LockgateError(
                "Nobody came back from the login page.", "Begin again.", reason="login-stray"
            ) from None
        except Trouble as trouble:
            raise LockgateError(str(trouble), trouble.remedy, reason=trouble.reason) from trouble

    async def log_out(self) -> bool:
        """Forget the login; whether there was one. Raises LockgateError."""
        from lockgate.identity.outbound.trouble import Trouble  # noqa: PLC0415 - as in `outbound`

        try:
            return await self._person.log_out(self.owner)
        except Trouble as trouble:
            raise LockgateError(str(trouble), trouble.remedy, reason=trouble.reason) from trouble

    async def close(self) -> None:
        """Listen no more, and let go of the store."""
        await self._server.drain(1.0)
        await self._outbound.close()

    async def _callback(self, request: HttpRequest, responder: Responder) -> None:
        from lockgate.identity.outbound.trouble import Trouble  # noqa: PLC0415 - as in `outbound`

        if request.method != "GET":
            responder.send(405, (*pages.HEADERS, (b"allow", b"GET")))
            return
        pairs = parse_qsl(request.query, keep_blank_values=True)
        params = dict(pairs)
        trouble = await self._finish(params if len(params) == len(pairs) else {})
        if isinstance(trouble, Trouble):
            code = CODES.get(trouble.reason)
            responder.send(400, pages.HEADERS, pages.trouble(str(trouble), trouble.remedy, code))
            return
        responder.send(200, pages.HEADERS, pages.done(self._person.server))

    async def _finish(self, params: Mapping[str, str]) -> Exception | None:
        """What came of it; an answer to no login of ours ends nothing."""
        from lockgate.identity.outbound.entrance import take  # noqa: PLC0415 - as in `outbound`
        from lockgate.identity.outbound.trouble import Trouble  # noqa: PLC0415 - as in `outbound`

        try:
            vault = self._outbound.vault(self._config)
            flow = await take(vault, params.get("state", ""))
            await self._person.finish(flow, params)
        except Trouble as trouble:
            if trouble.reason != "login-stray" and self._outcome and not self._outcome.done():
                self._outcome.set_exception(trouble)
            return trouble
        if self._outcome is not None and not self._outcome.done():
            self._outcome.set_result(None)
        return None
