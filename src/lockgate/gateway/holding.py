"""What this machine can hold servers to, and what each server of a configuration is held to.

Must not know: how it is shown. Starts no server.
"""

from __future__ import annotations

import shutil
from typing import Final

import msgspec

from lockgate.config.model import Config
from lockgate.gateway.build import upstream_spec
from lockgate.gateway.sandboxes import specs_of
from lockgate.upstreams.launch import unpinned
from lockgate.upstreams.sandbox import numbers as n
from lockgate.upstreams.sandbox.host import Host, this_host
from lockgate.upstreams.sandbox.plan import Lack, achieved, lacking
from lockgate.upstreams.sandbox.spec import LEVELS, Network, SandboxSpec
from lockgate.upstreams.spec import StdioSpec


class Means(msgspec.Struct, frozen=True, kw_only=True):
    """One thing of the system that sandboxes are made of.

    there  whether this machine has it; None: it is not needed.
    says   what it is good for here, or why it is not there.
    """

    name: str
    there: bool | None
    says: str


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that can be asked for, and what is missing for it here."""

    asked: str
    enforced: bool
    lacks: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()


class HostReport(msgspec.Struct, frozen=True, kw_only=True):
    """This machine."""

    system: str
    means: tuple[Means, ...]
    offers: tuple[Offer, ...]

    @property
    def fit(self) -> bool:
        """Whether both levels can be enforced."""
        return all(one.enforced for one in self.offers if one.asked in LEVELS)


class ServerReport(msgspec.Struct, frozen=True, kw_only=True):
    """One stdio server.

    level    what is asked for: off, standard or strict.
    network  in words.
    starts   whether it would be started.
    unpinned what its command leaves open that has to be settled; None if nothing.
    """

    name: str
    level: str
    network: str = "any"
    starts: bool = True
    unpinned: str | None = None
    holds: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()


def host_report(host: Host | None = None) -> HostReport:
    """What `host` (this machine, if left out) has, and what can be enforced with it."""
    host = this_host() if host is None else host
    offers = [_offer(level, SandboxSpec(level=level, home="/"), host) for level in LEVELS]
    network = SandboxSpec(level="standard", home="/", network="loopback")
    processes = SandboxSpec(level="standard", home="/", processes=1)
    base = lacking(SandboxSpec(level="standard", home="/"), host)
    offers += [
        _offer("network: loopback or places", network, host, base),
        _offer("processes", processes, host, base),
    ]
    return HostReport(system=host.system, means=tuple(_means(host)), offers=tuple(offers))


def _offer(asked: str, spec: SandboxSpec, host: Host, besides: list[Lack] | None = None) -> Offer:
    lacks = [one for one in lacking(spec, host) if one not in (besides or [])]
    return Offer(
        asked=asked,
        enforced=not lacks and not besides,
        lacks=tuple(one.what for one in lacks),
        remedies=tuple(one.remedy for one in lacks),
    )


def _means(host: Host) -> list[Means]:
    if not host.linux:
        return [Means(name="Linux", there=False, says=f"this is {host.system}; sandboxes need it")]
    way = host.namespaces
    found = [
        Means(name="Landlock", there=bool(host.landlock), says=_landlock(host)),
        Means(
            name="seccomp",
            there=host.seccomp and host.machine is not None,
            says="system calls and kinds of sockets" if host.seccomp else "not in this kernel",
        ),
        Means(name="ceilings", there=True, says="memory, open files, core dumps"),
        Means(
            name="namespaces",
            there=bool(way.kind),
            says=_WAYS.get(way.kind) or f"refused: {way.why}",
        ),
        Means(name="control groups", there=bool(host.groups) if host.root else None, says=_GROUPS),
    ]
    there = shutil.which("bwrap") is not None
    says = f"{'there' if there else 'not there'}; Lockgate makes namespaces itself"
    return [*found, Means(name="bubblewrap", there=None, says=says)]


_WAYS: Final = {
    "direct": "a network of its own, made by root",
    "user": "a network of its own and counted processes, in a user namespace",
}
_GROUPS: Final = "count processes where Lockgate runs as root"


def _landlock(host: Host) -> str:
    if not host.landlock:
        return host.missing
    kinds = ["files"]
    kinds += ["signals and abstract sockets"] if host.landlock >= n.ABI_SCOPES else []
    return f"revision {host.landlock}: {', '.join(kinds)}"


def server_reports(config: Config, host: Host | None = None) -> list[ServerReport]:
    """What each stdio server of a configuration is held to."""
    host = this_host() if host is None else host
    return [_server(config, name, spec, host) for name, spec in specs_of(config).items()]


def _server(config: Config, name: str, spec: SandboxSpec | None, host: Host) -> ServerReport:
    if spec is None:
        return ServerReport(name=name, level="off")
    lacks = lacking(spec, host)
    transport = upstream_spec(name, config.servers[name]).transport
    loose = unpinned(transport) if spec.pinned and isinstance(transport, StdioSpec) else None
    return ServerReport(
        name=name,
        level=spec.level,
        network=_network(spec.network),
        starts=loose is None and (not lacks or spec.unenforced == "allow"),
        unpinned=loose,
        holds=achieved(spec, host).holds,
        lacks=tuple(one.what for one in lacks),
        remedies=tuple(one.remedy for one in lacks),
    )


def _network(network: Network) -> str:
    return network if isinstance(network, str) else ", ".join(map(str, network))
