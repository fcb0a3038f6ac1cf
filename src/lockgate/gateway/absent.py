"""Why a server's part of a list is absent, as the section that stands for it. Pure data.

Must not know: how lists are fetched.
"""

from __future__ import annotations

from typing import Final

from lockgate.core.message import Failure
from lockgate.gateway.listing import Section

UPSTREAM_INVALID: Final = -32603
METHOD_NOT_FOUND: Final = -32601


def problem(server: str, failure: Failure) -> Section:
    """It answered with an error; that it knows no such list is none."""
    if failure.origin == "upstream" and failure.code == METHOD_NOT_FOUND:
        return Section(server=server)
    return Section(server=server, problem=failure)


def slow(server: str, method: str, retry_after: float) -> Section:
    """It has not answered yet; for so many seconds it counts as absent, unless it does."""
    return Section(
        server=server,
        problem=Failure(
            code=UPSTREAM_INVALID,
            message=f"{server} has not answered {method} yet.",
            origin="upstream",
            reason="server-slow",
            data={"server": server, "retry_after": retry_after},
            remedy="It is still being asked; what it lists appears when it answers.",
        ),
    )


def too_long(server: str, method: str, limit: str, setting: str | None) -> Section:
    """A list over its bound is refused whole: half of one would look like all of it."""
    raised = f"Raise limits.{setting} of this server in the configuration if so many are meant."
    return Section(
        server=server,
        problem=Failure(
            code=UPSTREAM_INVALID,
            message=f"{server} answered {method} with more than {limit}.",
            origin="upstream",
            reason="list-too-long",
            data={"server": server},
            remedy=raised if setting else "Have the server list less.",
        ),
    )


def broken(server: str, method: str, what: str) -> Section:
    """What it answered is no list."""
    return Section(
        server=server,
        problem=Failure(
            code=UPSTREAM_INVALID,
            message=f"{server} answered {method} with something that is no such list.",
            origin="upstream",
            reason="invalid-list",
            data={"server": server},
            remedy=f"Report it to the authors of {server}: {what}.",
            detail=what,
        ),
    )
