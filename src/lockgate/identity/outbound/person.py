"""The credentials of a server that people log in to: each their own account, or one for everybody.

Must not know: pages, browsers, transports, OAuth's messages.

Without a login nothing is sent along until the server has demanded one: some servers let anybody
open a session. From then on a caller without a login is told so at once, and the server not asked.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec

from lockgate.core.clock import SYSTEM, Clock
from lockgate.core.credentials import Headers
from lockgate.core.message import ANONYMOUS, Failure, Principal
from lockgate.identity.outbound.challenge import Challenge, asked
from lockgate.identity.outbound.clients import Client
from lockgate.identity.outbound.entrance import Entrance
from lockgate.identity.outbound.flow import Flow
from lockgate.identity.outbound.granted import INSUFFICIENT, MOST, YOUNG
from lockgate.identity.outbound.login import Login
from lockgate.identity.outbound.owned import LOOK_AGAIN, Owned, Place
from lockgate.identity.outbound.reach import Reach
from lockgate.identity.outbound.renewal import Renewal
from lockgate.identity.outbound.tokens import Asking, Token, ask
from lockgate.identity.outbound.trouble import Trouble
from lockgate.identity.outbound.vault import Vault
from lockgate.wire.jsonrpc import INTERNAL_ERROR

STEPS: Final = 2
"""How often one person is asked for the same further scopes."""
POLL: Final = 1.0
ITSELF: Final = "lockgate:gateway"
"""The principal of what the gateway asks on its own behalf."""

Link = Callable[[str, str], str | None]
"""The page where the owner (second) logs in to the server (first); None: there is no page."""


class Person:
    """See `lockgate.core.credentials.Credentials`."""

    shared = False

    def __init__(
        self,
        server: str,
        url: str,
        *,
        entrance: Entrance,
        reach: Reach,
        vault: Vault,
        client: Client | None = None,
        one_account: bool = False,
        link: Link = lambda _server, _owner: None,
        clock: Clock = SYSTEM,
    ) -> None:
        """The logins of `server` at `url`.

        Args:
            server: its name, under which logins are kept.
            url: where tokens are shown.
            entrance: how people log in.
            reach: what token requests go through.
            vault: where logins are kept.
            client: the configured one.
            one_account: there is one login, and it serves everybody.
            link: makes the address of the page where somebody logs in.
            clock: wall time for tokens' ends.
        """
        self.server: Final = server
        self._url = url
        self._entrance = entrance
        self._reach = reach
        self._place = Place(
            server,
            url,
            vault=vault,
            reach=reach,
            client=client,
            clock=clock,
            tell=self._tell,
        )
        self._one_account = one_account
        self._link = link
        self._clock = clock
        self._ones: OrderedDict[str, Owned] = OrderedDict()
        self._challenge: Challenge | None = None
        self._watchers: list[Callable[[], None]] = []

    # Credentials.

    @property
    def one_account(self) -> bool:
        """There is one login, and it serves everybody."""
        return self._one_account

    @property
    def wanting(self) -> bool:
        """The server demands a login, and nobody here has one."""
        return self._challenge is not None and not any(one.login for one in self._ones.values())

    def owner(self, principal: Principal) -> str:
        """Whose login serves this principal."""
        if self._one_account:
            return ""
        # What the gateway asks for itself, where nobody is told apart, it asks as the one there is.
        return ANONYMOUS.id if principal.id == ITSELF else principal.id

    def partition(self, principal: Principal, /) -> str:
        """See `Credentials`: another account of the same owner is somebody else to the server."""
        owner = self.owner(principal)
        return f"{owner}#{self._one(owner).account}"

    def headers(
        self, principal: Principal, method: str = "POST", /
    ) -> Headers | Failure | Awaitable[Headers | Failure]:
        """See `Credentials`."""
        owner = self.owner(principal)
        one = self._one(owner)
        if one.renewal is None:
            if self._clock.monotonic() - one.looked < LOOK_AGAIN:
                return self._without(one, owner)
            return self._loaded(one, owner, method)
        token = one.renewal.at_hand()
        if token is None:
            return self._renewed(one, owner, method)
        return self._show(one, token, method)

    def _show(self, one: Owned, token: Token, method: str) -> Headers:
        return one.shown.headers(token, one.login.prover if one.login else None, method)

    def _without(self, one: Owned, owner: str) -> Headers | Failure:
        return () if self._challenge is None else self.needed(owner)

    async def _loaded(self, one: Owned, owner: str, method: str) -> Headers | Failure:
        try:
            await one.look()
        except Trouble as trouble:
            return trouble.failure(self.server)
        if one.renewal is None:
            return self._without(one, owner)
        return await self._renewed(one, owner, method)

    async def _renewed(self, one: Owned, owner: str, method: str) -> Headers | Failure:
        renewal = one.renewal
        if renewal is None:
            return self._without(one, owner)
        try:
            token = await renewal.get()
        except Trouble as trouble:
            return self._lost(one, owner, trouble)
        return self._show(one, token, method)

    def _lost(self, one: Owned, owner: str, trouble: Trouble) -> Failure:
        if trouble.reason != "token-refused":
            return trouble.failure(self.server)
        one.challenge = one.challenge or self._challenge
        return self.needed(owner, again=True)

    def _one(self, owner: str) -> Owned:
        one = self._ones.get(owner)
        if one is None:
            one = self._ones[owner] = Owned(self._place, owner)
            while len(self._ones) > MOST:
                self._ones.popitem(last=False)
        else:
            self._ones.move_to_end(owner)
        return one

    async def refused(
        self,
        principal: Principal,
        www_authenticate: str | None,
        nonce: str | None = None,
        /,
    ) -> bool | Failure:
        """See `Credentials`."""
        owner = self.owner(principal)
        one = self._one(owner)
        login = one.login
        if login is not None and login.prover is not None and login.prover.take(self._url, nonce):
            return True
        challenge = asked(www_authenticate)
        before = one.renewal.token if one.renewal is not None else None
        self._challenge = challenge
        one.challenge = challenge
        try:
            if await one.look() or (login is None and one.login is not None):
                return True
            if login is None or one.renewal is None:
                return self.needed(owner)
            if one.renewal.token is not None and one.renewal.token is not before:
                # Another call has had it renewed while the vault was asked.
                return True
            if challenge.error == INSUFFICIENT:
                return self._step_up(one, owner, login, challenge)
            return await self._refreshed(one, owner, one.renewal)
        except Trouble as trouble:
            return trouble.failure(self.server)

    async def _refreshed(self, one: Owned, owner: str, renewal: Renewal) -> bool | Failure:
        token = renewal.token
        if token is not None and renewal.age < YOUNG:
            return self.needed(owner, again=True)
        renewal.drop(token)
        try:
            await renewal.get()
        except Trouble as trouble:
            return self._lost(one, owner, trouble)
        return True

    def _step_up(self, one: Owned, owner: str, login: Login, challenge: Challenge) -> Failure:
        wanted = tuple(sorted(challenge.scopes))
        tried = one.steps.get(wanted, 0)
        if not wanted or set(wanted) <= set(login.granted) or tried >= STEPS:
            return Trouble(
                "scope-refused",
                "it wants more rights than its own authorization server gives.",
                "Ask whoever runs the server for these rights: " + " ".join(wanted) + ".",
            ).failure(self.server, scopes=list(wanted))
        if len(one.steps) >= STEPS * 50:
            one.steps.clear()
        one.steps[wanted] = tried + 1
        return self.needed(owner, again=True, scopes=wanted)

    # What people are told.

    def needed(self, owner: str, *, again: bool = False, scopes: tuple[str, ...] = ()) -> Failure:
        """The Failure of a call whose caller has to log in first."""
        # Whoever got a link could make everybody use an account of theirs.
        link = None if self._one_account else self._link(self.server, owner)
        what = "log in again" if again else "log in"
        if scopes:
            what = "allow more"
        whom = "" if owner in ("", ANONYMOUS.id) else f" --as '{owner}'"
        by_hand = f"Run `lockgate login {self.server}{whom}` where the gateway runs"
        remedy = f"Open {link}" if link else by_hand
        data: dict[str, Any] = {"server": self.server}
        if link:
            data["url"] = link
        if scopes:
            data["scopes"] = list(scopes)
        whose = "Somebody has" if self._one_account else "You have"
        return Failure(
            code=INTERNAL_ERROR,
            message=f"{whose} to {what} at the server '{self.server}' before it can be used."
            + (f" Open {link}" if link else ""),
            origin="client",
            reason="login-required",
            data=data,
            remedy=f"{remedy}, then make the call again.",
        )

    def watch(self, watcher: Callable[[], None]) -> None:
        """Tell `watcher` when somebody has logged in or out."""
        self._watchers.append(watcher)

    # Logging in and out.

    async def begin(self, owner: str, redirect_uri: str, browser: str = "") -> str:
        """Where to send the owner's browser. Raises `Trouble`."""
        one = self._one(owner)
        await one.look()
        challenge = one.challenge or self._challenge
        return await self._entrance.begin(
            owner,
            redirect_uri,
            challenge=challenge,
            before=one.login,
            forgotten=one.forgotten,
            browser=browser,
        )

    async def finish(self, flow: Flow, params: Mapping[str, str], browser: str = "") -> None:
        """Take in the answer of the authorization server. Raises `Trouble`."""
        one = self._one(flow.owner)
        login = await self._entrance.finish(flow, params, one.login, browser)
        await one.put(login)

    async def log_out(self, owner: str) -> bool:
        """Forget the owner's login; whether there was one. Raises `Trouble`."""
        one = self._one(owner)
        await one.look()
        had = one.login
        await one.remove()
        if had is not None:
            await self._revoke(had)
        return had is not None

    async def _revoke(self, login: Login) -> None:
        """Have the tokens ended where they are from (RFC 7009), if it offers that."""
        where, token = login.server.revocation, login.token.refresh or login.token.access
        if where is None:
            return
        try:
            self._reach.check(where, "the revocation endpoint")
            server = msgspec.structs.replace(login.server, token=where)
            asking = Asking(self._reach, server, login.client, login.prover)
            await ask(asking, {"token": token.reveal()}, self._clock.wall())
        except Trouble:
            return

    async def logged_in(self, principal: Principal, since: float, within: float) -> bool:
        """Wait until the principal has logged in after `since`, on the wall clock.

        False: not within these seconds.
        """
        owner = self.owner(principal)
        one = self._one(owner)
        due = self._clock.monotonic() + within
        while True:
            changed = one.changed
            if one.renewal is not None and one.since >= since:
                return True
            try:
                if await one.look():
                    return True
            except Trouble:
                return False
            left = due - self._clock.monotonic()
            if left <= 0:
                return False
            try:
                # Somebody may log in by another process, which only the vault tells.
                await asyncio.wait_for(changed.wait(), min(POLL, left))
            except TimeoutError:
                continue

    def _tell(self) -> None:
        for watcher in self._watchers:
            watcher()
