"""What the gateway shows to servers to be let in: credentials it gets itself, and headers.

Must not know: how credentials are got, other servers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from lockgate.config.identity import safe_url
from lockgate.config.limits import Section
from lockgate.config.oauth_client import ClientSettings
from lockgate.config.quantities import Seconds, time
from lockgate.core.store import spelled

_TOKEN_TYPE: Final = "urn:ietf:params:oauth:token-type:"  # noqa: S105 - the beginning of a name
_OURS: Final = frozenset(
    {
        "accept",
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "dpop",
        "expect",
        "host",
        "keep-alive",
        "last-event-id",
        "origin",
        "proxy-authorization",
        "proxy-connection",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_HEADER: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")
PASSTHROUGH: Final = (
    "the client's Authorization is for the gateway and never passed on: a server that takes tokens "
    "meant for others can be used by whoever gets hold of one. Use `auth` with `type: "
    "token_exchange`, which turns it into a token for this server"
)


class ProviderSettings(ClientSettings):
    """The identity provider that vouches for callers, as the gateway uses it."""

    issuer: str | None = Field(
        default=None, description="Its identifier; its metadata say where tokens are exchanged."
    )
    token_url: str | None = Field(
        default=None, description="Where tokens are exchanged, for one without metadata."
    )

    @field_validator("issuer", "token_url")
    @classmethod
    def _check_urls(cls, url: str | None) -> str | None:
        return None if url is None else safe_url(url, "the URL")

    @model_validator(mode="after")
    def _check_either(self) -> ProviderSettings:
        if (self.issuer is None) == (self.token_url is None):
            raise ValueError("name the provider's `issuer` or its `token_url`")
        return self


class ServerAuth(ClientSettings):
    """How the gateway is let in by a server that wants OAuth tokens.

    `type` says on whose behalf: of a person who logs in (`oauth`), its own (`client_credentials`,
    `jwt_bearer`), or of whoever calls (`token_exchange`, `identity_assertion`).
    """

    type: Literal[
        "oauth", "client_credentials", "jwt_bearer", "token_exchange", "identity_assertion"
    ] = Field(description="How tokens are got.")
    account: Literal["own", "shared"] = Field(
        default="own",
        description=(
            "With `oauth`: each caller logs in with an account of their own, or one account, "
            "logged in with `lockgate login`, serves everybody."
        ),
    )
    issuer: str | None = Field(
        default=None,
        description=(
            "The authorization server to use, and no other. By default the one that the server "
            "names; a client registered by hand stays with the first it was used at."
        ),
    )
    client_document: str | None = Field(
        default=None,
        description=(
            "The https URL of a client metadata document, used as client id where that is taken. "
            "By default the gateway's own, if `lockgate.public_url` is https."
        ),
    )
    scopes: list[str] = Field(
        default=[],
        max_length=100,
        description="What to ask for; by default what the server demands or says it needs.",
    )
    resource: str | None = Field(
        default=None,
        description="What tokens are to be good for; by default as the server calls itself.",
    )
    audience: str | None = Field(
        default=None,
        description="Sent beside `resource`, for authorization servers that go by an audience.",
    )
    dpop: bool = Field(
        default=False,
        description="Have tokens bound to a key of the gateway (RFC 9449), where that is offered.",
    )
    provider: ProviderSettings | None = Field(
        default=None,
        description="The callers' identity provider; needed by `identity_assertion`, and by "
        "`token_exchange` where the provider exchanges the tokens.",
    )
    subject_token: SecretStr | None = Field(
        default=None,
        description="Exchange this token for everybody, in place of each caller's own.",
    )
    subject_token_file: Path | None = Field(
        default=None, strict=False, description="The same from a file, read for each exchange."
    )
    subject_token_type: str = Field(
        default="access_token",
        description="What is exchanged: `access_token`, `id_token`, `jwt` or a full URN.",
    )
    assertion: SecretStr | None = Field(
        default=None, description="With `jwt_bearer`: the assertion to show."
    )
    assertion_file: Path | None = Field(
        default=None,
        strict=False,
        description="The same from a file that its surroundings keep fresh (workload identity).",
    )

    @field_validator("issuer")
    @classmethod
    def _check_issuer(cls, url: str | None) -> str | None:
        return None if url is None else safe_url(url, "issuer")

    @field_validator("client_document")
    @classmethod
    def _check_document(cls, url: str | None) -> str | None:
        if url is not None:
            parts = urlsplit(url)
            plain = not (parts.query or parts.fragment or parts.username)
            if parts.scheme != "https" or parts.path in ("", "/") or not plain:
                raise ValueError("client_document must be an https URL with a path, and no more")
        return url

    @model_validator(mode="after")
    def _check_type(self) -> ServerAuth:
        needed: dict[str, tuple[str, object]] = {
            "client_credentials": ("client_id", self.client_id),
            "jwt_bearer": ("assertion_file", self.assertion or self.assertion_file),
            "token_exchange": ("client_id", self.client_id or self.provider),
            "identity_assertion": ("provider", self.provider),
        }
        name, value = needed.get(self.type, ("", True))
        if value is None:
            raise ValueError(f"`type: {self.type}` needs `{name}`")
        if self.account == "shared" and self.type != "oauth":
            raise ValueError("`account` belongs to `type: oauth`")
        return self

    @property
    def token_type(self) -> str:
        """The type of what is exchanged, as a URN."""
        spelled = self.subject_token_type
        return spelled if ":" in spelled else _TOKEN_TYPE + spelled

    @property
    def alike(self) -> bool:
        """One credential serves all callers."""
        if self.type in ("client_credentials", "jwt_bearer"):
            return True
        return bool(self.subject_token or self.subject_token_file) and self.type != "oauth"


class LoginSettings(Section):
    """Where logins at servers are kept, and how people get there."""

    store: SecretStr | None = Field(
        default=None,
        description=(
            "Where logins are kept, sealed: `sqlite:PATH`, or the address of what replicas share. "
            "By default a file of the person who runs the gateway."
        ),
    )
    keys_file: Path | None = Field(
        default=None,
        strict=False,
        description=(
            "A file with keys that seal them, 32 bytes in base64 each, one a line; the first "
            "seals, all open. By default one that is made beside the store."
        ),
    )
    wait: Seconds = time(
        25,
        0,
        300,
        "How long a call that was made again waits for its caller's login to be finished.",
    )

    @field_validator("store")
    @classmethod
    def _check_store(cls, store: SecretStr | None) -> SecretStr | None:
        if store is not None and not spelled(store.get_secret_value()):
            raise ValueError("write sqlite:PATH, redis://HOST:PORT/DB or valkey://HOST:PORT/DB")
        return store


def auth_of(value: object) -> object:
    """`auth: oauth`, as other clients write it, is `auth: {type: oauth}`."""
    return {"type": value} if isinstance(value, str) else value


def forwarded(value: dict[str, str]) -> dict[str, str]:
    """Headers that may be let through, in lower case. Raises ValueError for one that may not."""
    found: dict[str, str] = {}
    for name, target in value.items():
        if name.lower() in ("authorization", "proxy-authorization", "cookie", "dpop"):
            raise ValueError(PASSTHROUGH)
        _check_name(name)
        found[name.lower()] = _target(target)
    if len(set(found.values())) != len(found):
        raise ValueError("two headers would become one")
    return found


def mapped(value: dict[str, str]) -> dict[str, str]:
    """Claims and the headers they are put into. Raises ValueError for a header that may not."""
    found = {claim: _target(target) for claim, target in value.items()}
    if len(set(found.values())) != len(found):
        raise ValueError("two claims would become one header")
    return found


def _target(name: str) -> str:
    _check_name(name)
    lower = name.lower()
    if lower in _OURS or lower.startswith(("mcp-", "sec-")):
        raise ValueError(f"the header {name} is written by the gateway itself")
    return lower


def _check_name(name: str) -> None:
    if not name or not all(letter in _HEADER for letter in name.lower()):
        raise ValueError(f"{name!r} is no name of a header")
