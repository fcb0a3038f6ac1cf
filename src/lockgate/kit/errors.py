"""Failures a model can act on: what happened, and what to do about it.

Must not know: what failed. Any SDK, but for the classes of errors of those that are loaded: what is
raised here is one of theirs as well, so what it says reaches the model from a tool and the client
from a resource, where SDKs keep back what was not meant to be said.

    ToolError            what is below; raise it itself for what is none of that
    ├── InvalidInput     an argument is not what it has to be (a ValueError too: pydantic's own)
    ├── NotFound         there is no such thing
    ├── NotAllowed       the caller may not
    ├── RateLimited      too often; later
    ├── TooLarge         more than is taken
    ├── TimedOut         no answer in time; nobody knows whether it took effect
    ├── Unavailable      what is needed does not answer now
    └── Internal         a defect of the server; says nothing about it but a reference
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import cache, wraps
from secrets import token_hex
from typing import Any, ClassVar, Final, ParamSpec, Self, TypeVar

from lockgate.core.clock import enough, written

P = ParamSpec("P")
T = TypeVar("T")

_log: Final = logging.getLogger("lockgate.kit")
_THEIRS: Final = (
    ("mcp.server.mcpserver.exceptions", "ToolError"),
    ("mcp.server.mcpserver.exceptions", "ResourceError"),
    ("fastmcp.exceptions", "ToolError"),
    ("fastmcp.exceptions", "ResourceError"),
)
_GONE: Final = (
    ("mcp.server.mcpserver.exceptions", "ResourceNotFoundError"),
    *(one for one in _THEIRS if one[0] != "mcp.server.mcpserver.exceptions"),
    _THEIRS[0],
)
"""For what is not found: the official SDK has a code of its own for resources."""
_PROTOCOL: Final = (("mcp", "MCPError"),)


class ToolError(Exception):
    """A failure for the model to read. `str()` of it is all of it, in one paragraph."""

    code: ClassVar[str] = "failed"
    suggestion: str = ""

    def __new__(cls, *args: Any, **named: Any) -> Self:
        """As an error of each SDK that is loaded."""
        theirs = _of(_GONE) if issubclass(cls, NotFound) else _loaded()
        made: Any = _as_theirs(cls, theirs) if theirs else cls
        return super().__new__(made)

    def __init__(
        self,
        message: str,
        suggestion: str | None = None,
        *,
        retry_after: float | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        """What happened.

        Args:
            message: what happened, as a sentence; no secrets, for the model reads it.
            suggestion: what to do about it; what is usual for this kind by default.
            retry_after: seconds after which the same call may do better.
            details: more about it, for programs; JSON.
        """
        super().__init__(message)
        added: Any = type(self).__bases__[1:] if "_declared" in type(self).__dict__ else ()
        for theirs in added:
            # What comes between, such as ValueError, need not pass it on.
            theirs.__init__(self, message)
        self.message = message
        self.suggestion = type(self).suggestion if suggestion is None else suggestion
        self.retry_after = None if retry_after is None else enough(retry_after)
        self.details = dict(details or {})

    def __str__(self) -> str:
        parts = [_sentence(self.message)]
        if self.retry_after is not None:
            parts.append(f"Try again in {written(self.retry_after)} s.")
        if self.suggestion:
            parts.append(_sentence(self.suggestion))
        return " ".join(parts)

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (_declared(type(self)), self.message, self.suggestion), self.__dict__


class InvalidInput(ToolError, ValueError):
    """An argument is not what it has to be."""

    code = "invalid-input"
    suggestion = "Correct the argument and call again."


class NotFound(ToolError):
    """There is no such thing."""

    code = "not-found"
    suggestion = "Look for what there is before calling again."


class NotAllowed(ToolError):
    """The caller may not."""

    code = "not-allowed"
    suggestion = "Do not try again; say that it is not allowed."


class RateLimited(ToolError):
    """Too often."""

    code = "rate-limited"
    suggestion = "Call less often."


class TooLarge(ToolError):
    """More than is taken."""

    code = "too-large"
    suggestion = "Ask for less."


class TimedOut(ToolError):
    """No answer in time."""

    code = "timed-out"
    suggestion = "If it changes anything, find out whether it took effect before calling again."


class Unavailable(ToolError):
    """What is needed does not answer now."""

    code = "unavailable"
    suggestion = "Go on without it, or try again later."


class Internal(ToolError):
    """A defect of the server."""

    code = "internal"
    suggestion = "Calling again will not help; report the reference to whoever runs the server."


def result(error: BaseException) -> dict[str, Any]:
    """A tool's result that says so, for servers made without an SDK (`CallToolResult`).

    Anything but a `ToolError` is logged, and told as `Internal`.
    """
    told = error if isinstance(error, ToolError) else _unexpected(error)
    said: dict[str, Any] = {"code": told.code, "message": told.message}
    if told.suggestion:
        said["suggestion"] = told.suggestion
    if told.retry_after is not None:
        said["retryAfter"] = told.retry_after
    if told.details:
        said["details"] = told.details
    text = {"type": "text", "text": str(told)}
    return {"isError": True, "content": [text], "structuredContent": {"error": said}}


def reported(function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """A tool whose defects are logged with a reference; the model is told the reference alone.

    Errors of this file, and those an SDK has for the protocol, pass as they are.
    """

    @wraps(function)
    async def told(*args: P.args, **named: P.kwargs) -> T:
        try:
            return await function(*args, **named)
        except ToolError:
            raise
        except Exception as error:
            if isinstance(error, (*_loaded(), *_of(_PROTOCOL))):
                raise
            raise _unexpected(error) from error

    return told


def _unexpected(error: BaseException) -> Internal:
    reference = token_hex(4)
    _log.error("unexpected error %s", reference, exc_info=error)
    return Internal(f"The server failed (reference {reference})", details={"reference": reference})


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", ":")) else f"{text}."


def _loaded() -> tuple[type[Exception], ...]:
    return _of(_THEIRS)


def _of(names: tuple[tuple[str, str], ...]) -> tuple[type[Exception], ...]:
    found = (getattr(sys.modules.get(module), name, None) for module, name in names)
    return tuple(one for one in found if isinstance(one, type) and issubclass(one, Exception))


@cache
def _as_theirs(cls: type[ToolError], theirs: tuple[type[Exception], ...]) -> type[ToolError]:
    """The class, derived from theirs as well; named as it was."""
    missing = tuple(one for one in theirs if not issubclass(cls, one))
    if not missing:
        return cls
    made = type(cls.__name__, (cls, *missing), {"__module__": cls.__module__, "_declared": cls})
    made.__qualname__ = cls.__qualname__
    made.__doc__ = cls.__doc__
    return made


def _declared(cls: type[ToolError]) -> type[ToolError]:
    return cls.__dict__.get("_declared", cls)


def _again(cls: type[ToolError], message: str, suggestion: str) -> ToolError:
    return cls(message, suggestion)
