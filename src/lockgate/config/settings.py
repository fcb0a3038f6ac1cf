"""The gateway's own settings: everything under the top-level key `lockgate`.

Must not know: servers, files, the environment. Other MCP clients ignore the key `lockgate`, so a
file with it still works in them.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from lockgate.config.access import AccessSettings
from lockgate.config.admin import AdminSettings
from lockgate.config.audit import AuditSettings
from lockgate.config.caching import CacheSettings
from lockgate.config.compact import CompactSettings
from lockgate.config.endpoints import EndpointSettings
from lockgate.config.exposing import Expose, ExposeSettings
from lockgate.config.facade import FacadeSettings
from lockgate.config.guard import GuardSettings
from lockgate.config.identity import AuthSettings, safe_url
from lockgate.config.limits import GatewayLimits, Section
from lockgate.config.outbound import LoginSettings
from lockgate.config.pins import PINS, PINS_FILE, Pins
from lockgate.config.quantities import Seconds, count, time
from lockgate.config.rates import RateSettings
from lockgate.config.results import KeptResults
from lockgate.config.sandbox import SandboxSettings, sandbox_of
from lockgate.config.searching import SearchSettings
from lockgate.config.tls import TlsSettings
from lockgate.core.store import spelled

KEY_BYTES = 32


class LogSettings(Section):
    """What is logged, to stderr."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="The least severe level that is written; LOCKGATE_LOG and --log-level win.",
    )
    format: Literal["auto", "text", "json"] = Field(
        default="auto",
        description="`text` for people, `json` for one JSON object per line; `auto` is `text`.",
    )


class SessionSettings(Section):
    """Sessions of handshake-era clients, which live in sealed tokens and in no table."""

    ttl: Seconds = time(
        86400, 60, 30 * 86400, "How long a session may go on before the client has to begin anew."
    )
    keys: list[SecretStr] = Field(
        default=[],
        max_length=16,
        description=(
            "Keys that seal sessions and cursors, each 32 bytes in base64; the first seals, all "
            "open. None: a new random key at each start, so sessions end with the process."
        ),
    )
    keys_file: Path | None = Field(
        default=None,
        strict=False,
        description="A file with more such keys, one a line; for keys mounted as a secret.",
    )

    @field_validator("keys")
    @classmethod
    def _check_keys(cls, keys: list[SecretStr]) -> list[SecretStr]:
        for position, key in enumerate(keys, 1):
            decode_key(key.get_secret_value(), f"key {position}")
        return keys

    @property
    def keyed(self) -> bool:
        """Whether there are keys that other processes can have as well."""
        return bool(self.keys) or self.keys_file is not None

    def key_bytes(self) -> list[bytes]:
        """All keys, `keys` first and then those of `keys_file`; empty when none is configured.

        Raises OSError when the file cannot be read and ValueError when it holds no proper key.
        """
        keys = [decode_key(key.get_secret_value(), "a session key") for key in self.keys]
        if self.keys_file is not None:
            found = [
                decode_key(line.strip(), f"line {number} of session.keys_file")
                for number, line in enumerate(self.keys_file.read_text().splitlines(), 1)
                if line.strip() and not line.startswith("#")
            ]
            if not found:
                # Random keys in their place would be nobody else's, and nobody would be told.
                raise ValueError("session.keys_file holds no key")
            keys += found
        return keys


def decode_key(text: str, what: str) -> bytes:
    """The 32 bytes of a base64 (or base64url) key. Raises ValueError naming `what`."""
    try:
        key = base64.b64decode(text.translate(str.maketrans("-_", "+/")) + "==", validate=False)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"{what} must be {KEY_BYTES} bytes in base64 (openssl rand -base64 32)")
    return key


class GatewaySettings(Section):
    """The endpoint, its names, its safety and its manners."""

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description=(
            "The address to listen on. Anything but loopback is refused without authentication, "
            "because whoever reaches the endpoint can call every tool."
        ),
    )
    port: int = count(4040, 0, 65535, "The TCP port to listen on; 0 takes a free one.")
    path: str = Field(
        default="/mcp",
        pattern=r"^/[A-Za-z0-9._~/-]*$",
        max_length=256,
        description="The path of the MCP endpoint.",
    )
    sse_path: str = Field(
        default="/sse",
        pattern=r"^/[A-Za-z0-9._~/-]*$",
        max_length=256,
        description=(
            "The path of streams for clients of revision 2024-11-05; they post to `messages` "
            "beside it."
        ),
    )
    public_url: str | None = Field(
        default=None,
        description=(
            "What clients call the gateway, without the path of an endpoint: "
            "`https://mcp.example.com`. Tokens have to be meant for it and the endpoint's path. By "
            "default the loopback address it listens on."
        ),
    )
    auth: AuthSettings = Field(
        default=AuthSettings(),
        description="Who may ask, at every endpoint that does not say otherwise.",
    )
    tls: TlsSettings = Field(
        default=TlsSettings(),
        description="TLS toward clients; off where a proxy in front does it.",
    )
    facade: FacadeSettings | None = Field(
        default=None,
        description=(
            "The gateway as the authorization server of its clients, in front of an identity "
            "provider where clients cannot register. Its tokens are accepted at every endpoint."
        ),
    )
    naming: Literal["auto", "bare", "prefix"] = Field(
        default="auto",
        description=(
            "How tools and prompts are called: `bare` as the server says, `prefix` as "
            "`server__tool`; `auto` is bare for one server and prefix for more."
        ),
    )
    page_size: int = count(
        1000, 1, 100_000, "Items of a list on one page; most clients read only the first page."
    )
    expose: Expose = Field(
        default=ExposeSettings(),
        description="How much of what there is models are shown at once: `full`, `search`, ….",
    )
    search: SearchSettings = Field(
        default=SearchSettings(), description="How tools are found where they are not listed."
    )
    stale_lists: Seconds = time(
        300,
        0,
        86400,
        "How much longer the tools, prompts and resources a server listed last are shown while "
        "its list cannot be read anew. A server that is down takes its list along at once.",
    )
    gather_changes: Seconds = time(
        0,
        0,
        3600,
        "How long changes of lists are gathered before clients are told, once for all of them. "
        "Each time a client reads other tools, what its model's provider had kept is lost.",
    )
    allow_hosts: list[str] = Field(
        default=[],
        max_length=1000,
        description=(
            "Host names clients may use beside loopback and the configured host; any other Host "
            "header is refused, which is what stops DNS rebinding."
        ),
    )
    allow_origins: list[str] = Field(
        default=[],
        max_length=1000,
        description="Origins of web pages that may call the endpoint beside loopback ones.",
    )
    cors: list[str] = Field(
        default=[],
        max_length=1000,
        description=(
            "Origins that get CORS headers, and are thereby allowed; `*` is any. Empty: browsers "
            "of other origins can read nothing."
        ),
    )
    keepalive: Seconds = time(
        15,
        1,
        3600,
        "Time between comments on a silent stream, so that proxies in between keep it open.",
    )
    shutdown_grace: Seconds = time(
        10, 0, 3600, "How long running calls may still take after SIGTERM before they are cut off."
    )
    reload: Literal["watch", "signal", "off"] = Field(
        default="watch",
        description=(
            "When a changed configuration is taken over without a restart: `watch` when the file, "
            "or an envFile it names, changes, and on SIGHUP; `signal` on SIGHUP only; `off` never."
        ),
    )
    reload_grace: Seconds = time(
        300,
        0,
        86400,
        "How long running calls of a server that was changed or removed may still take.",
    )
    unsolicited: Literal["ask", "refuse"] = Field(
        default="ask",
        description=(
            "What happens when a server asks a client something outside of any call: `ask` the "
            "client of that session if one listens, or `refuse` always."
        ),
    )
    limits: GatewayLimits = Field(default=GatewayLimits(), description="Bounds on clients.")
    rate: RateSettings = Field(
        default=RateSettings(), description="How often clients may ask at all; off by default."
    )
    store: SecretStr | None = Field(
        default=None,
        description=(
            "What replicas share: `redis://HOST:PORT/DB`, `valkey://…` (with TLS `rediss://`, "
            "`valkeys://`), or `sqlite:PATH` for processes of one machine. Rates are then counted "
            "in it."
        ),
    )
    cache: CacheSettings = Field(
        default=CacheSettings(), description="Answers that are given again while they are fresh."
    )
    access: AccessSettings = Field(
        default=AccessSettings(), description="Who may use what; without rules everybody may."
    )
    pins: Pins = PINS
    pins_file: Path | None = PINS_FILE
    sandbox: Annotated[SandboxSettings, BeforeValidator(sandbox_of)] = Field(
        default=SandboxSettings(),
        description="What stdio servers may touch that do not say otherwise.",
    )
    logins: LoginSettings = Field(
        default=LoginSettings(), description="Logins of people at servers that want them."
    )
    endpoints: dict[str, EndpointSettings] = Field(
        default={},
        description=(
            "More paths, each with its own servers and shape; one for `path` itself says what is "
            "served there."
        ),
    )
    admin: AdminSettings | None = Field(
        default=None,
        description="A listener of its own for operators: health, readiness, metrics.",
    )
    audit: AuditSettings | None = Field(
        default=None,
        description="Who called what, on record in a file that shows when it was altered.",
    )
    compact: CompactSettings = Field(
        default=CompactSettings(),
        description="What models are shown of tools and results, in fewer tokens.",
    )
    results: KeptResults = Field(
        default=KeptResults(), description="What is done about results too long for a model."
    )
    guard: GuardSettings = Field(
        default=GuardSettings(), description="What passes between clients and servers."
    )
    log: LogSettings = Field(default=LogSettings(), description="What is logged, to stderr.")
    session: SessionSettings = Field(
        default=SessionSettings(), description="Sessions of handshake-era clients."
    )

    @property
    def asks(self) -> bool:
        """Whether callers have to say who they are."""
        return self.auth.asks or self.facade is not None

    @model_validator(mode="after")
    def _check_scopes(self) -> GatewaySettings:
        if self.auth.scopes and not self.asks:
            raise ValueError(
                "`auth.scopes` need issuers, a facade or API keys: nobody else is granted any"
            )
        return self

    @field_validator("public_url")
    @classmethod
    def _check_public_url(cls, url: str | None) -> str | None:
        return None if url is None else safe_url(url, "public_url").rstrip("/")

    @field_validator("store")
    @classmethod
    def _check_store(cls, store: SecretStr | None) -> SecretStr | None:
        if store is not None and not spelled(store.get_secret_value()):
            raise ValueError("write redis://HOST:PORT/DB, valkey://HOST:PORT/DB or sqlite:PATH")
        return store

    @field_validator("allow_origins", "cors")
    @classmethod
    def _check_origins(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            scheme, separator, rest = origin.partition("://")
            if origin != "*" and (not separator or not scheme or not rest or "/" in rest):
                raise ValueError(
                    f"{origin!r} is no origin; write scheme and host, e.g. https://app.example.com"
                )
        return origins

    @field_validator("allow_origins")
    @classmethod
    def _no_wildcard(cls, origins: list[str]) -> list[str]:
        if "*" in origins:
            raise ValueError("`*` would switch the Origin check off; name the origins")
        return origins
