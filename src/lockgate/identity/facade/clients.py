"""Clients: who they say they are, and how that is known.

Must not know: HTTP, consent, how documents are fetched. Sources: RFC 7591, RFC 6749 section 2.

A client that registers itself gets its registration back as its identifier, sealed: there is no
table of registrations that strangers could fill, and every replica with the same keys knows it.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256
from typing import Final, Literal

import msgspec

from lockgate.identity.facade import redirects
from lockgate.identity.facade.settings import KnownClient
from lockgate.wire.seal import BadSeal, KeyRing

PREFIX: Final = "lgc_"
LONGEST_ID: Final = 4096
LONGEST_NAME: Final = 80
GRANTS: Final = ("authorization_code", "refresh_token")
_PURPOSE: Final = "facade client"

Kind = Literal["configured", "document", "registered", "own"]
Method = Literal["none", "client_secret_basic", "client_secret_post"]


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """One client.

    kind           who vouches for it: who runs the gateway, the host of its document, or nobody;
                   `own`: it is the gateway itself.
    redirect_uris  where people may be sent back to.
    method         how it authenticates at the token endpoint; `none`: it is a public client.
    secret_digest  of its secret, when it has one.
    grants         what it may ask the token endpoint for.
    host           the host that vouches for it.
    """

    id: str
    name: str
    kind: Kind
    redirect_uris: tuple[str, ...]
    method: Method = "none"
    secret_digest: bytes = b""
    grants: tuple[str, ...] = GRANTS
    host: str = ""

    @property
    def digest(self) -> str:
        """A short name for its identifier."""
        return digest(self.id)

    @property
    def alias(self) -> str:
        """What tokens name it: its identifier, or something shorter that stands for it."""
        return f"{PREFIX}{self.digest}" if self.kind == "registered" else self.id

    @property
    def face(self) -> str:
        """A digest of what people see of it: a consent is worth nothing once that is different."""
        seen = [self.id, self.name, self.kind, self.host, *self.redirect_uris]
        return digest("\0".join(seen))

    # What authlib asks of clients (its rfc6749.ClientMixin).

    def get_client_id(self) -> str:
        """The identifier."""
        return self.id

    def get_default_redirect_uri(self) -> None:
        """None: every request says where to."""
        return

    def get_allowed_scope(self, scope: str) -> str:
        """The scopes as they are; which of them are granted is decided elsewhere."""
        return scope or ""

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Whether it may have people sent back there."""
        return redirects.registered(redirect_uri, self.redirect_uris)

    def check_client_secret(self, client_secret: str) -> bool:
        """Whether that is its secret."""
        given = secret_digest(client_secret)
        return bool(self.secret_digest) and hmac.compare_digest(given, self.secret_digest)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Whether it is to authenticate in this way."""
        if method == "none" or self.method == "none":
            return method == self.method
        return True

    def check_response_type(self, response_type: str) -> bool:
        """Whether it may ask for this at all."""
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        """Whether it may ask the token endpoint for this."""
        return grant_type in self.grants


def digest(text: str) -> str:
    """A name for a text that says nothing of it."""
    return urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b"=").decode()


def secret_digest(secret: str) -> bytes:
    """What is kept of a secret. They are random and long, so that one pass is enough."""
    return sha256(b"facade client secret\0" + secret.encode()).digest()


def known(client: KnownClient) -> Client:
    """A client of the configuration."""
    secret = client.secret
    return Client(
        id=client.id,
        name=client.name,
        kind="own" if client.own else "configured",
        redirect_uris=client.redirect_uris,
        method="none" if secret is None else "client_secret_basic",
        secret_digest=b"" if secret is None else secret_digest(secret.reveal()),
        grants=("authorization_code",) if client.own else GRANTS,
    )


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    name: str
    redirect_uris: tuple[str, ...]
    method: Method
    secret_digest: bytes
    grants: tuple[str, ...]


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Kept).decode


def sealed(ring: KeyRing, client: Client, now: float, ttl: float) -> str:
    """The identifier of a client that registered itself; `client.id` is not looked at."""
    kept = _Kept(
        client.name, client.redirect_uris, client.method, client.secret_digest, client.grants
    )
    return PREFIX + ring.seal(_PURPOSE, _encode(kept), now=now, ttl=ttl)


def opened(ring: KeyRing, client_id: str, now: float) -> Client | None:
    """The client an identifier of `sealed` stands for; None when it is none, or none any more."""
    if not client_id.startswith(PREFIX) or len(client_id) > LONGEST_ID:
        return None
    try:
        kept = _decode(ring.open(_PURPOSE, client_id.removeprefix(PREFIX), now=now))
    except (BadSeal, msgspec.MsgspecError):
        return None
    return Client(
        id=client_id,
        name=kept.name,
        kind="registered",
        redirect_uris=kept.redirect_uris,
        method=kept.method,
        secret_digest=kept.secret_digest,
        grants=kept.grants,
    )


_spaces: Final = re.compile(r"\s+")


def shown_name(name: object, otherwise: str) -> str:
    """A name as it may stand on a page: one line, no control or invisible characters, not long."""
    text = unicodedata.normalize("NFC", name) if isinstance(name, str) else ""
    seen = "".join(
        " " if one.isspace() else one
        for one in text[: LONGEST_NAME * 8]
        # Cc, Cf, Co, Cs, Cn: among them what turns the direction of text, and what has no width.
        if one.isspace() or not unicodedata.category(one).startswith("C")
    )
    plain = _spaces.sub(" ", seen).strip()
    return plain[:LONGEST_NAME] or otherwise


def grants_of(listed: Sequence[str]) -> tuple[str, ...]:
    """Of what a client lists as its grant types, what it may use here."""
    return tuple(one for one in GRANTS if one in (listed or _IMPLIED))


_IMPLIED: Final = ("authorization_code",)
