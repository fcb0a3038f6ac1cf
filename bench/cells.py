"""Which era the client speaks and which the server: one cell of the table each.

Must not know: scenarios, processes, figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Era = Literal["modern", "handshake"]


@dataclass(frozen=True)
class Cell:
    """One pairing of a client with a server.

    client  what the load generator speaks, to every target.
    server  the only era of the server behind Lockgate; None: it has both, and Lockgate speaks the
            client's, as it does to every server that has it.
    """

    name: str
    client: Era
    server: Era | None = None

    @property
    def bridged(self) -> bool:
        """Whether Lockgate has to translate."""
        return self.server is not None and self.server != self.client


CELLS: Final = (
    Cell("modern", "modern"),
    Cell("handshake", "handshake"),
    Cell("modern-handshake", "modern", "handshake"),
    Cell("handshake-modern", "handshake", "modern"),
)
