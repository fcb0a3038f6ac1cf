"""What each endpoint shows, whoever asks; from configuration.

Must not know: rules about callers, fronts, how lists are made.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from lockgate.config.endpoints import NOT, EndpointSettings
from lockgate.config.model import Config
from lockgate.core.message import Call, Failure, Kind
from lockgate.core.names import Naming
from lockgate.core.sight import Everything, Sight, SightOf
from lockgate.core.targets import Words, divided, readings

_AS_EVERYWHERE: Final = EndpointSettings()
_NOTHING: Final = Everything(servers=())


class _Selection:
    """The patterns for one kind of thing."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._take = [divided(one) for one in patterns if not one.startswith(NOT)]
        self._leave = [divided(one[1:]) for one in patterns if one.startswith(NOT)]
        self._by_server: dict[str, tuple[Words, Words]] = {}

    def of(self, server: str) -> tuple[Words, Words]:
        """What is taken of a server, and what of that is left out again."""
        found = self._by_server.get(server)
        if found is None:
            take = [one.name for one in self._take if server in Words([one.server])]
            leave = [one.name for one in self._leave if server in Words([one.server])]
            # Nothing but what is left out means: all the rest.
            found = Words(take if self._take else ["*"]), Words(leave)
            self._by_server[server] = found
        return found

    def named(self, server: str, name: str) -> bool:
        take, leave = self.of(server)
        return name in take and name not in leave

    def located(self, server: str, uri: str) -> bool:
        """As `named`, in whichever way the server may read the URI."""
        take, leave = self.of(server)
        if take.everything and not leave.patterns:
            return True
        read = readings(uri)
        return bool(read) and all(one in take and one not in leave for one in read)


class EndpointSight(msgspec.Struct, frozen=True, eq=False):
    """The sight everybody has at one endpoint."""

    endpoint: str
    servers: tuple[str, ...]
    naming: Naming
    page_size: int
    instructions: str | None
    selections: Mapping[str, _Selection]
    personal: bool = False

    @property
    def key(self) -> Hashable:
        """See `Sight.key`."""
        return self.endpoint

    @property
    def whole(self) -> bool:
        """See `Sight.whole`."""
        return not self.selections

    def shows(self, server: str, kind: Kind, name: str, /) -> bool:
        """See `Sight.shows`."""
        if server not in self.servers:
            return False
        selection = self.selections.get("resource" if kind == "template" else kind)
        if selection is None:
            return True
        if kind == "resource":
            return selection.located(server, name)
        return selection.named(server, name)

    def judge(self, call: Call, /) -> Failure | None:
        """See `Sight.judge`; whatever can be seen here may be used."""
        del call


def endpoints_of(config: Config) -> dict[str, EndpointSettings]:
    """Every path that is served, in the order of the file; `lockgate.path` comes first."""
    settings = config.lockgate
    every = {settings.path: _AS_EVERYWHERE, **settings.endpoints}
    return {path: one for path, one in every.items() if not one.disabled}


def sse_path_of(config: Config, path: str) -> str:
    """Where clients of revision 2024-11-05 open their streams to an endpoint."""
    return config.lockgate.sse_path if path == config.lockgate.path else f"{path}/sse"


def endpoint_sights(config: Config) -> SightOf | None:
    """The sights of endpoints; None where there is one that shows everything."""
    if not config.lockgate.endpoints:
        return None
    table: dict[str, Sight] = {
        path: _sight(path, one, config) for path, one in endpoints_of(config).items()
    }
    return partial(_of, table)


def _of(table: Mapping[str, Sight], call: Call) -> Sight:
    return table.get(call.facts.get("endpoint", ""), _NOTHING)


def _sight(path: str, one: EndpointSettings, config: Config) -> EndpointSight:
    servers = servers_at(config, path)
    selections: dict[str, Any] = {
        kind: _Selection(patterns)
        for kind, patterns in (
            ("tool", one.tools),
            ("prompt", one.prompts),
            ("resource", one.resources),
        )
        if patterns
    }
    return EndpointSight(
        endpoint=path,
        servers=servers,
        naming=naming_of(one, config, servers),
        page_size=one.page_size or config.lockgate.page_size,
        instructions=one.instructions,
        selections=selections,
    )


def servers_at(config: Config, path: str) -> tuple[str, ...]:
    """The servers that can be seen at an endpoint, in the order of the file."""
    named = config.lockgate.endpoints.get(path, _AS_EVERYWHERE).servers
    return tuple(name for name in config.enabled if named is None or name in named)


def naming_of(one: EndpointSettings, config: Config, servers: Sequence[str]) -> Naming:
    """How names are spelled at an endpoint that shows these servers."""
    if one.naming is None:
        return config.naming
    if one.naming == "auto":
        return "bare" if len(servers) == 1 else "prefix"
    return one.naming
