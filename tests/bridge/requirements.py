"""Every promise of the bridge, as data: what, on whose authority, and in which cells it holds.

A cell is the client's era and then the server's: L for the handshake era, M for the stateless one.
A test names the promises it holds with ``@requirement``; one that takes ``cell`` runs once for each
cell of its first promise, or of those given. ``test_requirements`` fails when a promise has no
test in one of its cells, and when a test names no promise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from tests.bridge.pending import PENDING

Verdict = Literal["crosses", "lossy", "refused"]
CELLS = ("LL", "LM", "ML", "MM")
ALL = "LL LM ML MM"
OLD = "2025-11-25/"
NEW = "2026-07-28/"
ASKING = f"{OLD}client/elicitation, {OLD}client/sampling, {NEW}basic/patterns/mrtr"
MRTR = f"{NEW}basic/patterns/mrtr"
LISTEN = f"{NEW}basic/patterns/subscriptions"
TRANSPORT = f"{OLD}basic/transports, {NEW}basic/transports/streamable-http"


@dataclass(frozen=True)
class Requirement:
    """One promise; `source` is where the specification says so, or who promises it."""

    id: str
    text: str
    source: str
    cells: tuple[str, ...]
    verdict: Verdict


REQUIREMENTS: dict[str, Requirement] = {}


def promise(name: str, cells: str, text: str, source: str, verdict: Verdict = "crosses") -> None:
    """Enter a promise into the table."""
    assert name not in REQUIREMENTS, name
    found = tuple(cells.split())
    assert set(found) <= set(CELLS), name
    REQUIREMENTS[name] = Requirement(name, text, source, found, verdict)


# The table. Verdicts: lossy promises say what is left, refused ones say how it is refused.
_TABLE: list[tuple[str, str, str, str, Verdict]] = [
    # Opening.
    (
        "suite-counts",
        ALL,
        "The official suite's counts are reached in each cell, over HTTP and stdio",
        "conformance suite",
        "crosses",
    ),
    (
        "mixed-fleet",
        ALL,
        "Servers of different eras behind one endpoint serve every client",
        "project",
        "crosses",
    ),
    (
        "dual-mirrored",
        "LL MM",
        "A server that speaks both eras is spoken to in the caller's",
        f"{NEW}basic/versioning",
        "crosses",
    ),
    (
        "era-override",
        "LL MM",
        "`era:` decides what is spoken to a server, unprobed",
        "project",
        "crosses",
    ),
    (
        "opening-initialize",
        "LL LM",
        "initialize says what the server says of itself, without what only the new era has",
        f"{OLD}basic/lifecycle",
        "crosses",
    ),
    (
        "opening-discover",
        "ML MM",
        "server/discover says what the server says of itself, with caching hints and versions",
        f"{NEW}server/discover",
        "crosses",
    ),
    (
        "session-capabilities",
        "LL ML",
        "Each session with a server is opened with the caller's own capabilities",
        f"{OLD}basic/lifecycle#capability-negotiation",
        "crosses",
    ),
    (
        "session-shared",
        "ML",
        "Calls of one principal with equal capabilities share a session",
        "project",
        "lossy",
    ),
    (
        "session-apart",
        "LL ML",
        "No two principals or client sessions share a session with a server",
        f"{OLD}basic/transports#session-management",
        "crosses",
    ),
    (
        "session-reopened",
        "LL ML",
        "A session the server has forgotten is opened again and the call made in it",
        f"{OLD}basic/transports#session-management",
        "crosses",
    ),
    (
        "session-gateway-only",
        "LM",
        "The session exists here alone: no session id ever reaches the server",
        f"{NEW}basic/transports/streamable-http",
        "crosses",
    ),
    (
        "facts-stamped",
        ALL,
        "The server learns what the caller can, and who it is where sessions are not shared",
        f"{NEW}basic#meta",
        "crosses",
    ),
    # Questions during a call.
    (
        "ask-elicitation",
        ALL,
        "A server's elicitation during a call reaches the client and its answer the server",
        ASKING,
        "crosses",
    ),
    (
        "ask-sampling",
        ALL,
        "A server's sampling request during a call reaches the client and its answer the server",
        ASKING,
        "crosses",
    ),
    (
        "ask-roots",
        ALL,
        "A server's roots request during a call reaches the client and its answer the server",
        ASKING,
        "crosses",
    ),
    ("ask-prompt", ALL, "prompts/get may ask as well", MRTR, "crosses"),
    ("ask-resource", ALL, "resources/read may ask as well", MRTR, "crosses"),
    (
        "ask-mixed",
        ALL,
        "Elicitation, sampling and roots may be asked in one call",
        ASKING,
        "crosses",
    ),
    (
        "ask-concurrent",
        ALL,
        "What a server asks at once reaches the client at once",
        ASKING,
        "crosses",
    ),
    (
        "ask-keys",
        "ML",
        "Keys of questions are minted here: unique in a call, and the answers find their questions",
        MRTR,
        "lossy",
    ),
    ("ask-rounds", ALL, "Ten rounds of questions in one call", MRTR, "crosses"),
    (
        "ask-rounds-bounded",
        "LM",
        "A server that never stops asking ends in a typed error",
        MRTR,
        "refused",
    ),
    (
        "ask-once",
        "LL ML",
        "A call that asks is run once, however many rounds it takes",
        MRTR,
        "crosses",
    ),
    ("ask-missing", "ML MM", "An answer left out is asked for again", MRTR, "crosses"),
    ("ask-unknown", "ML MM", "Answers nobody asked for are ignored", MRTR, "crosses"),
    (
        "ask-stray",
        "ML",
        "Answers without a state begin the call anew; they reach no server",
        MRTR,
        "crosses",
    ),
    (
        "ask-state-only",
        "LM",
        "A server that gives only a state is called again by itself",
        MRTR,
        "crosses",
    ),
    (
        "ask-fresh-id",
        "LM MM",
        "Every attempt has an id of its own and the state byte for byte",
        MRTR,
        "crosses",
    ),
    (
        "ask-declined",
        ALL,
        "A client's decline or cancel is an answer, and reaches the server as one",
        f"{OLD}client/elicitation#response-actions",
        "crosses",
    ),
    (
        "ask-error",
        "LL",
        "A client's error reaches the server as it is",
        f"{OLD}client/sampling#error-handling",
        "crosses",
    ),
    (
        "ask-error-typed",
        "LM",
        "A client's error ends a call that has no form for it in a typed error",
        MRTR,
        "lossy",
    ),
    (
        "ask-undeclared",
        ALL,
        "What the client has not declared is not asked of it; the call ends in an error saying so",
        f"{NEW}basic#capabilities",
        "refused",
    ),
    (
        "ask-no-stream",
        "LL LM",
        "A client that takes no event stream is told that it cannot be asked",
        TRANSPORT,
        "refused",
    ),
    (
        "ask-outside",
        "LL",
        "What a server asks outside of calls reaches the client's GET stream",
        f"{OLD}basic/transports#listening-for-messages-from-the-server",
        "crosses",
    ),
    (
        "ask-outside-refused",
        "ML",
        "What a server asks outside of calls is refused to the server; it never waits for ever",
        TRANSPORT,
        "refused",
    ),
    # Parked calls.
    ("state-tampered", "ML MM", "A state that was changed is refused with -32602", MRTR, "refused"),
    ("state-replayed", "ML", "A state opens its call once", MRTR, "refused"),
    (
        "state-foreign",
        "ML",
        "A state opens its call for its own principal alone, and survives another's try",
        MRTR,
        "refused",
    ),
    (
        "state-bound",
        "ML",
        "A state opens its call for the same method and params alone",
        MRTR,
        "refused",
    ),
    (
        "state-expired",
        "ML",
        "A state expires: the client gets a typed error, the server a cancellation",
        MRTR,
        "refused",
    ),
    (
        "parked-limits",
        "ML",
        "Too many parked calls of one principal are refused, and those of others are not",
        "project",
        "refused",
    ),
    (
        "parked-death",
        ALL,
        "A server that dies while it is waited for gives a typed error, and nothing is run again",
        "project",
        "refused",
    ),
    # Leaving.
    (
        "cancel",
        ALL,
        "A cancelled call is cancelled at the server",
        f"{OLD}basic/utilities/cancellation, {NEW}basic/patterns/cancellation",
        "crosses",
    ),
    (
        "cancel-asked",
        "LL",
        "A call cancelled while its client is asked is cancelled at the server",
        f"{OLD}basic/utilities/cancellation",
        "crosses",
    ),
    (
        "cancel-not-parked",
        "ML",
        "The end of a stream that delivered input_required cancels nothing",
        MRTR,
        "crosses",
    ),
    (
        "vanish-not-cancel",
        "LL LM",
        "A client of the old era whose connection breaks has cancelled nothing",
        f"{OLD}basic/transports#sending-messages-to-the-server",
        "crosses",
    ),
    (
        "vanish-cleanup",
        ALL,
        "A client that vanishes at any step leaves nothing behind that keeps others waiting",
        "project",
        "crosses",
    ),
    ("vanish-listening", ALL, "Who stops listening is no longer listened for", LISTEN, "crosses"),
    # What is said meanwhile.
    (
        "progress",
        ALL,
        "Progress reaches who asked for it, with the token it gave",
        f"{OLD}basic/utilities/progress",
        "crosses",
    ),
    (
        "progress-unasked",
        ALL,
        "Progress reaches nobody who gave no token",
        f"{OLD}basic/utilities/progress",
        "crosses",
    ),
    (
        "progress-rounds",
        ALL,
        "Progress goes on after a round of questions, on the stream there is then",
        MRTR,
        "lossy",
    ),
    (
        "log-level",
        ALL,
        "Log messages of the level the caller set and above reach it",
        f"{OLD}server/utilities/logging, {NEW}server/utilities/logging",
        "crosses",
    ),
    (
        "log-unasked",
        "ML MM",
        "A request without a log level gets no log messages",
        f"{NEW}server/utilities/logging",
        "crosses",
    ),
    (
        "log-default",
        "LM",
        "A client that never set a level hears what such servers say by default",
        f"{OLD}server/utilities/logging",
        "crosses",
    ),
    (
        "log-invalid",
        "LL LM",
        "A level that does not exist is refused with -32602",
        f"{OLD}server/utilities/logging",
        "refused",
    ),
    (
        "log-set-refused",
        "ML MM",
        "logging/setLevel in the new era is no method: -32601 and 404",
        f"{NEW}changelog",
        "refused",
    ),
    ("ping", "LL LM", "ping is answered here", f"{OLD}basic/utilities/ping", "crosses"),
    (
        "ping-refused",
        "ML MM",
        "ping in the new era is no method: -32601 and 404",
        f"{NEW}changelog",
        "refused",
    ),
    (
        "ping-server",
        "LL ML",
        "A server's ping is answered here",
        f"{OLD}basic/utilities/ping",
        "crosses",
    ),
    ("list-changed", ALL, "A changed list is told to who listens for it", LISTEN, "crosses"),
    ("list-refetched", ALL, "A list asked for after its change is the new one", LISTEN, "crosses"),
    (
        "updated",
        ALL,
        "An updated resource is told to who subscribed to it",
        f"{OLD}server/resources#subscriptions, {LISTEN}",
        "crosses",
    ),
    (
        "updated-others",
        ALL,
        "An updated resource is told to nobody else",
        f"{OLD}server/resources#subscriptions, {LISTEN}",
        "crosses",
    ),
    (
        "unsubscribe",
        "LL LM",
        "After unsubscribe nothing is told",
        f"{OLD}server/resources#subscriptions",
        "crosses",
    ),
    (
        "subscribe-unsupported",
        "ML",
        "What a server cannot be subscribed to is missing from the acknowledgement",
        LISTEN,
        "lossy",
    ),
    (
        "listen-tagged",
        "ML MM",
        "Everything on a listen stream carries the id of that stream",
        LISTEN,
        "crosses",
    ),
    (
        "roots-changed",
        "LL",
        "notifications/roots/list_changed reaches the server",
        f"{OLD}client/roots",
        "crosses",
    ),
    (
        "roots-changed-swallowed",
        "LM",
        "notifications/roots/list_changed goes nowhere: roots are always asked for anew",
        f"{NEW}changelog",
        "lossy",
    ),
    # Elicitation by URL.
    (
        "url-elicitation",
        ALL,
        "A page to visit is put to the client",
        f"{OLD}client/elicitation#url-mode",
        "crosses",
    ),
    (
        "url-id",
        "LM",
        "An elicitationId is made for the client, and its completion told after the call",
        f"{OLD}client/elicitation#url-mode",
        "lossy",
    ),
    (
        "url-id-dropped",
        "ML",
        "An elicitationId does not reach a client that knows none",
        f"{NEW}changelog",
        "crosses",
    ),
    (
        "url-old-client",
        "LM",
        "A client that knows no URL elicitation is not asked; the call ends in an error saying so",
        f"{OLD}client/elicitation#url-mode",
        "refused",
    ),
    (
        "url-required",
        "LL",
        "The error -32042 reaches the client",
        f"{OLD}client/elicitation#url-elicitation-required-error",
        "crosses",
    ),
    (
        "url-required-asked",
        "ML",
        "The error -32042 becomes a question, and the retry is the call again",
        f"{NEW}changelog",
        "crosses",
    ),
    # Results and errors.
    (
        "results-plain",
        "LL LM",
        "Results carry nothing that only the new era knows",
        f"{OLD}basic",
        "crosses",
    ),
    (
        "results-dressed",
        "ML MM",
        "Results carry resultType, caching hints where due and who serves",
        f"{NEW}server/utilities/caching",
        "crosses",
    ),
    (
        "results-whole",
        ALL,
        "Members nobody here knows survive in both directions",
        "project",
        "crosses",
    ),
    (
        "results-structured",
        "LM",
        "Structured content that is no object is left out, its text stays",
        f"{OLD}server/tools#structured-content",
        "lossy",
    ),
    (
        "results-task-support",
        "ML",
        "execution.taskSupport does not reach a client that has no such tasks",
        f"{NEW}changelog",
        "crosses",
    ),
    (
        "error-verbatim",
        ALL,
        "A server's error keeps its code, message and data",
        "JSON-RPC 2.0",
        "crosses",
    ),
    (
        "not-found",
        ALL,
        "A resource that is not there has the code of the caller's era, and its URI",
        f"{OLD}server/resources#error-handling, {NEW}server/resources#error-handling",
        "crosses",
    ),
    (
        "unknown-method",
        ALL,
        "A method of the other era is refused with -32601",
        f"{NEW}basic/versioning",
        "refused",
    ),
    (
        "pagination",
        ALL,
        "Lists in pages come through whole, each entry once",
        f"{OLD}server/utilities/pagination",
        "crosses",
    ),
    (
        "cursor-invalid",
        ALL,
        "A cursor nobody gave out is refused with -32602",
        f"{OLD}server/utilities/pagination",
        "refused",
    ),
    (
        "completion",
        ALL,
        "completion/complete is answered by the server concerned",
        f"{OLD}server/utilities/completion",
        "crosses",
    ),
    (
        "trace",
        ALL,
        "Trace context and metadata nobody here knows reach the server",
        f"{NEW}basic#meta",
        "crosses",
    ),
    (
        "param-headers",
        "LM MM",
        "Arguments that a schema wants in headers travel in headers too",
        f"{NEW}basic/transports/streamable-http#custom-headers",
        "crosses",
    ),
    (
        "param-headers-invalid",
        "LM MM",
        "A tool whose header annotations are invalid is not listed",
        f"{NEW}basic/transports/streamable-http#custom-headers",
        "refused",
    ),
    # Isolation.
    ("isolation-answers", ALL, "No answer reaches another client's call", "project", "crosses"),
    (
        "isolation-said",
        ALL,
        "No progress or log message of a call reaches another client",
        "project",
        "crosses",
    ),
    (
        "isolation-told",
        ALL,
        "No notification reaches a client that did not ask for it",
        "project",
        "crosses",
    ),
    # Tasks.
    (
        "tasks-wait",
        "LM",
        "A task of the extension is shown to an old client as a call that waits",
        "ext-tasks",
        "crosses",
    ),
    (
        "tasks-hidden",
        "ML",
        "Experimental tasks are not offered to new clients, nor the extension to old ones",
        "ext-tasks",
        "lossy",
    ),
    # Resuming, older and other transports.
    (
        "resume-front",
        "LL LM",
        "A broken stream of an old client resumes by Last-Event-ID, from a bounded store",
        f"{OLD}basic/transports#resumability-and-redelivery",
        "crosses",
    ),
    (
        "resume-none",
        "ML MM",
        "A new client's streams carry no event ids",
        f"{NEW}basic/transports/streamable-http",
        "refused",
    ),
    (
        "resume-upstream",
        "LL ML",
        "A broken stream of an old server is resumed by Last-Event-ID while a client waits",
        f"{OLD}basic/transports#resumability-and-redelivery",
        "crosses",
    ),
    (
        "batch",
        "LL LM",
        "A batch of revision 2025-03-26 is split, and its answers gathered",
        "2025-03-26/basic/transports",
        "crosses",
    ),
    (
        "http-sse",
        ALL,
        "Clients and servers of 2024-11-05 over HTTP+SSE",
        "2024-11-05/basic/transports",
        "crosses",
    ),
    ("websocket", ALL, "Clients and servers over WebSocket, subprotocol mcp", "project", "crosses"),
    # What people see.
    (
        "refused-typed",
        "LM ML",
        "A refusal says which feature, which side lacks it and what to do",
        "project",
        "refused",
    ),
    (
        "docs-table",
        ALL,
        "docs/concepts/eras.md is generated from the table the code uses",
        "project",
        "crosses",
    ),
    ("up-shows-era", ALL, "`lockgate up` shows each server's era", "project", "crosses"),
    (
        "audit-translation",
        "LM ML",
        "A call's audit facts say which translation was made",
        "project",
        "crosses",
    ),
    (
        "stdio",
        ALL,
        "Questions, cancellation and isolation hold over stdio as over HTTP",
        TRANSPORT,
        "crosses",
    ),
]
for _entry in _TABLE:
    promise(_entry[0], _entry[1], _entry[2], _entry[3], _entry[4])

# Promises whose tests come with their code. An entry whose promise has a test fails.
AWAITED = {
    "resume-front": "held by tests/fronts/test_replay.py",
    "resume-upstream": "held by tests/conformance/test_client_suite.py (sse-retry) for LL",
    "batch": "held by tests/fronts/test_batch.py",
    "http-sse": "held by tests/fronts/test_http_sse.py for clients",
    "websocket": "held by tests/fronts/test_websocket.py for clients",
    "docs-table": "held by tests/bridge/test_requirements.py",
    "up-shows-era": "held by tests/cli",
    "audit-translation": "held by tests/upstreams/test_bridging.py",
}


@dataclass(frozen=True)
class Held:
    """What one test holds."""

    test: str
    ids: tuple[str, ...]
    cells: tuple[str, ...]


HELD: list[Held] = []


def requirement(*ids: str, cells: str | None = None) -> Callable[[Any], Any]:
    """The test holds these promises, in these cells or in those of the first promise."""
    unknown = [name for name in ids if name not in REQUIREMENTS]
    assert ids, "a test names a promise"
    assert not unknown, f"no such promise: {unknown}"
    found = tuple(cells.split()) if cells is not None else REQUIREMENTS[ids[0]].cells

    def mark(function: Any) -> Any:
        HELD.append(Held(function.__name__, ids, found))
        function.promises = ids
        code = function.__code__
        if "cell" not in code.co_varnames[: code.co_argcount]:
            return function
        return pytest.mark.parametrize("cell", [_case(function.__name__, c) for c in found])(
            function
        )

    return mark


def _case(test: str, cell: str) -> Any:
    known = PENDING.get(test, {})
    reason = known.get(cell)
    marks = () if reason is None else (pytest.mark.xfail(strict=True, reason=reason),)
    return pytest.param(cell, id=cell, marks=marks)
