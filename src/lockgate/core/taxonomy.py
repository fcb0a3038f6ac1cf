"""What is said about every error: the columns of the table in `lockgate.core.codes`.

Must not know: any particular error. Families, by hundreds:

    1xx  the request as it arrives: HTTP, JSON-RPC, metadata
    2xx  sessions, streams, and questions put to clients
    3xx  names, params and lists
    4xx  bounds and policies
    5xx  the gateway itself
    6xx  a server that is asked
    7xx  a server that is started or connected to
    8xx  the configuration
    9xx  the command line
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

Fault = Literal["client", "policy", "gateway", "upstream", "configuration", "environment"]
Retry = Literal["no", "later", "now", "idempotent"]
Numbers = int | tuple[int, ...]
PAGE: Final = "docs/errors.md"

NO: Final = "no"
LATER: Final = "later"
NOW: Final = "now"
IDEMPOTENT: Final = "idempotent"

RETRIES: Final[Mapping[Retry, str]] = MappingProxyType(
    {
        NO: "No: the same again would fail the same way.",
        LATER: "Later: after `retry_after` seconds, where the error has them.",
        NOW: "At once: nothing was executed.",
        IDEMPOTENT: "Only what may run twice: the server may have executed it already.",
    }
)
"""What each value of `Entry.retry` means."""

FAULTS: Final[Mapping[Fault, str]] = MappingProxyType(
    {
        "client": "the client: change what is sent",
        "policy": "nobody's: a policy did its work; send less, or change the policy",
        "gateway": "the gateway's own",
        "upstream": "the server that was asked, or whoever runs it",
        "configuration": "the configuration of the gateway",
        "environment": "the machine or the network around the gateway",
    }
)
"""What each value of `Entry.fault` means."""

BY_CODE: Final = None
"""The HTTP status is that of the JSON-RPC code (`lockgate.wire.modern_in.STATUS`)."""

NEVER: Final = ()
"""Not a JSON-RPC error, or of no HTTP answer in this era."""


class Entry(NamedTuple):
    """One error.

    number     its code is `LG-` and this.
    reason     the slug the program uses for it: `Failure.reason`, `Finding.id`.
    fault      whose turn it is to change something.
    codes      the JSON-RPC codes it has; NEVER for what is no JSON-RPC error, BY_CODE when another
               party chose the code.
    modern     the HTTP statuses it has toward clients of the stateless era.
    handshake  the same toward clients of the older era.
    retry      whether to send the same again; see `RETRIES`.
    meaning    what happened, in one line.
    remedy     what to do. The error itself may know better, and then says so.
    severity   of a finding about the configuration.
    older      the codes in the handshake era, where they differ.
    """

    number: int
    reason: str
    fault: Fault
    codes: Numbers | None
    modern: Numbers | None
    handshake: Numbers | None
    retry: Retry
    meaning: str
    remedy: str
    severity: Literal["error", "warning", "info"] | None = None
    older: Numbers | None = None

    @property
    def code(self) -> str:
        """The stable name, such as `LG-601`."""
        return f"LG-{self.number}"

    @property
    def anchor(self) -> str:
        """Where the documentation has it, below the root of the repository."""
        return f"{PAGE}#{self.code.lower()}"


def start(number: int, reason: str, fault: Fault, meaning: str, remedy: str) -> Entry:
    """An entry about a server that is not ready; clients get `server-unavailable` for it."""
    return Entry(number, reason, fault, NEVER, NEVER, NEVER, LATER, meaning, remedy)


def finding(
    number: int, reason: str, severity: Literal["error", "warning", "info"], says: str, do: str
) -> Entry:
    """An entry about the configuration."""
    fault: Fault = "configuration"
    return Entry(number, reason, fault, NEVER, NEVER, NEVER, NO, says, do, severity)


def command(number: int, reason: str, fault: Fault, meaning: str, remedy: str) -> Entry:
    """An entry about how a command ends."""
    return Entry(number, reason, fault, NEVER, NEVER, NEVER, NO, meaning, remedy)


FAMILIES: Final[Mapping[int, str]] = MappingProxyType(
    {
        1: "The request as it arrives",
        2: "Sessions, streams, and questions put to clients",
        3: "Names, params and lists",
        4: "Bounds and policies",
        5: "The gateway itself",
        6: "A server that is asked",
        7: "A server that is started or connected to",
        8: "The configuration",
        9: "The command line",
    }
)
"""What the hundreds of a number stand for."""


def numbers(value: Numbers | None) -> tuple[int, ...]:
    """One number, several or none, as several."""
    if value is None:
        return ()
    return (value,) if isinstance(value, int) else value


def told(value: Numbers | None, none: str) -> str:
    """Numbers in words; `none` when there are none."""
    return (
        "as the other side chose" if value is None else ", ".join(map(str, numbers(value))) or none
    )


def facts(entry: Entry) -> list[tuple[str, str]]:
    """What people are shown of an entry besides its two sentences: pairs of a label and a text."""
    shown = [("whose turn", FAULTS[entry.fault]), ("try again", RETRIES[entry.retry])]
    if entry.severity is not None:
        return [("severity", entry.severity)]
    if entry.codes == NEVER and entry.modern == NEVER:
        return shown
    codes = told(entry.codes, "none: refused before it is JSON-RPC")
    if entry.older is not None:
        codes = f"{codes}; {told(entry.older, '')} in the handshake era"
    return [
        *shown,
        ("JSON-RPC code", codes),
        ("HTTP, stateless", _status(entry.modern)),
        ("HTTP, handshake", _status(entry.handshake)),
    ]


def _status(value: Numbers | None) -> str:
    return "that of its JSON-RPC code" if value is None else told(value, "not met there")
