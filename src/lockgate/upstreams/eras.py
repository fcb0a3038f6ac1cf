"""Which era a server speaks, from what it answers to a probe: the rules as a table.

Must not know: how a probe is sent. Sources: revision 2026-07-28, basic/versioning and the
backward compatibility sections of both transports.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from lockgate.core.message import Era
from lockgate.wire.revisions import HANDSHAKE_VERSIONS, MODERN_VERSIONS, UNSUPPORTED_VERSION

Transport = Literal["http", "stdio"]
Answer = Literal[
    "modern-result",
    "handshake-result",
    "other-result",
    "empty-result",
    "modern-error",
    "other-error",
    "unauthorized",
    "unavailable",
    "silence",
]
Verdict = Literal["modern", "handshake", "unsupported", "none"]

MODERN_ERRORS: Final = frozenset({-32020, -32021, UNSUPPORTED_VERSION})
"""Error codes that no server of the handshake era has a reason to use."""

VERDICTS: Final[dict[tuple[Transport, Answer], Verdict]] = {
    ("http", "modern-result"): "modern",
    ("stdio", "modern-result"): "modern",
    # A server that lists only handshake versions knows the probe and says: not with me.
    ("http", "handshake-result"): "handshake",
    ("stdio", "handshake-result"): "handshake",
    ("http", "other-result"): "unsupported",
    ("stdio", "other-result"): "unsupported",
    # Some servers of the handshake era answer whatever they are asked with an empty result.
    ("http", "empty-result"): "handshake",
    ("stdio", "empty-result"): "handshake",
    ("http", "modern-error"): "modern",
    ("stdio", "modern-error"): "modern",
    # No single code decides: servers of the handshake era answer an unknown request as they like.
    ("http", "other-error"): "handshake",
    ("stdio", "other-error"): "handshake",
    ("http", "unauthorized"): "none",
    # A web server that is down or in trouble has said nothing about its era.
    ("http", "unavailable"): "none",
    ("http", "silence"): "none",
    # A process that does not know the request may well ignore it until it is initialized.
    ("stdio", "silence"): "handshake",
    ("stdio", "unavailable"): "none",
}


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """What came back for `server/discover`.

    status     the HTTP status; None on stdio, and when nothing came back.
    code       the JSON-RPC error code, when the answer was an error.
    supported  the versions the answer named, in a result or in the data of an error.
    result     the answer was a result.
    """

    status: int | None = None
    code: int | None = None
    supported: tuple[str, ...] = ()
    result: bool = False


def classify(probe: Probe) -> Answer:
    """The row of the table that a probe's outcome belongs to."""
    if probe.status in {401, 403}:
        return "unauthorized"
    if probe.result:
        return _result(probe.supported)
    if probe.code in MODERN_ERRORS:
        return _modern_error(probe)
    if probe.status is not None and (probe.status >= 500 or probe.status in {408, 425, 429}):
        return "unavailable"
    if probe.code is not None or probe.status is not None:
        return "other-error"
    return "silence"


def _result(supported: tuple[str, ...]) -> Answer:
    if any(version in MODERN_VERSIONS for version in supported):
        return "modern-result"
    if any(version in HANDSHAKE_VERSIONS for version in supported):
        return "handshake-result"
    return "other-result" if supported else "empty-result"


def _modern_error(probe: Probe) -> Answer:
    if probe.code != UNSUPPORTED_VERSION or not probe.supported:
        return "modern-error"
    return _result(probe.supported)


def verdict(transport: Transport, probe: Probe) -> Verdict:
    """The era to use first with a server that answered `probe` over `transport`.

    `unsupported` is a server whose every version is unknown here; `none` is no evidence: ask
    again later.
    """
    return VERDICTS[transport, classify(probe)]


MODERN: Final[frozenset[Era]] = frozenset({"modern"})
HANDSHAKE: Final[frozenset[Era]] = frozenset({"handshake"})


def eras_of(supported: tuple[str, ...]) -> frozenset[Era]:
    """The eras that a list of versions proves."""
    eras: set[Era] = set()
    if any(version in MODERN_VERSIONS for version in supported):
        eras.add("modern")
    if any(version in HANDSHAKE_VERSIONS for version in supported):
        eras.add("handshake")
    return frozenset(eras)
