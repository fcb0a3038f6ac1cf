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
        key = blake2b(definition, digest_size=16).digest()
        known = self._kept.get(key)
        if known is not None:
            self._kept.move_to_end(key)
            return known
        value = msgspec.json.decode(definition, type=dict[str, object])
        return self._keep(key, value)

    def scan_value(self, definition: Mapping[str, object]) -> Verdict:
        """The verdict on a definition that was decoded already."""
        return self._keep(None, definition)

    def _keep(self, key: bytes | None, definition: Mapping[str, object]) -> Verdict:
        self.scans += 1
        verdict = scan(definition)
        if key is not None:
            self._kept[key] = verdict
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return verdict


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
