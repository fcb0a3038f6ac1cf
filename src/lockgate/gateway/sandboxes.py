"""What a server's sandbox is told, from what is configured.

Must not know: how a sandbox is enforced.
"""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import Final

from lockgate.config.model import Config
from lockgate.config.sandbox import SandboxSettings, destination
from lockgate.gateway.vaults import own_folder
from lockgate.upstreams.sandbox.host import this_host
from lockgate.upstreams.sandbox.plan import Achieved, achieved
from lockgate.upstreams.sandbox.spec import Destination, Level, Network, SandboxSpec

_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


def sandbox_spec(name: str, settings: SandboxSettings) -> SandboxSpec | None:
    """What the server `name` may do; None: whatever Lockgate itself may."""
    if settings.level in (None, "off"):
        return None
    level: Level = "strict" if settings.level == "strict" else "standard"
    pinned = settings.packages or ("pinned" if level == "strict" else "any")
    return SandboxSpec(
        level=level,
        home=str((settings.home or home_of(name)).absolute()),
        read=tuple(str(path.absolute()) for path in settings.read),
        write=tuple(str(path.absolute()) for path in settings.write),
        network=_network(settings, level),
        unix_sockets=settings.unix_sockets,
        memory=settings.memory,
        processes=settings.processes,
        pinned=pinned == "pinned",
        unenforced=settings.unenforced,
    )


def specs_of(config: Config) -> dict[str, SandboxSpec | None]:
    """The sandbox of each stdio server that is not disabled."""
    return {
        name: sandbox_spec(name, server.sandbox)
        for name, server in config.enabled.items()
        if server.transport == "stdio"
    }


def achieved_in(config: Config) -> dict[str, Achieved]:
    """What each server that has a sandbox is held to on this machine."""
    return {name: achieved(spec, this_host()) for name, spec in specs_of(config).items() if spec}


def home_of(name: str) -> Path:
    """The folder of a server's own; no two names have the same."""
    plain = "".join(one if one in _PLAIN else "-" for one in name)[:60]
    if plain != name or not name:
        plain = f"{plain}-{blake2b(name.encode(), digest_size=4).hexdigest()}"
    return own_folder() / "servers" / plain


def _network(settings: SandboxSettings, level: Level) -> Network:
    if settings.network is None:
        return "none" if level == "strict" else "any"
    if isinstance(settings.network, list):
        return tuple(Destination(*destination(one)) for one in settings.network) or "none"
    return settings.network
