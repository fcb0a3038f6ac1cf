"""The configuration of a gateway, read for one server that runs in this very process.

Must not know: what the server is made with, which settings can hold for it.

The entry of that server says what holds for it, whatever it says of how a gateway reaches it; it
may say nothing at all. Other servers of the file are another gateway's: their names are known, so
that rules may name them, and nothing else of them is read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from lockgate.config import dialect, jsonc
from lockgate.config.finding import Findings
from lockgate.config.keys import SERVER_MAPS
from lockgate.config.load import read, settle
from lockgate.config.model import Config
from lockgate.config.nodes import Node
from lockgate.config.pins import lock_file
from lockgate.errors import ConfigError

Given = str | Path | Mapping[str, Any] | None
URL: Final = "http://localhost:8000"
"""What requests to a server in this process are addressed to, before its path."""
INLINE: Final = "configuration"
"""What the file of a configuration is called that comes from none."""
_REACHED: Final = frozenset(
    {"command", "args", "env", "envFile", "cwd", "allow_unsafe_env", "sandbox"}
    | {"url", "urls", "type", "connect_timeout", "reach", "disabled", "auth", "isolation"}
    | {"idle_stop", "spare", "crash_loop", "ejection"}
)
"""Keys about how a gateway gets at the server, and about its process. What they ask for that cannot
be had here has been judged before."""
_NOWHERE: Final = (0, 0)


class Hosted:
    """A configuration that was given, before it is about any server."""

    def __init__(self, given: Given) -> None:
        """`given` is a file, what a file would hold, or None for all defaults.

        Raises:
            ConfigError: the file cannot be read, or is none of a gateway.
        """
        file = Path(given) if isinstance(given, str | Path) else None
        self.inline = file is None
        self.findings = Findings(file or Path(INLINE))
        if isinstance(given, str | Path):
            root = read(self.findings.file, self.findings)
        else:
            root = jsonc.parse(_written(given or {}), self.findings)
        if root is not None and isinstance(root.value, dict):
            root = _with_servers(root)
        tree = None if root is None else dialect.recognise(root, self.findings)
        if tree is None or self.findings.fatal:
            raise ConfigError(self.findings.ordered())
        self.tree = tree

    @property
    def servers(self) -> Mapping[str, Node]:
        """The entries of the configuration, by name."""
        return self.tree.members["servers"].members

    @property
    def settings(self) -> Node | None:
        """The part `lockgate`."""
        return self.tree.members.get("lockgate")

    def settled(
        self, name: str, path: str, identity: Mapping[str, Any], environ: Mapping[str, str]
    ) -> Config:
        """The configuration of a gateway with this server alone, at this path of its own.

        Where nothing was approved of the server, and nothing is said of approvals, none are
        needed: its definitions are the program's own.

        Raises:
            ConfigError: it has errors; carries all findings.
        """
        servers = self.tree.members["servers"]
        own = servers.members.get(name) or Node({}, servers.at)
        at = own.key_at or own.at
        members = {key: one for key, one in own.members.items() if key not in _REACHED}
        members["url"] = Node(URL + path, at)
        if not self._approves(members):
            members["pins"] = Node("off", at)
        elsewhere = Node({"url": Node(f"{URL}/elsewhere", _NOWHERE)}, _NOWHERE, _NOWHERE)
        every = dict.fromkeys(servers.members, elsewhere)
        every[name] = replace(own, value=members, key_at=at)
        shaped = self.tree.with_members(
            {**self.tree.members, "servers": servers.with_members(every)}
        )
        config = settle(shaped, environ, self.findings).config
        if config is None:
            raise ConfigError(self.findings.ordered())
        alone = config.model_copy(update={"servers": {name: config.servers[name]}})
        located = config.lock_file
        return alone if located is None else alone.placed(located, {name: identity})

    def _approves(self, own: Mapping[str, Node]) -> bool:
        general = {} if self.settings is None else self.settings.members
        if "pins" in own or "pins" in general or "pins_file" in general:
            return True
        folder = self.findings.file.absolute().parent
        return not self.inline and lock_file(None, folder).is_file()


def _with_servers(root: Node) -> Node:
    """The file with an empty object of servers, if it has none: one server needs no entry."""
    if any(key in root.members for key in SERVER_MAPS):
        return root
    return root.with_members({**root.members, "servers": Node({}, root.at)})


def _written(given: Mapping[str, Any]) -> str:
    return json.dumps(given, indent=2, default=_plain)


def _plain(value: object) -> object:
    """A path as its text; everything else is for the reader to refuse."""
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"a configuration holds JSON values, not {type(value).__name__}")
