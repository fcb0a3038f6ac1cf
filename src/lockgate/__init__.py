"""Lockgate takes any MCP server to production: one hardened, fast endpoint in front of many.

The words, each meaning one thing everywhere: Call, Reply (Result or Failure), Policy, Stage, Chain,
Target, Front, Upstream, Endpoint, Era, Principal, Finding, Store.
"""

from __future__ import annotations

TYPE_CHECKING = False  # what type checkers know it by, without the import of typing
if TYPE_CHECKING:
    from lockgate.hosts.harden import harden as harden

__all__ = ["__version__", "harden"]
__version__ = "0.1.0.dev0"


def __getattr__(name: str) -> object:
    """`harden`, imported when it is first asked for: it needs all of the gateway."""
    if name == "harden":
        from lockgate.hosts.harden import harden  # noqa: PLC0415 - see above

        return harden
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
