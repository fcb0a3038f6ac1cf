"""Which era the client speaks and which the server: one cell of the table each.

Must not know: scenarios, processes, figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Era = Literal["modern", "handshake"]
Behind = Literal["modern", "handshake", "token", "unguarded"] | None


@dataclass(frozen=True)
class Cell:
    """One pairing of a client with a server.

    client  what the load generator speaks, to every target.
    server  the only era of the server behind Lockgate; None: it has both, and Lockgate speaks the
            client's, as it does to every server that has it.
    token   the client sends an access token, and Lockgate accepts nobody without one.
    guard   Lockgate stands guard as it does by default.
    """

    name: str
    client: Era
    server: Era | None = None
    token: bool = False
    guard: bool = True

    @property
    def behind(self) -> Behind:
        """What tells the Lockgate of this cell from those of others."""
        if not self.guard:
            return "unguarded"
        return "token" if self.token else self.server

    @property
    def small(self) -> bool:
        """Whether only small calls are measured, because the rest differs in size alone."""
        return self.bridged or self.token or not self.guard

    @property
    def bridged(self) -> bool:
        """Whether Lockgate has to translate."""
        return self.server is not None and self.server != self.client


CELLS: Final = (
    Cell("modern", "modern"),
    Cell("handshake", "handshake"),
    Cell("modern-handshake", "modern", "handshake"),
    Cell("handshake-modern", "handshake", "modern"),
    Cell("modern-token", "modern", token=True),
    Cell("modern-unguarded", "modern", guard=False),
)
