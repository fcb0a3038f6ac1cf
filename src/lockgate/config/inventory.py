"""Which servers the MCP clients of a machine reach, and which of them past the gateway.

Must not know: the terminal, the network. Reads clients' files; theirs are never changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from lockgate.config.clients import Source
from lockgate.config.foreign import Entry, entries
from lockgate.config.gather import content_of, is_lockgate, placed
from lockgate.config.model import Config

Way = Literal["gateway", "past", "unreadable"]
LOOPBACK = re.compile(r"localhost|127(\.\d+){3}|::1", re.IGNORECASE)
_PORTS: Mapping[str, int] = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One server of one client, or a file that nobody can read.

    way     `gateway` if the client reaches it through Lockgate, `past` if it does not.
    server  its name in the client's file; None when the line is about the file.
    where   its program or address, without arguments and whatever else may be secret.
    known   what the gateway calls the same server, if it has it.
    """

    client: str
    path: str
    way: Way
    server: str | None = None
    where: str | None = None
    known: str | None = None
    detail: str | None = None


def inventory(sources: Iterable[Source], config: Config | None) -> list[Found]:
    """Everything that the clients have configured, in the order of the sources.

    `config` is the gateway's, by which its addresses and its servers are known.
    """
    found: list[Found] = []
    for source in sources:
        if not source.path.is_file():
            continue
        content, why = content_of(source.path)
        if why is not None:
            found.append(_found(source, "unreadable", detail=why))
            continue
        for name, entry in entries(source.shape, content):
            through = is_lockgate(entry) or (config is not None and _ours(entry, config))
            known = None if config is None or through else _same(placed(entry, source), config)
            way: Way = "gateway" if through else "past"
            found.append(_found(source, way, server=name, where=_where(entry), known=known))
    return found


def _found(source: Source, way: Way, **more: Any) -> Found:
    return Found(client=source.client, path=str(source.path), way=way, **more)


def _where(entry: Entry) -> str:
    url = entry.get("url")
    if isinstance(url, str):
        split = urlsplit(url)
        return f"{split.scheme}://{split.hostname or ''}{f':{split.port}' if split.port else ''}"
    return str(entry.get("command", "?"))


def _ours(entry: Entry, config: Config) -> bool:
    """Whether the address is one that the gateway of this configuration serves."""
    url = entry.get("url")
    if not isinstance(url, str):
        return False
    settings = config.lockgate
    paths = {settings.path, settings.sse_path, *settings.endpoints}
    place = _place(url)
    bases = [settings.public_url] if settings.public_url else []
    bases += [f"http://{host}:{settings.port}" for host in (settings.host, "127.0.0.1")]
    return any(place == _place(f"{base}{path}") for base in bases for path in paths)


def _place(url: str) -> tuple[str, int | None, str]:
    """Host, port and path, however they are spelled; every name of this machine is one."""
    split = urlsplit(url)
    host = (split.hostname or "").lower()
    host = "localhost" if LOOPBACK.fullmatch(host) else host
    return host, split.port or _PORTS.get(split.scheme), split.path.rstrip("/")


def _same(entry: Entry, config: Config) -> str | None:
    for name, server in config.servers.items():
        if server.command is not None:
            same = (entry.get("command"), entry.get("args", [])) == (server.command, server.args)
        else:
            url = entry.get("url")
            same = isinstance(url, str) and _place(url) in map(_place, server.addresses)
        if same:
            return name
    return None
