"""The configuration as the program sees it: the reference that everything else is made from.

Must not know: files, positions, the environment, client formats. `load` produces it from a file;
the JSON Schema, `docs/configuration.md`, `config show` and the unknown-key suggestions are derived
from the fields below, so a setting is described in one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PrivateAttr,
    SecretStr,
    field_validator,
    model_validator,
)

from lockgate.config.caching import ServerCache
from lockgate.config.compact import CompactSettings
from lockgate.config.guard import GuardSettings
from lockgate.config.limits import GatewayLimits, Section, ServerLimits
from lockgate.config.outbound import ServerAuth, auth_of, forwarded, mapped
from lockgate.config.pins import SERVER_PINS, Pins, identity_of
from lockgate.config.quantities import Seconds, seconds_of, time
from lockgate.config.rates import RateSettings
from lockgate.config.resist import (
    BreakerSettings,
    CrashLoopSettings,
    EjectionSettings,
    HedgeSettings,
    RetrySettings,
    ToolSettings,
)
from lockgate.config.results import ResultsSettings
from lockgate.config.sandbox import SandboxSettings, sandbox_of
from lockgate.config.settings import GatewaySettings, LogSettings, SessionSettings

__all__ = [
    "BreakerSettings",
    "Config",
    "CrashLoopSettings",
    "EjectionSettings",
    "GatewayLimits",
    "GatewaySettings",
    "HedgeSettings",
    "LogSettings",
    "RateSettings",
    "RetrySettings",
    "ServerCache",
    "ServerConfig",
    "ServerLimits",
    "SessionSettings",
    "ToolSettings",
]

WEBSOCKET_SCHEMES = ("ws://", "wss://")
SERVER_NAME = r"^[^\x00-\x1f\x7f/]{1,128}$"


class ServerConfig(Section):
    """One server: the keys every MCP client knows, and ours beside them.

    A server has either `command` (a child process speaking stdio) or `url` (HTTP or WebSocket), or
    several `urls` (replicas).
    """

    command: str | None = Field(
        default=None,
        min_length=1,
        description="The program to start for a stdio server; looked up on PATH, never by a shell.",
    )
    args: list[str] = Field(
        default=[],
        repr=False,
        description="Its arguments, each passed as it is.",
    )
    env: dict[str, SecretStr] = Field(
        default={},
        description=(
            "Environment of the child. It gets these and a small safe set (PATH, HOME, LANG and "
            "the like), nothing else of Lockgate's own environment."
        ),
    )
    cwd: Path | None = Field(
        default=None,
        strict=False,
        description="The directory the child starts in; relative to the configuration file.",
    )
    url: str | None = Field(
        default=None,
        repr=False,
        description="The endpoint of a server reached over HTTP, or (ws, wss) over a WebSocket.",
    )
    urls: list[str] = Field(
        default=[],
        max_length=16,
        repr=False,
        description=(
            "In place of `url`: the endpoints of replicas of one Streamable HTTP server, best "
            "first. The first that is well answers."
        ),
    )
    headers: dict[str, SecretStr] = Field(
        default={},
        description="Headers sent with every request to the server, for example Authorization.",
    )
    type: Literal["stdio", "http", "sse", "websocket"] | None = Field(
        default=None,
        description=(
            "The transport, for files that say it: `stdio`, `http` (also spelled "
            "`streamable-http`, `streamableHttp`), `websocket` (or `ws`), or `sse`, the HTTP of "
            "revision 2024-11-05; otherwise `command` or `url` decides, and a server that does "
            "not know Streamable HTTP is tried with the older one."
        ),
    )
    auth: Annotated[ServerAuth | None, BeforeValidator(auth_of)] = Field(
        default=None,
        description="How the gateway gets the tokens that this server wants to see.",
    )
    forward_headers: dict[str, str] = Field(
        default={},
        max_length=50,
        description=(
            "Headers of a client's request that are let through, with the names the server gets "
            "them by: `{x-tenant: x-tenant}`. Authorization is never among them."
        ),
    )
    claim_headers: dict[str, str] = Field(
        default={},
        max_length=50,
        description="Claims of the caller and the headers they are put into: `{email: x-user}`.",
    )
    disabled: bool = Field(
        default=False, description="Leave this server out, without deleting its entry."
    )
    envFile: Path | None = Field(  # noqa: N815 - spelled as VS Code and Cursor spell it
        default=None,
        strict=False,
        description="A file of NAME=value lines for the child's environment; `env` wins over it.",
    )
    era: Literal["auto", "handshake", "modern"] = Field(
        default="auto",
        description=(
            "The protocol era spoken to the server: `auto` finds out and remembers; the others "
            "save the probe where the answer is known."
        ),
    )
    start: Literal["eager", "lazy"] = Field(
        default="eager",
        description=(
            "`eager` connects at start-up, so that the first call is fast and mistakes show at "
            "once; `lazy` waits for the first request that needs the server."
        ),
    )
    isolation: Literal["shared", "session"] = Field(
        default="shared",
        description=(
            "`shared` serves all clients with one child process; `session` starts one for each "
            "client session, for servers that keep state."
        ),
    )
    idle_stop: Annotated[float | None, BeforeValidator(seconds_of)] = time(
        None,
        1,
        30 * 86400,
        "Stop a stdio server nobody has used for so long; the next call starts it. None: never.",
    )
    spare: bool = Field(
        default=False,
        description=(
            "Keep one more process of a stdio server started. Clients with other capabilities, and "
            "calls made while another waits for its client's answer, need a process of their own; "
            "with a spare they need not wait for it to start. Costs the memory of one process."
        ),
    )
    timeout: Seconds = time(
        300,
        0.1,
        86400,
        "The longest one call may take, waiting and retries included. Longer than clients wait by "
        "default, so theirs decides; "
        "a plain number of 1000 or more is taken as milliseconds, as other clients write it.",
    )
    start_timeout: Seconds = time(
        60,
        0.1,
        3600,
        "Time for a server to start and introduce itself; the first run of npx or uvx downloads.",
    )
    connect_timeout: Seconds = time(
        5, 0.1, 600, "Time for name lookup, TCP and TLS of one connection to an HTTP server."
    )
    reach: Literal["any", "public"] = Field(
        default="any",
        description=(
            "Where the name in its URL may lead, judged as it is connected to: `public` is the "
            "public internet alone. With `any` it may be anywhere but where clouds hand out "
            "credentials; an address written in the URL is taken as it is."
        ),
    )
    stop_grace: Seconds = time(
        3,
        0,
        600,
        "Time between asking a child to end (closed stdin, SIGTERM) and ending it (SIGKILL).",
    )
    allow_unsafe_env: bool = Field(
        default=False,
        description=(
            "Let `env` set variables that change what code a program runs (LD_PRELOAD, "
            "NODE_OPTIONS, PYTHONPATH and the like); refused otherwise."
        ),
    )
    sandbox: Annotated[SandboxSettings, BeforeValidator(sandbox_of)] = Field(
        default=SandboxSettings(),
        description=(
            "What a stdio server may touch on this machine: `off`, `standard`, `strict`, or an "
            "object."
        ),
    )
    limits: ServerLimits = Field(default=ServerLimits(), description="Bounds on this server.")
    rate: RateSettings = Field(
        default=RateSettings(), description="How often this server may be asked; off by default."
    )
    retry: RetrySettings = Field(
        default=RetrySettings(), description="What is sent again when it failed."
    )
    breaker: BreakerSettings = Field(
        default=BreakerSettings(), description="When this server is not asked for a while."
    )
    crash_loop: CrashLoopSettings = Field(
        default=CrashLoopSettings(),
        description="When this server's program dies so often that it is left alone for longer.",
    )
    ejection: EjectionSettings = Field(
        default=EjectionSettings(),
        description="When one of its replicas (`urls`) is left out for a while.",
    )
    hedge: HedgeSettings = Field(
        default=HedgeSettings(),
        description="What is asked a second time because the first answer is late; off by default.",
    )
    cache: ServerCache = Field(
        default=ServerCache(), description="Which of its answers are kept and given again."
    )
    pins: Pins | None = SERVER_PINS
    results: ResultsSettings = Field(
        default=ResultsSettings(),
        description="As `lockgate.results`, for this server alone, key by key.",
    )
    guard: GuardSettings = Field(
        default=GuardSettings(),
        description="What passes between clients and this server; wins over `lockgate.guard`.",
    )
    tools: dict[str, ToolSettings] = Field(
        default={},
        max_length=1000,
        description=(
            "Settings for tools by shell-style patterns on the server's own names for them; the "
            "first that matches counts. A list is taken for another client's."
        ),
    )

    @field_validator("forward_headers")
    @classmethod
    def _check_forwarded(cls, value: dict[str, str]) -> dict[str, str]:
        return forwarded(value)

    @field_validator("claim_headers")
    @classmethod
    def _check_mapped(cls, value: dict[str, str]) -> dict[str, str]:
        return mapped(value)

    @model_validator(mode="after")
    def _check_shown(self) -> ServerConfig:
        passed = bool(self.forward_headers or self.claim_headers)
        if self.transport == "stdio" and (self.auth or passed):
            raise ValueError("a stdio server gets its credentials in `env`: it sees no headers")
        each = passed or (self.auth is not None and not self.auth.alike)
        if self.transport == "websocket" and each:
            raise ValueError("a WebSocket serves all callers, so it cannot have one's credential")
        if self.auth is not None and any(one.lower() == "authorization" for one in self.headers):
            raise ValueError("`auth` and a header Authorization exclude each other")
        return self

    @property
    def transport(self) -> Literal["stdio", "http", "sse", "websocket"]:
        """Which transport the server speaks; `http` may turn out to be the older `sse`."""
        if self.command is not None:
            return "stdio"
        if (self.url or "").lower().startswith(WEBSOCKET_SCHEMES):
            return "websocket"
        return "sse" if self.type == "sse" else "http"

    @property
    def addresses(self) -> list[str]:
        """The URLs of a server reached over the network."""
        return self.urls if self.url is None else [self.url]

    def plain_env(self) -> dict[str, str]:
        """The environment with its secrets readable; for starting the child only."""
        return {name: value.get_secret_value() for name, value in self.env.items()}

    def plain_headers(self) -> dict[str, str]:
        """The headers with their secrets readable; for sending them only."""
        return {name: value.get_secret_value() for name, value in self.headers.items()}


class Config(Section):
    """Everything: the servers by name, and the gateway's own settings under `lockgate`."""

    servers: dict[str, ServerConfig] = Field(
        default={}, description="The servers by name; in files also spelled `mcpServers`."
    )
    lockgate: GatewaySettings = Field(
        default=GatewaySettings(), description="The gateway's own settings."
    )
    _secrets: frozenset[str] = PrivateAttr(default=frozenset())
    _lock_file: Path | None = PrivateAttr(default=None)
    _identities: Mapping[str, Mapping[str, Any]] = PrivateAttr(default={})

    @model_validator(mode="after")
    def _settle_sandboxes(self) -> Config:
        """What `lockgate.sandbox` says holds for every server that does not say otherwise."""
        general = self.lockgate.sandbox
        for name, server in self.servers.items():
            settled = server.sandbox.over(general)
            self.servers[name] = server.model_copy(update={"sandbox": settled})
        return self

    @property
    def enabled(self) -> dict[str, ServerConfig]:
        """The servers that are not disabled, in the order of the file."""
        return {name: server for name, server in self.servers.items() if not server.disabled}

    @property
    def naming(self) -> Literal["bare", "prefix"]:
        """How names are spelled: `lockgate.naming` with `auto` decided."""
        if self.lockgate.naming == "auto":
            return "bare" if len(self.enabled) == 1 else "prefix"
        return self.lockgate.naming

    @property
    def identifies(self) -> bool:
        """Whether nobody can ask at any endpoint without being known."""
        settings = self.lockgate
        default = {} if settings.path in settings.endpoints else {settings.path: settings.auth}
        others = {
            path: one.auth or settings.auth
            for path, one in settings.endpoints.items()
            if not one.disabled
        }
        # The tokens of the gateway's own authorization server are demanded everywhere.
        if settings.facade is not None:
            return True
        return all(auth.asks for auth in {**default, **others}.values())

    @property
    def secrets(self) -> frozenset[str]:
        """Values that must not be written anywhere: a last line of defence for logs."""
        return self._secrets

    def with_settings(self, **changes: object) -> Config:
        """A copy with these keys of `lockgate` replaced (by command-line options).

        Raises pydantic.ValidationError when a value is out of bounds.
        """
        settings = GatewaySettings.model_validate({**self.lockgate.__dict__, **changes})
        return self.model_copy(update={"lockgate": settings})

    @property
    def lock_file(self) -> Path | None:
        """Where what was approved of the servers is kept; None: this came from no file."""
        return self._lock_file

    def identity(self, server: str) -> Mapping[str, Any]:
        """Who a server is: what is started for it or connected to, without secrets."""
        return self._identities.get(server) or identity_of(self.servers[server])

    def compact(self, endpoint: str) -> CompactSettings:
        """What models are shown at an endpoint, in fewer tokens."""
        one = self.lockgate.endpoints.get(endpoint)
        return (one and one.compact) or self.lockgate.compact

    def pins(self, server: str) -> Pins:
        """How a server is held to what was approved of it."""
        return self.servers[server].pins or self.lockgate.pins

    def placed(self, lock_file: Path, identities: Mapping[str, Mapping[str, Any]]) -> Config:
        """A copy that knows where its lock file is, and who the servers are as the file has it."""
        copy = self.model_copy()
        copy._lock_file, copy._identities = lock_file, identities  # noqa: SLF001 - as below
        return copy

    def with_secrets(self, secrets: frozenset[str]) -> Config:
        """A copy that knows which values must not be written anywhere."""
        copy = self.model_copy()
        copy._secrets = secrets  # noqa: SLF001 - a new object of this very class
        return copy
