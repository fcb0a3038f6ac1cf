"""What a caller sees: which servers, and what of them, under which names.

Must not know: who callers are, how rules are written, how lists are made.

Every call has one sight, found by its endpoint and its principal. What a sight does not show
answers exactly as what does not exist, wherever a client could ask for it: lists, calls, reads,
completion, subscriptions, capabilities, errors. What it shows, it may still refuse (`judge`): then
the caller is told why.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from typing import Protocol

import msgspec

from lockgate.core.message import Call, Failure, Kind
from lockgate.core.names import Naming

__all__ = ["Everything", "Sight", "SightOf"]


class Sight(Protocol):
    """What one caller sees. Immutable: what it says of a thing never changes.

    Whoever makes sights keeps one object for all callers who see the same, as far as it can: what
    is prepared for one of them is then found without computing anything.
    """

    @property
    def key(self) -> Hashable:
        """Sights with equal keys show the same, spelled the same, and judge alike."""
        ...

    @property
    def endpoint(self) -> str:
        """The path it is the sight of; part of what `key` says."""
        ...

    @property
    def naming(self) -> Naming:
        """How servers' and tools' names are spelled together."""
        ...

    @property
    def page_size(self) -> int:
        """Entries on one page of a list."""
        ...

    @property
    def instructions(self) -> str | None:
        """What is said instead of what the servers say of themselves; None: what they say."""
        ...

    @property
    def servers(self) -> Collection[str]:
        """The servers it may see anything of, in the order of the configuration."""
        ...

    @property
    def whole(self) -> bool:
        """Everything of these servers is shown, so that `shows` need not be asked."""
        ...

    @property
    def personal(self) -> bool:
        """What is shown depends on who asks, so that no list may be called public."""
        ...

    def shows(self, server: str, kind: Kind, name: str, /) -> bool:
        """Whether there is such a thing for this caller; `name` is in the server's own words.

        Asked for listed things and for URIs that are on no list; cheap, and never raises.
        """
        ...

    def judge(self, call: Call, /) -> Failure | None:
        """None lets through a call whose `target` is set and shown; a Failure is why not."""
        ...


SightOf = Callable[[Call], Sight]
"""The sight of a call, by its endpoint (`facts["endpoint"]`) and its principal. Cheap; no I/O."""


class Everything(msgspec.Struct, frozen=True, kw_only=True):
    """The sight of a gateway without rules: all of these servers, for everyone."""

    servers: tuple[str, ...]
    endpoint: str = ""
    naming: Naming = "prefix"
    page_size: int = 1000
    instructions: str | None = None

    @property
    def key(self) -> Hashable:
        """See `Sight.key`."""
        return self.endpoint

    @property
    def whole(self) -> bool:
        """See `Sight.whole`."""
        return True

    @property
    def personal(self) -> bool:
        """See `Sight.personal`."""
        return False

    def shows(self, server: str, kind: Kind, name: str, /) -> bool:
        """See `Sight.shows`."""
        del kind, name
        return server in self.servers

    def judge(self, call: Call, /) -> Failure | None:
        """See `Sight.judge`."""
        del call
