"""From the shapes clients write to the one shape of the model: which keys mean what.

Must not know: JSON or YAML, the environment, bounds of values. Works on nodes, so that whatever the
model says later can still be shown at its place in the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from lockgate.config.finding import Findings
from lockgate.config.keys import (
    ALIASES,
    CLIENT_FILES,
    CLIENT_SERVER_KEYS,
    CLIENT_TOP_KEYS,
    SERVER_KEYS,
    SERVER_MAPS,
    TOP_KEYS,
    TYPES,
)
from lockgate.config.nodes import Node
from lockgate.core.names import nearest

MILLISECONDS_FROM: Final = 1000


def recognise(root: Node, findings: Findings) -> Node | None:
    """The tree in the model's shape (`servers`, `lockgate`), or None when it has no servers."""
    if not isinstance(root.value, dict):
        findings.add(
            "invalid-value",
            f"The file holds {root.kind} where an object is needed.",
            'Write {"mcpServers": {…}}.',
            root.at,
        )
        return None
    _top_keys(root, findings)
    servers = _servers(root, findings)
    if servers is None:
        return None
    members = {"servers": servers}
    if "lockgate" in root.members:
        members["lockgate"] = root.members["lockgate"]
    return root.with_members(members)


def _top_keys(root: Node, findings: Findings) -> None:
    client = CLIENT_FILES.get(findings.file.name)
    for key, node in root.members.items():
        if key in TOP_KEYS:
            continue
        owner = CLIENT_TOP_KEYS.get(key)
        if owner is None and client is None:
            unknown(key, node, [*TOP_KEYS, *CLIENT_TOP_KEYS], "the file", findings)
    foreign = [key for key in root.members if key not in TOP_KEYS and key != "$schema"]
    foreign = [key for key in foreign if client or key in CLIENT_TOP_KEYS]
    if foreign:
        shown = ", ".join(foreign[:5]) + (f" and {len(foreign) - 5} more" * (len(foreign) > 5))
        owners = client or ", ".join(dict.fromkeys(CLIENT_TOP_KEYS[key] for key in foreign))
        findings.add(
            "client-key",
            f"Keys of {owners} at the top level are ignored: {shown}.",
            "Nothing to do.",
            root.members[foreign[0]].key_at,
        )


def unknown(key: str, node: Node, known: Iterable[str], where: str, findings: Findings) -> None:
    """Note a key nobody knows, with the nearest one that somebody does."""
    guess = nearest(key, known)
    findings.add(
        "unknown-key",
        f"The key {key!r} of {where} is not known.",
        f"Did you mean {guess!r}?" if guess else "Remove it, or see `lockgate config schema`.",
        node.key_at,
    )


def _servers(root: Node, findings: Findings) -> Node | None:
    found = [key for key in SERVER_MAPS if key in root.members]
    if not found:
        guess = nearest("mcpServers", root.members)
        findings.add(
            "no-servers",
            "The file has neither `mcpServers` nor `servers`.",
            f"Rename {guess!r} to `mcpServers`." if guess else 'Write {"mcpServers": {…}}.',
            root.at,
        )
        return None
    if len(found) == len(SERVER_MAPS):
        findings.add(
            "invalid-value",
            "The file has both `mcpServers` and `servers`.",
            "Put all servers under one of them.",
            root.members[found[1]].key_at,
        )
    node = root.members[found[0]]
    if not isinstance(node.value, dict):
        findings.add(
            "invalid-value",
            f"`{found[0]}` is {node.kind} where an object of servers by name is needed.",
            f'Write "{found[0]}": {{"name": {{"command": …}}}}.',
            node.at,
        )
        return None
    return node.with_members(
        {name: _server(name, server, findings) for name, server in node.members.items()}
    )


def _server(name: str, node: Node, findings: Findings) -> Node:
    members: dict[str, Node] = {}
    ignored: list[str] = []
    for key, value in node.members.items():
        target = ALIASES.get(key, key)
        if target == "enabled" and isinstance(value.value, bool):
            members["disabled"] = replace(value, value=not value.value)
        elif target in SERVER_KEYS and not _of_another(key, value):
            members[target] = _converted(name, target, value, findings)
        elif key in CLIENT_SERVER_KEYS:
            ignored.append(key)
        else:
            findings.misspelt.add(name)
            unknown(key, value, [*SERVER_KEYS, *ALIASES], f"server {name!r}", findings)
    if ignored:
        owners = ", ".join(dict.fromkeys(CLIENT_SERVER_KEYS[key] for key in ignored))
        findings.add(
            "client-key",
            f"Keys of {owners} in server {name!r} are ignored: {', '.join(ignored)}.",
            "Nothing to do.",
            node.members[ignored[0]].key_at,
        )
    return node.with_members(members) if isinstance(node.value, dict) else node


def _of_another(key: str, node: Node) -> bool:
    """Whether a key that we have too is written as another client writes it."""
    if key == "tools":
        return isinstance(node.value, list)
    if key == "sandbox":
        network = node.members.get("network")
        return "filesystem" in node.members or (network is not None and bool(network.members))
    return False


def _converted(name: str, key: str, node: Node, findings: Findings) -> Node:
    if key == "type" and node.text in TYPES:
        return replace(node, value=TYPES[node.text])
    if key in ("env", "headers"):
        return (
            node.with_members({k: _as_text(v) for k, v in node.members.items()})
            if isinstance(node.value, dict)
            else node
        )
    if key == "args":
        return (
            replace(node, value=[_as_text(item) for item in node.items])
            if isinstance(node.value, list)
            else node
        )
    if key == "timeout":
        return _timeout(name, node, findings)
    return node


def _as_text(node: Node) -> Node:
    """A number or a truth value as the text the file has for it: what a child would be given."""
    if isinstance(node.value, bool | int | float) and node.spelled is not None:
        return replace(node, value=node.spelled, spelled=None)
    return node


def _timeout(name: str, node: Node, findings: Findings) -> Node:
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int | float) or value < MILLISECONDS_FROM:
        return node
    findings.add(
        "milliseconds",
        f"`timeout: {value:g}` of server {name!r} is taken as {value / 1000:g} seconds.",
        f'Write "{value / 1000:g}s", or "{value:g}s" if you did mean seconds.',
        node.at,
    )
    return replace(node, value=value / 1000)


def disabled(server: Node) -> bool:
    """Whether a server is switched off: nothing in it is then expanded or checked."""
    node = server.members.get("disabled")
    return node is not None and node.value is True
