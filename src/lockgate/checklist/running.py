"""What keeps a gateway working, seen, and able to grow.

Must not know: how items are shown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from lockgate.checklist.facts import Facts
from lockgate.checklist.item import Item, Verdict, holds, lacks, moot, said_of
from lockgate.checklist.security import PUBLIC
from lockgate.config.model import ServerConfig
from lockgate.core.legible import visible
from lockgate.gateway.exposing import exposures_of
from lockgate.gateway.lenders import terms_of

_LOCAL: Final = "Only this machine reaches the gateway."
_LONGEST: Final = 3600
_SERVER: Final[dict[str, Any]] = {"command": "uvx", "args": ["mcp-server-time==2025.9.25"]}
_AUTH: Final = {**PUBLIC, "auth": {"keys_env": "LOCKGATE_KEYS"}}


def _each(facts: Facts, fits: Callable[[ServerConfig], bool], what: str) -> Verdict:
    if not facts.servers:
        return moot("There is no server.")
    loose = [visible(name) for name, one in facts.servers.items() if not fits(one)]
    return said_of(loose, what)


def _ends(facts: Facts) -> Verdict:
    return _each(facts, lambda one: one.timeout <= _LONGEST, "Calls may take over an hour at")


def _repeats(facts: Facts) -> Verdict:
    def careful(one: ServerConfig) -> bool:
        return one.retry.attempts == 1 or one.retry.tools != "always"

    return _each(facts, careful, "Calls with effects may be made twice at")


def _breaks(facts: Facts) -> Verdict:
    return _each(facts, lambda one: one.breaker.enabled, "Nothing stops calls when they fail at")


def _loops(facts: Facts) -> Verdict:
    if not facts.stdio:
        return moot("No server is started here.")
    loose = [visible(name) for name, one in facts.stdio.items() if not one.crash_loop.deaths]
    return said_of(loose, "These are started again and again however often they die")


def _drains(facts: Facts) -> Verdict:
    some = facts.settings.shutdown_grace > 0
    return holds() if some else lacks("Running calls are cut off at a stop.")


def _memory(facts: Facts) -> Verdict:
    if not facts.stdio:
        return moot("No server is started here.")
    loose = [
        visible(name)
        for name, one in facts.stdio.items()
        if one.limits.memory_bytes is None and one.sandbox.memory is None
    ]
    return said_of(loose, "These may take all the memory there is")


def _shares(facts: Facts) -> Verdict:
    if not facts.beyond:
        return moot(_LOCAL)

    def shared(one: ServerConfig) -> bool:
        return one.limits.concurrent_per_caller < one.limits.concurrent

    return _each(facts, shared, "One caller can take every place at")


def _measured(facts: Facts) -> Verdict:
    some = facts.settings.admin is not None
    return holds() if some else lacks("Nothing is counted.")


def _recorded(facts: Facts) -> Verdict:
    if facts.settings.audit is not None:
        return holds()
    return lacks("Nobody could say afterwards who called what.") if facts.beyond else moot(_LOCAL)


def _structured(facts: Facts) -> Verdict:
    if facts.settings.log.format == "json":
        return holds()
    return lacks("Log lines are for people.") if facts.beyond else moot("A person reads the log.")


def _quiet(facts: Facts) -> Verdict:
    loud = facts.settings.log.level == "debug"
    return lacks("Each message is logged.") if loud else holds()


def _rated(facts: Facts) -> Verdict:
    settings = facts.settings
    rates = [settings.rate, *(one.rate for one in settings.endpoints.values())]
    rates += [one.rate for one in facts.servers.values()]
    if any(one.total or one.per_principal or one.per_client for one in rates):
        return holds()
    return lacks("A caller in a loop is answered each time.") if facts.beyond else moot(_LOCAL)


def _cached(facts: Facts) -> Verdict:
    some = facts.settings.cache.enabled
    return holds() if some else lacks("Each read asks the server again.")


def _fitting(facts: Facts) -> Verdict:
    if not facts.servers:
        return moot("There is no server.")
    short = {path for path, _ in terms_of(facts.config).loans}
    # Where tools are found, it is models that find them.
    long = [visible(path) for path in exposures_of(facts.config) if path not in short]
    if long:
        return said_of(long, "A result of any length is given whole at")
    return holds() if short else Verdict("unknown", "Results are given whole, as programs want.")


def _together(facts: Facts) -> Verdict:
    if facts.settings.store is None:
        return moot("There is no store, so this is one process.")
    if facts.settings.session.keyed:
        return holds()
    return lacks("Each process seals sessions with a key that the others do not have.")


def _lent(facts: Facts) -> Verdict:
    if not terms_of(facts.config).loans:
        return moot("No results are kept.")
    settings, noted = facts.settings, facts.noted("results-unshared")
    if noted:
        return lacks(noted[0])
    if settings.store is None:
        return Verdict("unknown", "They are in memory, which is enough for one process.")
    if settings.session.keyed:
        return holds()
    return lacks("Each process signs their ids with a key that the others do not have.")


def _named(facts: Facts) -> Verdict:
    if not facts.beyond:
        return moot(_LOCAL)
    url = facts.settings.public_url or ""
    return holds() if url.startswith("https://") else lacks("Clients are not told its real name.")


def _clean(facts: Facts) -> Verdict:
    count = sum(one.severity == "warning" for one in facts.loaded.findings.ordered())
    return lacks(f"There {'is' if count == 1 else 'are'} {count}.") if count else holds()


def _both(worse: dict[str, Any], better: dict[str, Any]) -> dict[str, Any]:
    """Two configurations that differ in the settings of the gateway."""
    servers = {"mcpServers": {"time": _SERVER}}
    return {
        "lacking": {**servers, "lockgate": worse},
        "having": {**servers, "lockgate": better},
    }


def _server(worse: dict[str, Any], better: dict[str, Any], **lockgate: Any) -> dict[str, Any]:
    """Two configurations that differ in the settings of a server."""
    more = {"lockgate": lockgate} if lockgate else {}
    return {
        "lacking": {"mcpServers": {"time": {**_SERVER, **worse}}, **more},
        "having": {"mcpServers": {"time": {**_SERVER, **better}}, **more},
    }


RELIABILITY: Final = (
    Item(
        id="ends",
        area="reliability",
        holds="Every call ends.",
        why="A server that never answers holds its caller, and places that others wait for.",
        setting="`timeout` of the server; an hour is long.",
        judge=_ends,
        **_server({"timeout": "2h"}, {"timeout": "60s"}),
    ),
    Item(
        id="repeats",
        area="reliability",
        holds="Only what may run twice is tried again.",
        why="A payment that timed out may have been made.",
        setting="`retry.tools: annotated`.",
        judge=_repeats,
        **_server({"retry": {"tools": "always"}}, {"retry": {"tools": "annotated"}}),
    ),
    Item(
        id="breaks",
        area="reliability",
        holds="A server that fails is left alone for a while.",
        why="Calls that will fail should fail at once, and not keep it from recovering.",
        setting="`breaker.enabled: true`.",
        judge=_breaks,
        **_server({"breaker": {"enabled": False}}, {"breaker": {"enabled": True}}),
    ),
    Item(
        id="loops",
        area="reliability",
        holds="A program that dies at once is not started for ever.",
        why="A crash loop takes the machine with it.",
        setting="`crash_loop.deaths` above 0.",
        judge=_loops,
        **_server({"crash_loop": {"deaths": 0}}, {"crash_loop": {"deaths": 5}}),
    ),
    Item(
        id="drains",
        area="reliability",
        holds="Calls that are running are finished at a stop.",
        why="A deployment should be nobody's failed call.",
        setting="`lockgate.shutdown_grace`, shorter than what your service manager waits.",
        judge=_drains,
        **_both({"shutdown_grace": 0}, {"shutdown_grace": "30s"}),
    ),
    Item(
        id="memory",
        area="reliability",
        holds="No server started here can take all the memory.",
        why="When there is none left, the system ends whom it likes.",
        setting="`limits.memory_bytes` of the server.",
        judge=_memory,
        **_server({}, {"limits": {"memory_bytes": "512MiB"}}),
    ),
    Item(
        id="restarted",
        area="reliability",
        holds="The gateway is started again when it ends.",
        why="Nothing in it can do that.",
        ask="systemctl show -p Restart lockgate, kubectl get pod -o yaml (restartPolicy)",
    ),
)

OBSERVABILITY: Final = (
    Item(
        id="measured",
        area="observability",
        holds="Calls are counted, and operators can ask how it is.",
        why="Without figures, the first to notice is a user.",
        setting="`lockgate.admin: {}`, with `/metrics`, `/health` and `/ready`.",
        judge=_measured,
        **_both({}, {"admin": {}}),
    ),
    Item(
        id="scraped",
        area="observability",
        holds="Somebody collects the figures, and is woken by them.",
        why="Figures that nobody looks at change nothing.",
        ask="curl -fsS http://127.0.0.1:4041/metrics",
    ),
    Item(
        id="probed",
        area="observability",
        holds="What routes to the gateway asks `/ready` first.",
        why="While it starts or drains, calls should go elsewhere.",
        ask="curl -fsS http://127.0.0.1:4040/ready",
    ),
    Item(
        id="recorded",
        area="observability",
        holds="Who called what is on record, in a log that shows when it was altered.",
        why="After an incident it is the first question.",
        setting="`lockgate.audit`, with a `file`.",
        judge=_recorded,
        **_both(_AUTH, {**_AUTH, "audit": {"file": "audit.jsonl"}}),
    ),
    Item(
        id="structured",
        area="observability",
        holds="The log is JSON.",
        why="What collects logs cannot search sentences.",
        setting="`lockgate.log.format: json`.",
        judge=_structured,
        **_both(_AUTH, {**_AUTH, "log": {"format": "json"}}),
    ),
    Item(
        id="quiet",
        area="observability",
        holds="The log is not in detail for developers.",
        why="It is slow, and says more about callers than is anybody's business.",
        setting="`lockgate.log.level: info`.",
        judge=_quiet,
        **_both({"log": {"level": "debug"}}, {"log": {"level": "info"}}),
    ),
)

SCALE: Final = (
    Item(
        id="rated",
        area="scale",
        holds="How often callers may ask is limited.",
        why="A model in a loop asks as fast as it is answered.",
        setting='`lockgate.rate.per_principal`, such as `["10/s burst 20"]`.',
        judge=_rated,
        **_both(_AUTH, {**_AUTH, "rate": {"per_principal": ["10/s burst 20"]}}),
    ),
    Item(
        id="shares",
        area="scale",
        holds="No caller can take every place at a server.",
        why="One agent with a hundred calls at once would be everybody's outage.",
        setting="`limits.concurrent_per_caller`, below `limits.concurrent`.",
        judge=_shares,
        **_server({}, {"limits": {"concurrent_per_caller": 16}}, **_AUTH),
    ),
    Item(
        id="cached",
        area="scale",
        holds="What a server calls fresh is not asked for again.",
        why="The fastest call is the one that is not made.",
        setting="`lockgate.cache.enabled: true`.",
        judge=_cached,
        **_both({"cache": {"enabled": False}}, {"cache": {"enabled": True}}),
    ),
    Item(
        id="together",
        area="scale",
        holds="Processes behind one address know each other's sessions.",
        why="A session that only one of them can open ends with each request to another.",
        setting="`lockgate.session.keys_file`, the same everywhere.",
        judge=_together,
        **_both(
            {"store": "sqlite:state.db"},
            {"store": "sqlite:state.db", "session": {"keys_file": "KEYS"}},
        ),
    ),
    Item(
        id="lent",
        area="scale",
        holds="Processes behind one address can read the results that any of them keeps.",
        why="A model that is answered by another process next is told that its result is gone.",
        setting="`lockgate.store` and `lockgate.session.keys_file`, the same everywhere.",
        judge=_lent,
        **_both(
            {"results": {"enabled": True}, "session": {"keys_file": "KEYS"}},
            {
                "results": {"enabled": True},
                "store": "sqlite:state.db",
                "session": {"keys_file": "KEYS"},
            },
        ),
    ),
    Item(
        id="files",
        area="scale",
        holds="As many connections may be open as are allowed.",
        why="Each takes a descriptor; when there are none left, nobody gets in.",
        ask="ulimit -n",
    ),
    Item(
        id="tools",
        area="scale",
        holds="Models are shown no more tools than they need.",
        why="Every definition is paid for in every turn, and the right one is harder to find.",
        ask="lockgate tokens CONFIG",
    ),
    Item(
        id="fitting",
        area="scale",
        holds="Models are given no result that is longer than they can use.",
        why="A long result stays in the window for the whole conversation, most of it unread.",
        setting="`lockgate.results.enabled: true`, where models read; programs want all of it.",
        judge=_fitting,
        ask="curl -fsS http://127.0.0.1:4041/metrics",
        **_both({"expose": "search"}, {"expose": "search", "results": {"enabled": True}}),
    ),
)

DEPLOYMENT: Final = (
    Item(
        id="named",
        area="deployment",
        holds="The gateway knows what clients call it.",
        why="Tokens are meant for that name, and metadata point to it.",
        setting="`lockgate.public_url`, with https.",
        judge=_named,
        **_both({"host": PUBLIC["host"], "auth": _AUTH["auth"]}, _AUTH),
    ),
    Item(
        id="clean",
        area="deployment",
        holds="The configuration has no warnings.",
        why="Among ten that do not matter, nobody sees the one that does.",
        setting="What `lockgate config check CONFIG` names.",
        judge=_clean,
        lacking={"mcpServers": {"time": {"command": "sh", "args": ["-c", "time"]}}},
        having={"mcpServers": {"far": {"url": "https://far.example.com/mcp"}}},
    ),
    Item(
        id="reviewed",
        area="deployment",
        holds="A change of a server's tools is seen in review.",
        why="What CI compares with the lock file cannot slip in with an update.",
        ask="lockgate lock --check CONFIG",
    ),
    Item(
        id="looked-at",
        area="deployment",
        holds="What the servers define has been looked at.",
        why="Poisoned descriptions are there before the first call.",
        ask="lockgate scan CONFIG",
    ),
    Item(
        id="source",
        area="deployment",
        holds="Servers of your own have no known anti-pattern, and their tests pass.",
        why="What a gateway can catch is the smaller part.",
        ask="lockgate lint src",
    ),
    Item(
        id="unprivileged",
        area="deployment",
        holds="The gateway runs as a user of its own, without privileges.",
        why="What it starts, runs as it does.",
        ask="ps -o user=,args= -C lockgate",
    ),
    Item(
        id="streams",
        area="deployment",
        holds="The proxy in front passes streams on as they come.",
        why="Buffered, progress arrives when all is over, and long streams are cut.",
        ask="curl -N -H 'Accept: text/event-stream' https://mcp.example.com/mcp",
    ),
    Item(
        id="kept",
        area="deployment",
        holds="Keys, the lock file and the audit log are backed up, and a restore was tried.",
        why="A backup that was never restored is a hope.",
        ask="lockgate audit verify FILE",
    ),
)
