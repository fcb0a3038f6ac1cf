"""Verdicts kept by what was judged, so that no definition is scanned twice.

Must not know: who asks.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final, cast

import msgspec

from lockgate.guard.scan import Verdict, scan

MOST: Final = 20_000
"""Verdicts that are kept; the one not asked for longest goes first."""


class Scanner:
    """Scans a definition the first time it is seen."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: OrderedDict[bytes, Verdict] = OrderedDict()
        self.scans = 0

    def scan(self, definition: bytes) -> Verdict:
        """The verdict on a definition as JSON.

        Raises:
            msgspec.MsgspecError: it is no JSON object.
        """
        known = self.known(definition)
        if known is None:
            known = judged(definition)
            self.keep(definition, known)
        return known

    def known(self, definition: bytes) -> Verdict | None:
        """The verdict that is kept on a definition."""
        key = _key(definition)
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep(self, definition: bytes, verdict: Verdict) -> None:
        """Keep what was judged here or elsewhere."""
        self.scans += 1
        self._kept[_key(definition)] = verdict
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)


def judged(definition: bytes) -> Verdict:
    """The verdict on a definition as JSON, not kept.

    Raises:
        msgspec.MsgspecError: it is no JSON object.
    """
    return scan(msgspec.json.decode(definition, type=dict[str, object]))


def _key(definition: bytes) -> bytes:
    return blake2b(definition, digest_size=16).digest()


def unwrapped(value: object) -> Mapping[str, object] | None:
    """The definition in a line of a file: itself, or what is under `tool`; None: there is none."""
    if not isinstance(value, dict):
        return None
    members = cast("dict[str, object]", value)
    inner = members.get("tool")
    if isinstance(inner, dict) and not _DEFINES & members.keys():
        members = cast("dict[str, object]", inner)
    return members if _DEFINES & members.keys() else None


_DEFINES: Final = frozenset(
    {"name", "description", "inputSchema", "uri", "uriTemplate", "instructions", "arguments"}
)
