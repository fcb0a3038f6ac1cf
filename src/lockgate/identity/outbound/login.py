"""One login at one server: whose it is there, its tokens, and how it is kept.

Must not know: how it came about, who uses it.
"""

from __future__ import annotations

from secrets import token_hex
from typing import Any

import msgspec

from lockgate.core.secret import Secret
from lockgate.identity.outbound.clients import Client, Method
from lockgate.identity.outbound.dpop import Prover
from lockgate.identity.outbound.metadata import AuthorizationServer
from lockgate.identity.outbound.tokens import Token


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """A login.

    account   changes when it becomes that of somebody else at the server, and never otherwise.
    server    the authorization server that the tokens are of; they are shown to no other.
    asked     the scopes that were asked for.
    """

    account: str
    server: AuthorizationServer
    client: Client
    resource: str
    asked: tuple[str, ...]
    token: Token
    prover: Prover | None = None

    @property
    def granted(self) -> tuple[str, ...]:
        """The scopes it has, as far as anybody knows."""
        return self.asked if self.token.scopes is None else self.token.scopes

    def renewed(self, token: Token) -> Login:
        """The same with a new token; a refresh token that was not replaced goes on."""
        kept = msgspec.structs.replace(
            token,
            refresh=token.refresh or self.token.refresh,
            scopes=self.token.scopes if token.scopes is None else token.scopes,
            subject=token.subject or self.token.subject,
        )
        return msgspec.structs.replace(self, token=kept)

    def without_refresh(self) -> Login:
        """The same with a refresh token that is known to be over left out."""
        token = msgspec.structs.replace(self.token, refresh=None)
        return msgspec.structs.replace(self, token=token)


def account_after(before: Login | None, server: AuthorizationServer, token: Token) -> str:
    """The account of a new login: the one before, if it is certainly the same."""
    same = (
        before is not None
        and before.server.issuer == server.issuer
        and token.subject is not None
        and token.subject == before.token.subject
    )
    return before.account if same and before is not None else token_hex(8)


class _Kept(msgspec.Struct):
    """What goes into the vault. The secrets in it are sealed there."""

    account: str
    server: AuthorizationServer
    client: dict[str, Any]
    resource: str
    asked: tuple[str, ...]
    access: str
    kind: str
    expires: float | None = None
    refresh: str | None = None
    scopes: tuple[str, ...] | None = None
    subject: str | None = None
    key: str | None = None


def pack_client(client: Client) -> dict[str, Any]:
    """A registered client for the vault; a key that is configured is not kept there."""
    return {
        "id": client.id,
        "secret": client.secret.reveal() if client.secret else None,
        "method": client.method,
        "issuer": client.issuer,
        "expires": client.expires,
    }


def unpack_client(said: dict[str, Any], configured: Client | None = None) -> Client:
    """What `pack_client` packed; with the key of the configured client, if it is that one."""
    signer = configured.signer if configured and configured.id == said["id"] else None
    method: Method = said["method"]
    return Client(
        id=said["id"],
        secret=Secret(said["secret"]) if said["secret"] else None,
        method=method,
        signer=signer,
        issuer=said["issuer"],
        expires=said["expires"],
    )


def pack(login: Login) -> bytes:
    """A login for the vault."""
    token = login.token
    return msgspec.json.encode(
        _Kept(
            account=login.account,
            server=login.server,
            client=pack_client(login.client),
            resource=login.resource,
            asked=login.asked,
            access=token.access.reveal(),
            kind=token.kind,
            expires=token.expires,
            refresh=token.refresh.reveal() if token.refresh else None,
            scopes=token.scopes,
            subject=token.subject,
            key=login.prover.keep() if login.prover else None,
        )
    )


def unpack(data: bytes, configured: Client | None = None) -> Login:
    """What `pack` packed.

    Raises:
        msgspec.MsgspecError: it is of another version of the program.
    """
    kept = msgspec.json.decode(data, type=_Kept)
    return Login(
        account=kept.account,
        server=kept.server,
        client=unpack_client(kept.client, configured),
        resource=kept.resource,
        asked=kept.asked,
        prover=Prover.restored(kept.key) if kept.key else None,
        token=Token(
            access=Secret(kept.access),
            kind=kept.kind,
            expires=kept.expires,
            refresh=Secret(kept.refresh) if kept.refresh else None,
            scopes=kept.scopes,
            subject=kept.subject,
        ),
    )
