"""Who is held to which rates: the gateway's callers, a server's, those of its tools.

Must not know: how anything is counted, or where.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from lockgate.core.message import Call
from lockgate.core.rate import Rate

LONGEST_NAME: Final = 128

Scope = Literal["total", "principal", "client"]


class Rule(msgspec.Struct, frozen=True, eq=False):
    """Rates for whoever `scope` tells apart.

    where  what the rule bounds, in words: `the gateway`, `server 'x'`, `tools 'y*' of server 'x'`.
    """

    scope: Scope
    rates: tuple[Rate, ...]
    where: str

    @property
    def said(self) -> tuple[Scope, tuple[Rate, ...], str]:
        """What it says, by which the same rule of another configuration is known."""
        return self.scope, self.rates, self.where


class Rules(msgspec.Struct, frozen=True, eq=False):
    """The rules of the gateway or of one server, and of its tools by pattern, in file order.

    endpoints  more of the gateway's, by path of the endpoint a call came to.
    """

    always: tuple[Rule, ...] = ()
    tools: tuple[tuple[str, tuple[Rule, ...]], ...] = ()
    endpoints: tuple[tuple[str, tuple[Rule, ...]], ...] = ()

    def __bool__(self) -> bool:
        """Whether there is any rule."""
        return bool(self.every)

    @property
    def every(self) -> tuple[Rule, ...]:
        """All of them."""
        some = (*self.tools, *self.endpoints)
        return (*self.always, *(rule for _, more in some for rule in more))


NO_RULES: Final = Rules()


def who(scope: Scope, call: Call) -> str:
    """Whom a rule counts a call for."""
    if scope == "principal":
        return call.principal.id
    if scope == "client":
        return call.client.name[:LONGEST_NAME]
    return ""
