"""Which sight a call has, and by whose credentials each server is asked for it.

Must not know: rules, endpoints' settings, how lists are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from lockgate.core.credentials import Credentials
from lockgate.core.message import ANONYMOUS, Call, Failure, Principal
from lockgate.core.policy import Stage
from lockgate.core.sight import Everything, Sight, SightOf

OPERATOR: Final = Principal(id=ANONYMOUS.id, issuer="lockgate")
"""Whoever runs the gateway, asking it directly: by identity, so that no client can be it. What they
share with anonymous callers is what servers keep."""


class Sights:
    """The sights of an engine's callers."""

    def __init__(
        self,
        everything: Everything,
        of: SightOf | None = None,
        credentials: Mapping[str, Credentials] | None = None,
    ) -> None:
        """See `of` and `everything`.

        Args:
            everything: what the gateway itself sees, and everybody else where `of` is None.
            of: the sight of a client's call.
            credentials: those of servers, by name; a server that is missing has shared ones.
        """
        self.everything = everything
        self._credentials = {
            name: one for name, one in (credentials or {}).items() if not one.shared
        }
        self.restricted = of is not None
        self.of: SightOf = (lambda _: everything) if of is None else of

    @property
    def shared(self) -> bool:
        """Every server is shown the same credentials for everybody."""
        return not self._credentials

    def partition(self, server: str, principal: Principal) -> str:
        """Whose credentials a server is shown for a principal."""
        one = self._credentials.get(server)
        return "" if one is None else one.partition(principal)

    def partitions(self, sight: Sight, principal: Principal) -> tuple[tuple[str, str], ...]:
        """By server that may be seen, where it is not the same for everybody."""
        if not self._credentials:
            return ()
        return tuple(
            (name, one.partition(principal))
            for name, one in self._credentials.items()
            if name in sight.servers
        )


class Judgement:
    """Asks the caller's sight whether it may do what it can see. A gate: it never waits."""

    name: ClassVar[str] = "access"
    stage: ClassVar[Stage] = Stage.AUTHORIZE

    def __init__(self, of: SightOf) -> None:
        """`of` gives the sight of a call."""
        self._of = of

    def enter(self, call: Call, /) -> Failure | None:
        """See `lockgate.core.policy.Gate`; what has no target is nobody's to judge."""
        return None if call.target is None else self._of(call).judge(call)

    def leave(self, call: Call, /) -> None:
        """See `lockgate.core.policy.Gate`."""

    def concerns(self, method: str) -> bool:
        """See `lockgate.core.policy.Gate`."""
        del method
        return True
