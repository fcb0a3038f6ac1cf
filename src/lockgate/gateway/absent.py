"""Why a server's part of a list is absent, as the section that stands for it. Pure data.

Must not know: how lists are fetched.
"""

from __future__ import annotations

from typing import Any

from lockgate.core.message import Failure
from lockgate.gateway.listing import Section
from lockgate.wire.jsonrpc import INTERNAL_ERROR, METHOD_NOT_FOUND


def problem(server: str, failure: Failure) -> Section:
    """It answered with an error; that it knows no such list is none."""
    if failure.origin == "upstream" and failure.code == METHOD_NOT_FOUND:
        return Section(server=server)
    return Section(server=server, problem=failure)


def slow(server: str, method: str, retry_after: float) -> Failure:
    """It has not answered yet; so many seconds from now it is looked whether it has."""
    return _problem(
        server,
        "server-slow",
        f"{server} has not answered {method} yet.",
        "It is still being asked; what it lists appears when it answers.",
        retry_after=retry_after,
    )


def too_long(server: str, method: str, limit: str, setting: str | None) -> Section:
    """A list over its bound is refused whole: half of one would look like all of it."""
    raised = f"Raise limits.{setting} of this server in the configuration if so many are meant."
    refused = _problem(
        server,
        "list-too-long",
        f"{server} answered {method} with more than {limit}.",
        raised if setting else "Have the server list less.",
    )
    return Section(server=server, problem=refused)


def broken(server: str, method: str, what: str) -> Section:
    """What it answered is no list."""
    refused = _problem(
        server,
        "invalid-list",
        f"{server} answered {method} with something that is no such list.",
        f"Report it to the authors of {server}: {what}.",
        what,
    )
    return Section(server=server, problem=refused)


def _problem(
    server: str, reason: str, message: str, remedy: str, detail: str | None = None, **data: Any
) -> Failure:
    return Failure(
        code=INTERNAL_ERROR,
        message=message,
        origin="upstream",
        reason=reason,
        data={"server": server, **data},
        remedy=remedy,
        detail=detail,
    )
