"""What every decorator here has to settle first: that it has an async function before it.

Must not know: any decorator. A sync tool runs in a thread of its server's, where nothing of the
event loop may be touched, so a block that waits or counts there would be wrong in a silent way.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any


def name_of(function: Callable[..., Any]) -> str:
    """What a function is called where it is counted or kept."""
    module = getattr(function, "__module__", "")
    name: str = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{module}.{name}" if module else name


def require_async(function: Callable[..., Any], what: str) -> None:
    """See the file.

    Raises:
        TypeError: it is not async.
    """
    call = getattr(type(function), "__call__", None)  # noqa: B004 - its kind is asked for
    if not (inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)):
        raise TypeError(f"{what} needs an async function; {name_of(function)} is not one")
