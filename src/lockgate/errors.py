"""The exceptions people may meet, as one tree.

    LockgateError            everything below; never raised itself
    ├── ConfigError          the configuration cannot be used; carries all findings at once
    ├── UnsafeBind           listening there would offer every tool to strangers
    ├── UnfitCall            there is no such tool, or the arguments do not fit it
    ├── ServerUnavailable    no server could be reached that the command needs
    ├── HostError            a server cannot be hardened in its own process
    │   └── PolicyUncovered  a configured policy cannot hold for it; names the settings
    └── CallFailed           a call was refused or failed; carries the Failure

Must not know: how any of them is shown. Inside the engine a refusal is a value (`Failure`), not an
exception; these are for the edges, where a person or an embedding program is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lockgate.core.codes import CODES

if TYPE_CHECKING:
    from lockgate.config.finding import Finding
    from lockgate.core.message import Failure

__all__ = [
    "CallFailed",
    "ConfigError",
    "HostError",
    "LockgateError",
    "PolicyUncovered",
    "ServerUnavailable",
    "UnfitCall",
    "UnsafeBind",
]


class LockgateError(Exception):
    """What went wrong in one sentence, and the next step.

    message  what happened.
    remedy   what to do about it; None when the message says all there is.
    reason   what `lockgate.core.codes` calls it.
    """

    reason = "exit-1"

    def __init__(
        self, message: str, remedy: str | None = None, *, reason: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        if reason is not None:
            self.reason = reason

    @property
    def code(self) -> str | None:
        """Its stable code, for `lockgate explain`; None for a reason no table has."""
        return CODES.get(self.reason)


class ConfigError(LockgateError):
    """The configuration has errors.

    findings  everything that was found, not only the first error; warnings and notes included.
    """

    reason = "config-unusable"

    def __init__(self, findings: Sequence[Finding]) -> None:
        errors = [finding for finding in findings if finding.severity == "error"]
        first = f": {errors[0]}" if errors else ""
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        super().__init__(f"The configuration cannot be used{first}{more}")
        self.findings = tuple(findings)


class UnsafeBind(LockgateError):
    """Listening on this address without authentication was refused."""

    reason = "unsafe-bind"


class UnfitCall(LockgateError):
    """No tool has this name, or its arguments are wrong; nothing was called."""

    reason = "unfit-call"


class ServerUnavailable(LockgateError):
    """A server that is needed could not be started or reached."""

    reason = "server-needed"


class HostError(LockgateError):
    """A server cannot be hardened in its own process, or does not start there."""

    reason = "host-unready"


class PolicyUncovered(HostError):
    """Policies that are configured cannot hold for a server in its own process.

    settings  their keys, as `elsewhere` of `lockgate.harden` takes them.
    """

    reason = "host-uncovered"

    def __init__(self, message: str, remedy: str, settings: Sequence[str]) -> None:
        super().__init__(message, remedy)
        self.settings = tuple(settings)


class CallFailed(LockgateError):
    """A call was refused or failed.

    failure  the Failure as the engine gave it: code, origin, reason, remedy.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message, failure.remedy, reason=failure.reason)
        self.failure = failure
