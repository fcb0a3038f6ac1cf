"""What is lent on which terms, and the words between those who lend. Plain data.

Must not know: how anything is shown, kept or read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Protocol

import msgspec
from msgspec.structs import force_setattr

from lockgate.context.body import Body
from lockgate.context.preview import Seen
from lockgate.core.message import Call, Reply, Result, Target
from lockgate.core.raw import Raw
from lockgate.core.sight import Sight
from lockgate.gateway.source import Source
from lockgate.kit.deposits import About, Deposit
from lockgate.kit.pages import BUDGET, PREVIEW
from lockgate.policies.repeats import LARGE

HARDLY: Final = 2
"""Bytes of a token, hardly ever less."""

Definition = Callable[[str, str, str], Raw | None]
"""The definition of a thing: (server, list method, name in the server's words)."""
Masked = Callable[[str], str]
"""A text without what the configuration keeps secret."""


class Loan(msgspec.Struct, frozen=True):
    """What holds for the results of one server at one endpoint; see `config.results`.

    changes  results that a conversation was given before are told as what changed in them.
    least    bytes up to which a result is not looked at; follows from the rest.
    """

    budget: int = BUDGET
    preview: int = PREVIEW
    references: bool = True
    images: bool = True
    tasks: bool = True
    resources: bool = False
    prompts: bool = False
    changes: bool = False
    least: int = 0

    def __post_init__(self) -> None:
        least = self.budget * HARDLY
        force_setattr(self, "least", min(least, LARGE - 1) if self.changes else least)


def lengthy(reply: Reply, loan: Loan) -> Result | None:
    """The reply, if it is a complete result that may be over the budget."""
    if isinstance(reply, Result) and reply.kind == "complete":
        return reply if reply.raw.size > loan.budget * HARDLY else None
    return None


class Terms(msgspec.Struct, frozen=True):
    """What holds everywhere.

    loans      by endpoint and server; what is not there is passed on as it is.
    endpoints  where any of them is, by endpoint: what holds for what is read there.
    default    the endpoint that is meant where nobody says which.
    minutes    how long results are kept.
    arguments  bytes of the arguments of one call, once references are resolved.
    """

    loans: Mapping[tuple[str, str], Loan]
    endpoints: Mapping[str, Loan]
    default: str
    minutes: float
    arguments: int


class Surroundings(msgspec.Struct, frozen=True):
    """What the engine knows.

    owner       whom a call's results belong to.
    sight       what a call's caller sees.
    definition  see `Definition`.
    tool        what the tool that reads results is called for a call's caller.
    names       what tools are called for a call's caller.
    hidden      the parameters of a tool that a call's caller is not shown.
    masked      takes out what the configuration keeps secret.
    """

    owner: Callable[[Call], str]
    sight: Callable[[Call], Sight]
    definition: Definition
    tool: Callable[[Call], str]
    names: Callable[[Call], Mapping[Target, str]] = lambda _: {}
    hidden: Callable[[Call, Target], Collection[str]] = lambda _, _target: ()
    masked: Masked = str


class Lent(msgspec.Struct, frozen=True):
    """What is kept: its handle and URI, what is known of it, and what programs are told."""

    handle: str
    uri: str
    about: About

    @property
    def note(self) -> dict[str, Any]:
        """What programs are told, in `_meta`."""
        return {"id": self.handle, "uri": self.uri, "bytes": self.about.size}


class Looked(msgspec.Struct, frozen=True):
    """The body of a result that is over the budget, what is shown of it, and its tokens, about."""

    body: Body
    seen: Seen
    tokens: int


class Lender(Protocol):
    """What keeps results; see `lockgate.gateway.lending.Lending`."""

    def owner(self, call: Call, /) -> str: ...  # noqa: D102 - see Lending
    def reader(self, call: Call, /) -> str: ...  # noqa: D102 - see Lending
    def reads_only(self, source: Source, /) -> bool: ...  # noqa: D102 - see Lending
    def spares(self, call: Call, before: Raw, after: Raw, /) -> bool: ...  # noqa: D102 - see Lending
    def shown(self, call: Call, looked: Looked, lent: Lent, /) -> str: ...  # noqa: D102 - as above
    async def kept(self, call: Call, handle: str, /) -> Deposit: ...  # noqa: D102 - as above
    async def keep(  # noqa: D102 - see Lending
        self, call: Call, looked: Looked, source: Source, data: bytes | None = None
    ) -> Lent | None: ...
    async def shortened(  # noqa: D102 - see Lending
        self, call: Call, raw: Raw, loan: Loan, source: Source
    ) -> Raw | None: ...
