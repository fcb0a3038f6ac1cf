"""Which settings cannot hold for a server in its own process, and what to do about each. A table.

Must not know: how anything is served, what a setting does elsewhere.

A policy that is configured and not enforced is worse than none, because people count on it: what
is in this table and in the configuration stops the start, unless it is named in `elsewhere` by
somebody who knows what else sees to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final, Literal, NamedTuple

from lockgate.config.hosted import Hosted
from lockgate.config.nodes import Node
from lockgate.errors import HostError, PolicyUncovered

Way = Literal["asgi", "http", "stdio"]
"""How clients reach the server: through the web server of an application, through Lockgate's own,
or on standard input and output."""

_ALWAYS: Final[frozenset[Way]] = frozenset(("asgi", "http", "stdio"))
_ASGI: Final[frozenset[Way]] = frozenset(("asgi",))
_STDIO: Final[frozenset[Way]] = frozenset(("stdio",))
_PROCESS: Final = "it runs in this very process, which is not Lockgate's to bound"
_ONE: Final = "there is one of it, in this very process"
_NO_SOCKET: Final = "no connection leads to it"
_SERVER: Final = "connections are those of the web server around the application"
_PIPE: Final = "a client on standard input and output shows nobody's credentials"


class Row(NamedTuple):
    """One setting.

    key   below the server's entry, or from `lockgate` on.
    ways  of being reached for which it cannot hold.
    why   as the end of a sentence about the server.
    """

    key: str
    ways: frozenset[Way]
    why: str


ROWS: Final = (
    Row("sandbox", _ALWAYS, _PROCESS),
    Row("limits.memory_bytes", _ALWAYS, _PROCESS),
    Row("limits.open_files", _ALWAYS, _PROCESS),
    Row("limits.processes", _ALWAYS, _ONE),
    Row("isolation", _ALWAYS, _ONE),
    Row("idle_stop", _ALWAYS, _ONE),
    Row("spare", _ALWAYS, _ONE),
    Row("crash_loop", _ALWAYS, _ONE),
    Row("urls", _ALWAYS, _ONE),
    Row("ejection", _ALWAYS, _ONE),
    Row("auth", _ALWAYS, "nobody has to be let in to their own process"),
    Row("limits.connections", _ALWAYS, _NO_SOCKET),
    Row("limits.streams", _ALWAYS, _NO_SOCKET),
    Row("lockgate.tls", _ASGI, _SERVER),
    Row("lockgate.limits.connections", _ASGI, _SERVER),
    Row("lockgate.limits.header_count", _ASGI, _SERVER),
    Row("lockgate.limits.header_bytes", _ASGI, _SERVER),
    Row("lockgate.limits.target_bytes", _ASGI, _SERVER),
    Row("lockgate.limits.header_timeout", _ASGI, _SERVER),
    Row("lockgate.limits.body_timeout", _ASGI, _SERVER),
    Row("lockgate.limits.idle_timeout", _ASGI, _SERVER),
    Row("lockgate.limits.write_timeout", _ASGI, _SERVER),
    Row("lockgate.auth", _STDIO, _PIPE),
    Row("lockgate.facade", _STDIO, _PIPE),
)
_KEYS: Final = frozenset(row.key for row in ROWS)
_HARMLESS: Final = {"isolation": "shared", "spare": False, "sandbox": "off"}
"""Values that ask for nothing."""


class Coverage:
    """What of a configuration cannot hold, for one server."""

    def __init__(self, hosted: Hosted, server: str, elsewhere: Collection[str]) -> None:
        """`elsewhere` has the keys of policies that something else enforces.

        Raises:
            HostError: one of them is no key of the table.
        """
        unknown = sorted(set(elsewhere) - _KEYS)
        if unknown:
            raise HostError(
                f"`elsewhere` names {unknown[0]!r}, which is no setting that needs it.",
                f"It may name: {', '.join(sorted(_KEYS))}.",
                reason="host-uncovered",
            )
        self._hosted = hosted
        self._server = server
        self._elsewhere = frozenset(elsewhere)

    def check(self, way: Way | None) -> None:
        """Refuse what cannot hold for a server reached in this way; None: in any way.

        Raises:
            PolicyUncovered: there are such settings; all of them are named.
        """
        found = [row for row in self._uncovered(way) if row.key not in self._elsewhere]
        if not found:
            return
        named = "; ".join(f"`{row.key}`: {row.why}" for row in found)
        keys = [row.key for row in found]
        raise PolicyUncovered(
            f"What is configured cannot hold for the server {self._server!r} here. {named}.",
            f"Take {'it' if len(keys) == 1 else 'them'} out, or say what else sees to "
            f"{'it' if len(keys) == 1 else 'them'} with elsewhere={keys!r}."
            + (
                " With run('http') Lockgate listens itself, and all of them hold." * (way == "asgi")
            ),
            keys,
        )

    def _uncovered(self, way: Way | None) -> Iterator[Row]:
        for row in ROWS:
            asked = row.ways == _ALWAYS if way is None else way in row.ways
            if asked and self._configured(row.key):
                yield row

    def _configured(self, key: str) -> bool:
        if key == "sandbox":
            return self._sandboxed()
        if key.startswith("lockgate."):
            node = self._find(self._hosted.settings, key.split(".")[1:])
        else:
            node = self._find(self._hosted.servers.get(self._server), key.split("."))
        return _asks(key, node)

    def _sandboxed(self) -> bool:
        """What holds for all servers holds for this one, unless its entry says otherwise."""
        own = self._find(self._hosted.servers.get(self._server), ["sandbox"])
        node = own or self._find(self._hosted.settings, ["sandbox"])
        level = None if node is None else node.members.get("level", node)
        return level is not None and level.value not in ("off", None)

    @staticmethod
    def _find(node: Node | None, path: list[str]) -> Node | None:
        return None if node is None else node.find(path)


def _asks(key: str, node: Node | None) -> bool:
    """Whether a setting was written, and asks for something."""
    if node is None or node.value is None:
        return False
    if isinstance(node.value, dict | list):
        return bool(node.value)
    return node.value != _HARMLESS.get(key)
