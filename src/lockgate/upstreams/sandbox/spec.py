"""What is asked of one server's sandbox: plain data, whoever wrote it down.

Must not know: what the system can do, or how anything is enforced.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

Level = Literal["standard", "strict"]
Closed = Literal["none", "loopback", "any"]
LEVELS: Final[tuple[Level, ...]] = ("standard", "strict")


class Destination(NamedTuple):
    """One place on the network. `host` is a name or an address without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        """As it is written: with brackets around an IPv6 address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


Network = Closed | tuple[Destination, ...]


@dataclass(frozen=True, kw_only=True)
class SandboxSpec:
    """What one server may do.

    level         what it starts from; see docs/security/sandbox.md.
    home          an absolute path: its HOME, kept between its starts; it is made when missing.
    read, write   absolute paths it may read, or change as well, beside what the level gives it.
    network       `none`; `loopback`: one of its own, with nothing else on it; these places; `any`.
    unix_sockets  whether it may reach other programs' sockets in the file system.
    memory        bytes each of its processes may allocate; None: as many as it gets.
    processes     how many processes and threads it may have at once; None: as many as it gets.
    stays         whether it has to stay in the process group it is started in, with all it starts.
    pinned        refuse a command that runs whatever version of a package is newest.
    unenforced    what becomes of a server whose sandbox this host cannot enforce as a whole.
    """

    level: Level
    home: str
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    network: Network = "any"
    unix_sockets: bool = False
    memory: int | None = None
    processes: int | None = None
    stays: bool = False
    pinned: bool = False
    unenforced: Literal["refuse", "allow"] = "refuse"
