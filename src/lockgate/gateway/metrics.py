"""`/metrics`: what is counted of this process, at the moment it is asked for.

Must not know: how anything is counted, or how the format is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import msgspec

from lockgate import __version__
from lockgate.fronts.exchange import Exchange
from lockgate.fronts.server import HttpStats
from lockgate.gateway.face import Face
from lockgate.gateway.semantic_metrics import write_semantic
from lockgate.gateway.shaping import Write
from lockgate.gateway.status import GatewayStatus, ServerStatus
from lockgate.gateway.token_metrics import write_tokens
from lockgate.observe.definitions import FOUND
from lockgate.observe.exposition import Exposition, Labels
from lockgate.observe.meter import Meter
from lockgate.observe.semantic import SemanticMeter
from lockgate.observe.turned_away import TURNED_AWAY

_BREAKER = ("closed", "half-open", "open")
_PHASES = ("idle", "connecting", "ready", "backoff", "crash-looping", "stopped")


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """Where the counts are."""

    meter: Meter
    status: Callable[[], GatewayStatus]
    crashed: Mapping[str, int]
    found: Mapping[tuple[str, str, str, str], int] = MappingProxyType({})
    semantic: SemanticMeter
    http: Callable[[], HttpStats]
    exchanges: Callable[[], Mapping[str, Exchange]]
    listed: Callable[[], tuple[Face, Write | None]] | None = None
    running: Callable[[], int]
    listening: Callable[[], int]


def written(sources: Sources) -> bytes:
    """The whole page."""
    page = Exposition()
    _calls(page, sources.meter)
    status = sources.status()
    _servers(page, sources.meter, status)
    _clients(page, sources)
    page.family(
        "lockgate_policy_crashes_total",
        "counter",
        "How often each policy has crashed.",
        [((("policy", name),), count) for name, count in sources.crashed.items()],
    )
    page.family(
        "lockgate_configuration_refused",
        "gauge",
        "1 while a changed configuration was refused and the one before it goes on.",
        [((), int(status.reload is not None and status.reload.status == "refused"))],
    )
    page.family(
        "lockgate_callers_refused_total",
        "counter",
        "Callers that were not let in, by endpoint and reason.",
        [
            ((("endpoint", endpoint), ("reason", reason)), count)
            for (endpoint, reason), count in TURNED_AWAY.items()
        ],
    )
    page.family(
        "lockgate_definition_findings_total",
        "counter",
        "Different things found in what servers define, by what is done about them.",
        [
            ((("server", server), ("finding", kind), ("doing", doing)), count)
            for (server, kind, doing), count in FOUND.items()
        ],
    )
    page.family(
        "lockgate_guard_found_total",
        "counter",
        "What was found in content, by server, what looked, kind, and what was done about it.",
        [
            ((("server", server), ("what", what), ("kind", kind), ("done", done)), count)
            for (server, what, kind, done), count in sources.found.items()
        ],
    )
    if status.semantic is not None:
        write_semantic(page, status.semantic, sources.semantic)
    if sources.listed is not None:
        write_tokens(page, sources.meter.ledger, *sources.listed())
    page.family("lockgate_info", "gauge", "This gateway.", [((("version", __version__),), 1)])
    return page.text()


def _calls(page: Exposition, meter: Meter) -> None:
    failed: dict[tuple[str, str, str], int] = {}
    for (endpoint, method, origin, _), count in meter.failed.items():
        key = endpoint, method, origin
        failed[key] = failed.get(key, 0) + count
    ended: list[tuple[Labels, float]] = []
    for (endpoint, method), took in meter.calls.items():
        lost = sum(n for (at, what, _), n in failed.items() if (at, what) == (endpoint, method))
        ended.append((_named(endpoint, method, "ok"), max(took.count - lost, 0)))
    ended += [(_named(*key), count) for key, count in failed.items()]
    page.family(
        "lockgate_calls_total",
        "counter",
        "Calls that are over, by what they came to: ok, or whose fault it was.",
        ended,
    )
    page.family(
        "lockgate_failures_total",
        "counter",
        "Calls that came to a failure, by its reason.",
        [
            ((("endpoint", endpoint), ("origin", origin), ("reason", reason)), count)
            for (endpoint, origin, reason), count in _by_reason(meter).items()
        ],
    )
    page.histogram(
        "lockgate_call_seconds",
        "How long calls took, as their clients saw it.",
        [
            ((("endpoint", endpoint), ("method", method)), took)
            for (endpoint, method), took in meter.calls.items()
        ],
    )


def _by_reason(meter: Meter) -> dict[tuple[str, str, str], int]:
    found: dict[tuple[str, str, str], int] = {}
    for (endpoint, _, origin, reason), count in meter.failed.items():
        key = endpoint, origin, reason
        found[key] = found.get(key, 0) + count
    return found


def _named(endpoint: str, method: str, outcome: str) -> Labels:
    return ("endpoint", endpoint), ("method", method), ("outcome", outcome)


def _servers(page: Exposition, meter: Meter, status: GatewayStatus) -> None:
    asked = [(name, one) for name, one in meter.servers.items() if one.took.count]
    page.family(
        "lockgate_server_calls_total",
        "counter",
        "What servers were asked, each attempt, by what it came to: ok or a reason.",
        [
            sample
            for name, one in asked
            for sample in (
                (_at(name, "ok"), one.took.count - sum(one.failed.values())),
                *((_at(name, reason), count) for reason, count in one.failed.items()),
            )
        ],
    )
    page.histogram(
        "lockgate_server_call_seconds",
        "How long servers took.",
        [((("server", name),), one.took) for name, one in asked],
    )
    page.family(
        "lockgate_server_phase",
        "gauge",
        "1 for the phase a server is in.",
        _states(status.servers, "phase", _PHASES, lambda one: one.phase),
    )
    page.family(
        "lockgate_breaker_phase",
        "gauge",
        "1 for the phase a server's breaker is in.",
        _states(status.servers, "phase", _BREAKER, lambda one: one.breaker),
    )
    page.family(
        "lockgate_cache_lookups_total",
        "counter",
        "What came of looking up answers: hit, miss, joined or stale.",
        [
            ((("server", one.name), ("outcome", outcome)), count)
            for one in status.servers
            if one.cache is not None
            for outcome, count in (
                ("hit", one.cache.hits),
                ("miss", one.cache.misses),
                ("joined", one.cache.joined),
                ("stale", one.cache.stale),
            )
        ],
    )
    if status.cache is not None:
        kept = [((), status.cache.bytes)]
        page.family("lockgate_cache_bytes", "gauge", "What is cached in memory.", kept)


def _at(server: str, outcome: str) -> Labels:
    return ("server", server), ("outcome", outcome)


def _states(
    servers: Iterable[ServerStatus],
    label: str,
    every: Iterable[str],
    of: Callable[[ServerStatus], str],
) -> list[tuple[Labels, float]]:
    return [
        ((("server", one.name), (label, phase)), int(of(one) == phase))
        for one in servers
        for phase in every
    ]


def _clients(page: Exposition, sources: Sources) -> None:
    exchanges = sources.exchanges()
    for name, help_text, of in (
        ("sessions", "Sessions of clients of the handshake era with state in memory.", _sessions),
        ("open_streams", "Event streams and sockets that are open.", _streams),
        ("replay_bytes", "What is kept for clients that come back to a stream.", _kept),
    ):
        page.family(
            f"lockgate_{name}",
            "gauge",
            help_text,
            [((("endpoint", path),), of(one)) for path, one in exchanges.items()],
        )
    http = sources.http()
    page.family("lockgate_calls_running", "gauge", "Calls under way.", [((), sources.running())])
    listening = [((), sources.listening())]
    page.family("lockgate_listen_streams", "gauge", "Listen streams that are open.", listening)
    connections = [((), http.connections)]
    page.family("lockgate_connections", "gauge", "Connections of clients.", connections)
    requests = [((), http.requests)]
    page.family("lockgate_http_requests_total", "counter", "HTTP requests.", requests)
    refused = [((), http.refused_connections)]
    page.family(
        "lockgate_refused_connections_total",
        "counter",
        "Connections refused because there were too many.",
        refused,
    )


def _sessions(exchange: Exchange) -> int:
    return exchange.sessions


def _streams(exchange: Exchange) -> int:
    return len(exchange.pulse) + len(exchange.websocket)


def _kept(exchange: Exchange) -> int:
    return exchange.replay.size
