"""What can be found: one table of kinds, each with its cause and its remedy in plain words.

Must not know: how anything is found, or how it is shown. `docs/guide/troubleshooting.md` is made
from it (`python -m lockgate.doctor.page`).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from lockgate.doctor.kind import Kind, Severity
from lockgate.doctor.kinds_http import HTTP
from lockgate.doctor.kinds_identity import IDENTITY
from lockgate.doctor.kinds_process import PROCESS
from lockgate.doctor.kinds_protocol import PROTOCOL
from lockgate.doctor.kinds_transport import TRANSPORT

__all__ = ["KINDS", "ORDER", "Kind", "Severity"]

KINDS: Final = MappingProxyType(
    {one.id: one for one in (*PROCESS, *HTTP, *IDENTITY, *PROTOCOL, *TRANSPORT)}
)
ORDER: Final[tuple[Severity, ...]] = ("note", "warning", "error")
"""From the least to the gravest."""
