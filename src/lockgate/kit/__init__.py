"""Building blocks for people who write servers: with the official SDK, with FastMCP, with neither.

Must not know: any SDK at import. This is the map; each block is one module, loaded when it is first
asked for, and one page in docs/kit.

    | module       | what for                                                                   |
    |--------------|----------------------------------------------------------------------------|
    | `background` | things to be done now and then, which end with the server                  |
    | `breaker`    | stop asking what does not answer                                           |
    | `cache`      | answers kept in memory, in Redis or Valkey, on disk                        |
    | `errors`     | failures a model can act on                                                |
    | `execute`    | Python code that somebody else wrote, in a sandbox                         |
    | `fetch`      | what a stranger's URL names, from where strangers may send us              |
    | `health`     | whether the server is well: a tool, and routes                             |
    | `limit`      | how often a caller may call                                                |
    | `logs`       | lines on stderr with the request they belong to, without secrets           |
    | `memory`     | what was said in a session, within a budget of tokens                      |
    | `metrics`    | how many calls, how long, how many failed: a tool, and a route             |
    | `parallel`   | the same for many things, a few at a time                                  |
    | `request`    | who is calling, and in which request                                       |
    | `results`    | results too long for a model, shown in short and read in parts             |
    | `retry`      | again, where that can do no harm                                           |
    | `sanitise`   | HTML and text without what is hidden in them                               |
    | `shutdown`   | an end that waits for calls under way                                      |
    | `validate`   | paths, URLs, names and sizes that are what they have to be                 |
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from lockgate.kit import (
        background,
        breaker,
        cache,
        errors,
        execute,
        fetch,
        health,
        limit,
        logs,
        memory,
        metrics,
        parallel,
        request,
        results,
        retry,
        sanitise,
        shutdown,
        validate,
    )

__all__ = [
    "background",
    "breaker",
    "cache",
    "errors",
    "execute",
    "fetch",
    "health",
    "limit",
    "logs",
    "memory",
    "metrics",
    "parallel",
    "request",
    "results",
    "retry",
    "sanitise",
    "shutdown",
    "validate",
]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return import_module(f"lockgate.kit.{name}")
    raise AttributeError(f"module 'lockgate.kit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
