"""What is wrong with a configuration that the model alone cannot see.

Must not know: how files are parsed, what the gateway does. Each rule is one function; `review` runs
them all, so that everything is reported at once.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from lockgate.config.access_check import review_access
from lockgate.config.endpoints_check import review_endpoints
from lockgate.config.finding import Findings
from lockgate.config.flows_check import review_flows
from lockgate.config.model import SERVER_NAME, Config, ServerConfig
from lockgate.config.nodes import Node, Position
from lockgate.config.results_check import review_results
from lockgate.config.secrets import looks_secret, secret_name
from lockgate.core.names import confusable, spell
from lockgate.core.programs import INSTALL, changes_code
from lockgate.wire.url import BadUrl, parse_url

_name: Final = re.compile(SERVER_NAME)
_header_name: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_variable_name: Final = re.compile(r"[^=\x00]+\Z")
_OWN_HEADERS: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "content-type", "accept"}
    | {"mcp-session-id", "mcp-protocol-version", "mcp-method", "mcp-name", "te", "upgrade"}
)
_SCHEMES: Final = ("http", "https", "ws", "wss")
_EVERYWHERE: Final = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not listened on
_STDIO_ONLY: Final = (
    *("args", "env", "cwd", "envFile", "idle_stop", "spare", "allow_unsafe_env", "sandbox"),
)
_HTTP_ONLY: Final = ("headers", "connect_timeout")


def loopback(host: str) -> bool:
    """Whether an address to listen on or to reach is this machine only."""
    name = host.strip("[]").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def review(config: Config, tree: Node, environ: Mapping[str, str], findings: Findings) -> None:
    """Note everything the rules below find."""
    servers = tree.members["servers"]
    if not config.enabled and not findings.fatal:
        findings.add("empty", "No server is enabled.", "Add or enable one.", servers.at)
    _names(config, servers, findings)
    for name, server in config.enabled.items():
        node = servers.members[name]
        _Rules(name, server, node, findings).run(environ)
    if not findings.incomplete:
        review_endpoints(config, tree, findings)
        review_access(config, tree, findings, [config.lockgate.path, *config.lockgate.endpoints])
        review_flows(config, tree, findings)
        review_results(config, tree, findings)
        _bind(config, tree, findings)
    _readable(config, tree, findings)


def _names(config: Config, servers: Node, findings: Findings) -> None:
    seen: dict[str, str] = {}
    for name in config.enabled:
        at = servers.members[name].key_at
        if not _name.match(name):
            findings.add(
                "server-name",
                f"The server name {name[:60]!r} is empty, too long or has control characters.",
                "Use up to 128 characters, best letters, digits, - and _.",
                at,
            )
        key = confusable(spell(name, "", "prefix"))
        if key in seen and config.naming == "prefix":
            findings.add(
                "server-name",
                f"The servers {seen[key]!r} and {name!r} would both be called "
                f"{spell(name, '', 'prefix')[:-2]!r} in tool names.",
                "Rename one of them.",
                at,
            )
        seen[key] = name


class _Rules:
    """The rules for one enabled server."""

    def __init__(self, name: str, server: ServerConfig, node: Node, findings: Findings) -> None:
        self.name = name
        self.server = server
        self.node = node
        self.findings = findings

    def run(self, environ: Mapping[str, str]) -> None:
        """Every rule that concerns the server's transport."""
        if not self.shape():
            return
        if self.server.command is not None:
            self.command(environ)
            self.directory()
            self.environment()
        else:
            self.url()
            self.headers()

    def at(self, *path: str | int) -> Position:
        """Where a key of the server stands; the server itself when it is not written."""
        position, whole = self.node.locate(path)
        return position if whole or not self.node.key_at else self.node.key_at

    def note(self, kind: str, summary: str, remedy: str, *path: str | int) -> None:
        """Note a finding about this server."""
        self.findings.add(kind, f"Server {self.name!r}: {summary}", remedy, self.at(*path))

    @property
    def way(self) -> str:
        """The key that says how the server is reached."""
        if self.server.command is not None:
            return "command"
        return "url" if self.server.url is not None else "urls"

    def one_way(self) -> bool:
        """There is exactly one of `command`, `url` and `urls`."""
        server = self.server
        given = {"command": server.command, "url": server.url, "urls": server.urls or None}
        found = [key for key, value in given.items() if value is not None]
        if len(found) == 1:
            return True
        if not found and self.name in self.findings.misspelt:
            return False
        empty = "urls" in self.node.members and not server.urls
        all_ = "both" if len(found) == 2 else "all of"
        what = f"has {all_} " + " and ".join(f"`{key}`" for key in found)
        if not found:
            what = "has an empty `urls`" if empty else "has neither `command` nor `url`"
        self.note(
            "server-shape",
            f"it {what}.",
            "Give it `command` for a local program, `url` for a server on the network, or `urls` "
            "for replicas of one.",
            *(["urls"] if empty else []),
        )
        return False

    def shape(self) -> bool:
        """One of `command`, `url` and `urls`, a `type` that fits, no keys of other transports."""
        if not self.one_way():
            return False
        transport = self.server.transport
        type_ = self.server.type
        if type_ not in (None, transport):
            self.note(
                "server-shape",
                f"`type: {type_}` does not fit `{self.way}`.",
                f"Write `type: {transport}`, or remove it."
                + (" A WebSocket's URL begins with ws:// or wss://." * (type_ == "websocket")),
                "type",
            )
        if transport == "sse" and self.server.era == "modern":
            self.note(
                "server-shape",
                "`era: modern` does not fit `type: sse`, which only older revisions have.",
                "Remove `era`.",
                "era",
            )
        foreign = _HTTP_ONLY if transport == "stdio" else _STDIO_ONLY
        if transport == "sse" and self.server.urls:
            self.note(
                "server-shape",
                "`type: sse` has no replicas: `urls` are for Streamable HTTP.",
                "Remove `type`, or give it one `url`.",
                "type",
            )
        if self.server.urls == [] and "ejection" in self.node.members:
            foreign = (*foreign, "ejection")
        for key in foreign:
            if key in self.node.members and self.node.members[key].value:
                self.note(
                    "server-shape",
                    f"`{key}` means nothing for a server with `{self.way}`.",
                    "Remove it.",
                    key,
                )
        return True

    def command(self, environ: Mapping[str, str]) -> None:
        """The program exists, as far as can be known before it is started."""
        command = self.server.command or ""
        if self.findings.fatal and self.node.members["command"].unresolved:
            return
        env = {key: value.get_secret_value() for key, value in self.server.env.items()}
        search = env.get("PATH") or environ.get("PATH", os.defpath)
        if os.sep in command:
            found = shutil.which(str(self.base() / command))
        else:
            found = shutil.which(command, path=search)
        if found is None and " " in command and shutil.which(command.split()[0], path=search):
            self.note(
                "server-shape",
                f"`command` holds a whole command line: {command.split()[0]!r} and arguments.",
                "Write the program as `command` and the rest as a list in `args`.",
                "command",
            )
        elif found is None:
            path = Path(command) if os.sep not in command else self.base() / command
            self.note("command-missing", *_unfound(command, path), "command")

    def base(self) -> Path:
        """Where a relative command starts from."""
        return self.server.cwd or Path.cwd()

    def directory(self) -> None:
        """`cwd` is a directory."""
        if self.server.cwd is not None and not self.server.cwd.is_dir():
            self.note(
                "path-missing",
                f"the directory {self.server.cwd} does not exist.",
                "Create it, or correct `cwd`.",
                "cwd",
            )

    def environment(self) -> None:
        """No variable changes what code runs, and every name can be one."""
        for name in self.server.env:
            if not _variable_name.match(name):
                self.note(
                    "invalid-value",
                    f"{name!r} cannot be the name of a variable.",
                    "Use letters, digits and _.",
                    "env",
                    name,
                )
            elif changes_code(name) and not self.server.allow_unsafe_env:
                self.note(
                    "unsafe-env",
                    f"the variable {name} can make the program run other code.",
                    "Remove it, or set `allow_unsafe_env: true` on this server if you mean it.",
                    "env",
                    name,
                )

    def url(self) -> None:
        """URLs that can be used, each once."""
        if self.server.url is not None:
            self.one_url(self.server.url, self.node.members["url"], ("url",))
            return
        seen: set[str] = set()
        for number, url in enumerate(self.server.urls):
            path = ("urls", number)
            self.one_url(url, self.node.members["urls"].items[number], path)
            if url.rstrip("/") in seen:
                what = f"`urls.{number}` is there before; one server is no replica of itself."
                self.note("invalid-value", what, "Remove it.", *path)
            seen.add(url.rstrip("/"))

    def one_url(self, url: str, node: Node, path: Sequence[str | int]) -> None:
        """An http or WebSocket URL; headers do not travel in clear to other machines."""
        if self.findings.fatal and node.unresolved:
            return
        written = ".".join(map(str, path))
        try:
            parts = urlsplit(url)
            host, scheme, _ = parts.hostname or "", parts.scheme.lower(), parts.port
        except ValueError:
            host, scheme = "", ""
        if scheme not in _SCHEMES or not host or re.search(r"[\x00-\x20]", url):
            self.note(
                "invalid-value",
                f"`{written}` is no http, https, ws or wss URL.",
                "Write it in full, for example https://example.com/mcp.",
                *path,
            )
            return
        if scheme in ("ws", "wss") and path[0] == "urls":
            self.note(
                "server-shape",
                f"`{written}` is a WebSocket, and replicas are for Streamable HTTP.",
                "Write URLs with https://, or give the server one `url`.",
                *path,
            )
            return
        try:
            parse_url(url)
        except BadUrl as error:
            self.note(
                "invalid-value",
                f"{error}.",
                "Correct it, for example https://example.com/mcp.",
                *path,
            )
        shown = self.server.headers or self.server.auth or self.server.claim_headers
        if scheme in ("http", "ws") and shown and not loopback(host):
            self.note(
                "cleartext",
                f"its headers travel unencrypted to {host}.",
                f"Use {scheme}s, or reach it through a tunnel.",
                *path,
            )

    def headers(self) -> None:
        """Names and values that can be sent, and none that only Lockgate may write."""
        for name, value in self.server.headers.items():
            if not _header_name.match(name) or re.search(r"[\r\n\x00]", value.get_secret_value()):
                self.note(
                    "invalid-value",
                    f"the header {name!r} cannot be sent: its name or value has characters "
                    "HTTP does not allow.",
                    "Correct it; look for a line break at its end.",
                    "headers",
                    name,
                )
            elif name.lower() in _OWN_HEADERS:
                self.note(
                    "invalid-value",
                    f"the header {name} is written by Lockgate itself.",
                    "Remove it.",
                    "headers",
                    name,
                )


def _unfound(command: str, path: Path) -> tuple[str, str]:
    """Why a program cannot be started, and what to do."""
    if os.sep not in command:
        remedy = INSTALL.get(command, "Install it, or write its full path.")
        return f"the program {command!r} is not on PATH.", remedy
    if path.is_dir():
        return f"{command!r} is a directory, not a program.", "Correct `command`."
    if path.exists():
        return (
            f"the file {command!r} may not be executed.",
            "Run chmod +x on it, or name its interpreter as `command` and the file in `args`.",
        )
    return f"there is no program {command!r}.", "Correct `command`, or install the program."


def _bind(config: Config, tree: Node, findings: Findings) -> None:
    _admin(config, tree, findings)
    settings = config.lockgate
    if settings.public_url is None and not loopback(settings.host):
        _audiences(config, tree, findings)
        if settings.facade is not None:
            findings.add(
                "public-url",
                "The authorization server needs an address that clients know it by.",
                "Set `lockgate.public_url`.",
                tree.locate(("lockgate", "facade"))[0],
            )
    if not loopback(settings.host) and not config.identifies:
        findings.add(
            "wide-bind",
            f"`lockgate.host` {config.lockgate.host} is reachable from other machines, and "
            "strangers are let in: `lockgate up` refuses that.",
            "Configure `lockgate.auth`, leave it at 127.0.0.1, or start with --insecure-bind.",
            tree.locate(("lockgate", "host"))[0],
        )


def _admin(config: Config, tree: Node, findings: Findings) -> None:
    admin = config.lockgate.admin
    if admin is not None and admin.token is None and not loopback(admin.host):
        findings.add(
            "admin-open",
            f"`lockgate.admin.host` {admin.host} is reachable from other machines, and whoever "
            "asks there needs no token.",
            "Leave it at 127.0.0.1, or set `token`, best as ${ADMIN_TOKEN}.",
            tree.locate(("lockgate", "admin", "host"))[0],
        )
    if admin is None or not admin.port or admin.port != config.lockgate.port:
        return
    if admin.host == config.lockgate.host or {admin.host, config.lockgate.host} & _EVERYWHERE:
        findings.add(
            "admin-port",
            f"`lockgate.admin` has the port of the gateway itself, {admin.port}.",
            "Give it another one; left out, it is 4041.",
            tree.locate(("lockgate", "admin", "port"))[0],
        )


def _audiences(config: Config, tree: Node, findings: Findings) -> None:
    """Whom tokens are for, where nothing says what clients call the gateway."""
    settings = config.lockgate
    every = [(("lockgate", "auth"), settings.auth)]
    every += [
        (("lockgate", "endpoints", path, "auth"), one.auth)
        for path, one in settings.endpoints.items()
        if one.auth is not None
    ]
    for where, auth in every:
        for place, issuer in enumerate(auth.issuers):
            if not issuer.audience:
                findings.add(
                    "public-url",
                    f"Tokens of {issuer.issuer} have to be meant for this gateway, and nothing "
                    "says what clients call it.",
                    "Set `lockgate.public_url`, or the issuer's `audience`.",
                    tree.locate((*where, "issuers", place))[0],
                )


def _readable(config: Config, tree: Node, findings: Findings) -> None:
    """A secret written out in a file that others can read."""
    if os.name != "posix":
        return
    try:
        mode = findings.file.stat().st_mode
    except OSError:
        return
    if not mode & 0o077:
        return
    for name, server in tree.members["servers"].members.items():
        for key in ("env", "headers"):
            inner = server.members.get(key)
            for variable, node in inner.members.items() if inner else ():
                if node.spelled is None and _is_secret(variable, node.text or ""):
                    findings.add(
                        "readable-secret",
                        f"Server {name!r}: the value of {variable} is written out here, and "
                        "other users of this machine can read the file.",
                        f"Run chmod 600 on it, or write ${{{_variable(variable)}}} instead.",
                        node.at,
                    )
                    return


def _is_secret(name: str, value: str) -> bool:
    return bool(value) and (looks_secret(value) or (secret_name(name) and len(value) >= 8))


def _variable(name: str) -> str:
    return re.sub(r"\W", "_", name).upper()
