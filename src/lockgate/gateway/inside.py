"""A server that runs in the gateway's own process, as the gateway is told of it.

Must not know: what the server is made with, how it is started.
"""

from __future__ import annotations

from dataclasses import dataclass

from lockgate.core.credentials import Credentials
from lockgate.upstreams.remote import Pool


@dataclass(frozen=True, slots=True, eq=False)
class Inside:
    """One server.

    pool         takes its requests, in place of the connections to servers elsewhere.
    credentials  what it is shown of who calls; None: everybody is one to it.
    """

    pool: Pool
    credentials: Credentials | None = None
