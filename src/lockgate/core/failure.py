"""A refusal or an error, as a value.

Must not know: calls, policies, how anything is told to a client.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal

from lockgate.core.value import Value

Origin = Literal["client", "policy", "gateway", "upstream"]
_FIELDS: Final = (
    "code",
    "message",
    "origin",
    "reason",
    "policy",
    "data",
    "remedy",
    "detail",
    "rule",
)


class Failure(Value):
    """A refusal or an error, as a value.

    code     JSON-RPC error code in the newest revision's meaning.
    message  what happened, in words the caller may read.
    origin   whose fault: client, policy, gateway or upstream.
    reason   a stable slug, e.g. `server-unavailable`: what tests, logs and metrics compare.
    policy   the policy that refused, if one did.
    data     the JSON-RPC error's `data`, passed on as it is.
    remedy   the next step for whoever reads it.
    detail   for logs here only; never leaves the process.
    rule     the rule of that policy which refused, for the record alone; never leaves the process.
    """

    __slots__ = _FIELDS
    fields: ClassVar[tuple[str, ...]] = _FIELDS

    def __init__(
        self,
        code: int,
        message: str,
        origin: Origin,
        reason: str = "error",
        policy: str | None = None,
        data: Any = None,
        remedy: str | None = None,
        detail: str | None = None,
        rule: str | None = None,
    ) -> None:
        self.code: Final = code
        self.message: Final = message
        self.origin: Final = origin
        self.reason: Final = reason
        self.policy: Final = policy
        self.data: Final = data
        self.remedy: Final = remedy
        self.detail: Final = detail
        self.rule: Final = rule
