"""What may be attempted twice, what an attempt says about the server, where the next may go.

Must not know: policies, transports, how often anything is attempted.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from lockgate.core.message import Call, Failure

READING: Final = frozenset(
    {
        "server/discover",
        "tools/list",
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "prompts/list",
        "prompts/get",
        "completion/complete",
        "tasks/get",
        "tasks/list",
    }
)
"""Methods that change nothing, so that they may run twice."""
TOOL: Final = "tools/call"
SINGLE: Final = ("inputResponses", "requestState", "task")
"""Params of calls that are part of something, of which there is to be one."""
LOST: Final = frozenset({"upstream-lost", "memory-ceiling"})
"""Failures after which nobody knows what the server has done."""
NOT_ASKED: Final = frozenset({"server-unavailable", "crash-looping"})
"""Failures of servers that are down, so that nothing was sent."""
ELSEWHERE: Final = "elsewhere"
"""Among the facts of a call that is to go to another replica than the first, if there is one."""


def judged(failure: Failure) -> Literal["good", "failed"] | None:
    """What a Failure says about the server; None: nothing, for it was not asked."""
    if failure.origin != "upstream" or failure.reason in NOT_ASKED:
        return None
    if failure.reason in LOST:
        return "failed" if _data(failure).get("sent") is not False else None
    status = _data(failure).get("status", 0) if failure.reason == "upstream-http-error" else 0
    return "failed" if status >= 500 or failure.reason == "upstream-timeout" else "good"


def unsent(failure: Failure) -> bool:
    """Whether the server has certainly not seen the call."""
    if failure.origin != "upstream":
        return False
    if failure.reason in {"upstream-lost", "upstream-timeout"}:
        return _data(failure).get("sent") is False
    return failure.reason in NOT_ASKED


def elsewhere(call: Call) -> Call:
    """The call, for another replica than the one that would answer it first."""
    return call.replace(facts={**call.facts, ELSEWHERE: True})


def _data(failure: Failure) -> dict[str, Any]:
    data: Any = failure.data
    return data if isinstance(data, dict) else {}  # pyright: ignore[reportUnknownVariableType] - JSON
