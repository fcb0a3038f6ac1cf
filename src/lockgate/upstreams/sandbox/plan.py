"""What is done to one child so that it keeps to its sandbox: decided here, carried out by `inner`.

Must not know: how a child is started. Nothing here changes anything.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lockgate.upstreams.sandbox import filter as calls
from lockgate.upstreams.sandbox import inner
from lockgate.upstreams.sandbox import numbers as n
from lockgate.upstreams.sandbox.doors import Door, doors, extra_addresses
from lockgate.upstreams.sandbox.host import Host
from lockgate.upstreams.sandbox.spec import Level, SandboxSpec
from lockgate.upstreams.sandbox.view import changed, environment, rules

NEEDED_ABI: Final[Mapping[Level, int]] = {"standard": n.ABI_REFER, "strict": n.ABI_SCOPES}
"""The least of Landlock that keeps what a level promises. Before ABI 2 nothing can be moved from
folder to folder, which breaks honest programs; before ABI 6 other processes can be signalled."""

KEPT: Final = (0, 1, 3, 4)
"""What is left of root's privileges (CHOWN, DAC_OVERRIDE, FOWNER, FSETID): those over files, which
the view of the file system bounds; without them root could not use files of others given to it."""


class Unenforceable(Exception):
    """This host cannot hold a server to its sandbox.

    lacks  what is missing.
    """

    def __init__(self, lacks: Sequence[Lack]) -> None:
        super().__init__("; ".join(lack.what for lack in lacks))
        self.lacks = tuple(lacks)


@dataclass(frozen=True)
class Lack:
    """Something the host does not have.

    what    what is missing, and why if that is known.
    remedy  what would bring it.
    """

    what: str
    remedy: str


@dataclass(frozen=True, kw_only=True)
class Achieved:
    """What a server is held to.

    level    what was asked for.
    holds    what is enforced, one word each.
    lacks    what was asked for and is not.
    """

    level: Level
    holds: tuple[str, ...]
    lacks: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether everything that was asked for is enforced."""
        return not self.lacks


def lacking(spec: SandboxSpec, host: Host) -> list[Lack]:
    """What `host` is missing for `spec`; empty when it can be enforced whole."""
    if not host.linux:
        return [Lack(f"it needs Linux, and this is {host.system}", _ELSEWHERE)]
    found: list[Lack] = []
    if host.machine is None:
        found.append(Lack("its system calls are not known for this kind of machine", _ELSEWHERE))
    elif not host.seccomp:
        found.append(Lack("this kernel cannot filter system calls (seccomp)", _KERNEL))
    if not host.landlock:
        found.append(Lack(f"there is no Landlock: {host.missing}", _LANDLOCK))
    elif host.landlock < (abi := NEEDED_ABI[spec.level]):
        release = n.KERNEL_OF_ABI[abi]
        found.append(
            Lack(
                f"{spec.level} needs revision {abi} of Landlock (Linux {release}), and this "
                f"kernel has revision {host.landlock}",
                f"Run Linux {release} or newer{_OR_STANDARD if spec.level == 'strict' else ''}.",
            )
        )
    if needs_network(spec) and not host.namespaces.kind:
        why = f"it cannot be given a network of its own: {host.namespaces.why}"
        found.append(Lack(why, _NAMESPACES))
    if spec.processes is not None and (lack := _uncounted(host)):
        found.append(lack)
    return found


def needs_network(spec: SandboxSpec) -> bool:
    """Whether the server gets a network of its own, rather than this machine's or none."""
    return spec.network not in ("none", "any")


def needs_mounts(spec: SandboxSpec) -> bool:
    """Whether the server gets mounts of its own: for its names, or to have the rest read-only."""
    return spec.level == "strict" or needs_network(spec)


def _uncounted(host: Host) -> Lack | None:
    """Why processes cannot be counted; None when they can.

    Root's are in a control group only; others', apart from their user's, in a user namespace only.
    """
    if host.root:
        return None if host.groups else Lack("root's processes cannot be counted here", _GROUPS)
    if host.namespaces.kind == "user":
        return None
    why = host.namespaces.why
    return Lack(f"its processes cannot be counted apart from its user's: {why}", _NAMESPACES)


_NAMESPACES: Final = (
    "Allow unprivileged user namespaces (sysctl user.max_user_namespaces, "
    "kernel.apparmor_restrict_unprivileged_userns; a container's seccomp profile)"
)
_GROUPS: Final = (
    "Do not run Lockgate as root, or let it write to /sys/fs/cgroup; or leave `processes` out"
)
_ELSEWHERE: Final = "Run Lockgate on Linux (x86_64 or aarch64), for example in a container."
_KERNEL: Final = "Run a kernel with CONFIG_SECCOMP_FILTER."
_LANDLOCK: Final = (
    "Run Linux 5.19 or newer with `landlock` in its `lsm=` list, and in a container a runtime "
    "whose seccomp profile allows it"
)
_OR_STANDARD: Final = ", or ask for `standard`"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What `inner` is told, but for what only the start itself can know."""

    command: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    handled: tuple[int, ...]
    rules: tuple[tuple[str, int], ...]
    filter: bytes
    limits: tuple[tuple[int, int], ...]
    namespaces: int = 0
    doors: tuple[Door, ...] = ()
    kept: tuple[str, ...] = ()
    group: str = ""
    processes: int | None = None

    def told(self, parent: int, group: str, hosts: str, socket: int) -> dict[str, Any]:
        """As plain values.

        Args:
            parent: the process it must not outlive.
            group: the file of its control group that takes processes; empty: none.
            hosts: the file that is to be its /etc/hosts; empty: none.
            socket: the descriptor over which it hands over who listens at its doors.
        """
        return {
            "command": os.fsencode(self.command),
            "argv": [os.fsencode(word) for word in self.argv],
            "env": {os.fsencode(key): os.fsencode(value) for key, value in self.env.items()},
            "handled": self.handled,
            "rules": [(os.fsencode(path), allowed) for path, allowed in self.rules],
            "filter": self.filter,
            "limits": self.limits,
            "capabilities": KEPT,
            "parent": parent,
            "group": group,
            "namespaces": None if not self.namespaces else self._network(hosts, socket),
        }

    def _network(self, hosts: str, socket: int) -> dict[str, Any]:
        return {
            "flags": self.namespaces,
            "addresses": extra_addresses(self.doors),
            "doors": [(door.address, door.place.port) for door in self.doors],
            "hosts": os.fsencode(hosts),
            "kept": [os.fsencode(path) for path in self.kept],
            "socket": socket,
        }


def plan(
    spec: SandboxSpec,
    host: Host,
    *,
    command: str,
    args: Sequence[str],
    env: Mapping[str, str],
    declared: Mapping[str, str],
    cwd: str | None,
    open_files: int | None = None,
) -> Plan:
    """What is done to a child.

    Args:
        spec: what it may do.
        host: what can be enforced.
        command: its program, an absolute path.
        args: the program's arguments.
        env: its environment; `declared` is the part that its owner wrote.
        declared: see `env`.
        cwd: the folder it was told to start in, absolute.
        open_files: how many it may have open.

    Raises:
        Unenforceable: not all of it can be, and `spec` does not allow less.
    """
    lacks = lacking(spec, host)
    if lacks and spec.unenforced == "refuse":
        raise Unenforceable(lacks)
    temporary = str(Path(spec.home, "tmp"))
    seen = rules(spec, command, args, cwd) if host.landlock else []
    handled = n.files_handled(host.landlock) if host.landlock else 0
    return Plan(
        command=command,
        argv=(command, *args),
        env={**environment(env, spec.home, temporary), **declared},
        handled=_attributes(host, handled),
        rules=tuple((path, allowed & handled) for path, allowed in seen),
        filter=_filter(spec, host),
        limits=_limits(spec, host, open_files),
        namespaces=_namespaces(spec, host),
        doors=tuple(doors(spec.network)) if isinstance(spec.network, tuple) else (),
        kept=changed(spec, cwd),
        group=host.groups if host.root and spec.processes is not None else "",
        processes=spec.processes,
    )


def _attributes(host: Host, files: int) -> tuple[int, ...]:
    """What the ruleset is asked to forbid, as long as this revision knows the fields."""
    if not host.landlock:
        return ()
    if host.landlock < n.ABI_TCP:
        return (files,)
    if host.landlock < n.ABI_SCOPES:
        return (files, 0)
    return (files, 0, n.scopes_handled(host.landlock))


def _filter(spec: SandboxSpec, host: Host) -> bytes:
    if host.machine is None or not host.seccomp:
        return b""
    # Landlock does not judge these. Where everything else is read-only they do no harm, and
    # installers need them; where it cannot be, nobody has them.
    by_path = spec.level == "strict" and not host.namespaces.kind
    more: tuple[str, ...] = calls.BY_PATH if by_path else ()
    if spec.stays:
        more = (*more, *calls.LEAVING)
    if host.landlock < n.ABI_TRUNCATE:
        more = (*more, "truncate")
    return calls.program(
        host.machine, internet=_internet(spec, host), unix=spec.unix_sockets, refused=more
    )


def _internet(spec: SandboxSpec, host: Host) -> bool:
    """Whether there are sockets of TCP and UDP.

    Where a network of its own is asked for and cannot be had, none is nearer to that than this
    machine's.
    """
    return spec.network == "any" or (needs_network(spec) and bool(host.namespaces.kind))


def _limits(spec: SandboxSpec, host: Host, open_files: int | None) -> tuple[tuple[int, int], ...]:
    if sys.platform == "win32":
        return ()
    import resource  # noqa: PLC0415 - absent on Windows

    found = [(resource.RLIMIT_CORE, 0)]  # a dump is a file with all that the process knows
    if open_files is not None:
        found.append((resource.RLIMIT_NOFILE, open_files))
    if spec.memory is not None:
        found.append((resource.RLIMIT_DATA, spec.memory))
    if spec.processes is not None and _counted(spec, host):
        found.append((resource.RLIMIT_NPROC, spec.processes))
    return tuple(found)


def _counted(spec: SandboxSpec, host: Host) -> bool:
    """Whether it is in a user namespace for the sake of counting its processes."""
    return spec.processes is not None and not host.root and host.namespaces.kind == "user"


def _namespaces(spec: SandboxSpec, host: Host) -> int:
    """The namespaces that are made for it, as flags."""
    flags = 0
    if needs_mounts(spec) and host.namespaces.kind:
        flags = inner.CLONE_NEWNS | (inner.CLONE_NEWNET if needs_network(spec) else 0)
        flags |= inner.CLONE_NEWUSER if host.namespaces.kind == "user" else 0
    return flags | inner.CLONE_NEWUSER if _counted(spec, host) else flags


def achieved(spec: SandboxSpec, host: Host) -> Achieved:
    """What is enforced of `spec` on `host`, when the server runs at all."""
    lacks = lacking(spec, host)
    holds: list[str] = ["privileges"] if host.linux else []
    if host.landlock:
        holds += ["files", "debugging"]
    if host.landlock >= n.ABI_SCOPES:
        holds += ["signals"]
    if host.seccomp and host.machine is not None:
        holds += ["calls", "sockets"]
        if spec.network != "any":
            holds.append("network")
    if spec.memory is not None:
        holds.append("memory")
    if spec.processes is not None and _uncounted(host) is None:
        holds.append("processes")
    return Achieved(level=spec.level, holds=tuple(holds), lacks=tuple(one.what for one in lacks))
