"""The security controls that hold from the start, and the mark by which a test says which it shows.

The numbers are those of the threat model; `test_controls` fails when one of them has no test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import pytest

Test = TypeVar("Test", bound=Callable[..., Any])


class Control(NamedTuple):
    """One promise, and the files that keep it (below `src/lockgate`)."""

    promise: str
    enforced: tuple[str, ...]


CONTROLS = {
    8: Control(
        "Host and Origin are judged on every path before anything else",
        ("fronts/screen.py", "fronts/routes.py"),
    ),
    9: Control(
        "Loopback unless told; binding wider without authentication refuses to start",
        ("cli/up.py", "config/settings.py"),
    ),
    11: Control(
        "Children come from the configuration alone, as an argument list, with no unsafe variables",
        ("upstreams/launch.py", "upstreams/spawning.py", "gateway/app.py"),
    ),
    12: Control(
        "${VAR} is expanded in the configuration and in nothing that a peer sends",
        ("config/expand.py",),
    ),
    13: Control(
        "A child gets what is declared and a small safe set, never this process's environment",
        ("upstreams/environment.py",),
    ),
    14: Control(
        "A stdio server with a sandbox touches what it is given, or does not start",
        (
            "upstreams/sandbox/inner.py",
            "upstreams/sandbox/plan.py",
            "upstreams/sandbox/filter.py",
            "upstreams/sandbox/view.py",
            "upstreams/sandbox/doors.py",
        ),
    ),
    15: Control(
        "Where packages are to be pinned, a command without exact version or digest is refused",
        ("upstreams/launch.py",),
    ),
    22: Control(
        "What is hidden is also refused when it is called",
        ("upstreams/annotations.py", "upstreams/http_modern.py", "gateway/router.py"),
    ),
    23: Control(
        "Names are spelled server__tool, clashes are refused, none is routed by taking it apart",
        ("core/names.py", "gateway/face.py", "gateway/unlisted.py"),
    ),
    24: Control(
        "Headers that repeat the body agree with it, or the request is refused; the body counts",
        ("wire/headers.py", "wire/modern_in.py"),
    ),
    25: Control(
        "Invalid x-mcp-header tools are dropped; no line break and no client header goes upstream",
        ("upstreams/annotations.py", "upstreams/head.py", "upstreams/remote.py"),
    ),
    42: Control(
        "Dubious JSON has one meaning, and what was inspected is what is forwarded",
        ("wire/jsonrpc.py", "core/raw.py"),
    ),
    44: Control(
        "A policy that crashes or answers nonsense has refused",
        ("core/chain.py",),
    ),
    46: Control(
        "Upstream addresses, bodies, traces and configured secrets are shown to no client",
        ("upstreams/refusals.py", "upstreams/spec.py", "gateway/health.py", "observe/log.py"),
    ),
}


def holds(*numbers: int) -> Callable[[Test], Test]:
    """Say which controls a test shows."""

    def marked(test: Test) -> Test:
        return pytest.mark.control(*numbers)(test)

    return marked
