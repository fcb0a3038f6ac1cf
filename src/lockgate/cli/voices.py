"""How `up` says what is happening: in words for people, or as log records for machines.

Must not know: what is happening. With `--log-format json` every line on stderr is a JSON object, so
what people would read as a table becomes one record per server. Over stdio the client shows stderr
as a log, so there it is log lines too.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol

from msgspec.structs import asdict

from lockgate.cli.table import advice, show_server, show_servers, show_withheld, summary
from lockgate.cli.terminal import Waiting, log_findings, say, show_findings, waiting
from lockgate.config.finding import Finding
from lockgate.gateway.pin_keeper import Recorded
from lockgate.gateway.status import ServerStatus
from lockgate.gateway.worlds import Reloaded

_log: Final = logging.getLogger("lockgate.up")


Endpoints = Mapping[str, Sequence[str]]
"""The servers that can be seen at each address."""


def became(done: Reloaded, settings: Sequence[str]) -> str:
    """What a reload did, in a few words; `settings` are those of ours that differ."""
    words = ("added", "changed", "removed")
    said = [f"{word} {', '.join(getattr(done, word))}" for word in words if getattr(done, word)]
    said.append(f"{len(done.kept)} unchanged" if said else "every server stays as it is")
    if settings:
        said.insert(0, f"other {', '.join(settings)}")
    elif len(said) == 1 and not done.held:
        said.insert(0, "the files it names were read again")
    return "; ".join(said)


def stays(done: Reloaded) -> str:
    """Which changes a reload could not take over."""
    keys = ", ".join(done.held)
    return f"{keys}: this takes effect at the next start; until then it stays as it was."


def believed(pins: Recorded) -> str:
    """How much first use has believed."""
    things = f"{pins.things} definition{'s' * (pins.things != 1)}"
    return f"{things} of {pins.servers} server{'s' * (pins.servers != 1)}"


def unrecorded(pins: Recorded) -> str:
    """Nothing could be written down."""
    return (
        f"{believed(pins)} were believed and not recorded: {pins.why} Until it can be, every start "
        "believes what it meets. Make the file with `lockgate lock`, where it can be written."
    )


def errors_of(findings: Sequence[Finding]) -> int:
    """How many of these are errors."""
    return sum(one.severity == "error" for one in findings)


class Voice(Protocol):
    """The moments in the life of `up`."""

    def warn(self, text: str) -> None:
        """Something dangerous was asked for."""
        ...

    def findings(self, findings: Sequence[Finding]) -> None:
        """The configuration works, but something in it looks wrong."""
        ...

    def listening(self, where: Endpoints) -> None:
        """Clients can connect: at these addresses, with these servers behind each."""
        ...

    def callers(self, asked: Sequence[str]) -> None:
        """What is asked of callers, in sentences."""
        ...

    def operators(self, where: str) -> None:
        """Operators can ask, below this address."""
        ...

    def waiting(self, text: str) -> AbstractContextManager[Waiting]:
        """Something takes a while."""
        ...

    def servers(self, servers: Sequence[ServerStatus], late: Sequence[str]) -> None:
        """Every server is ready or has failed once, but for those that are late."""
        ...

    def server(self, server: ServerStatus) -> None:
        """A server that was late is ready or has failed."""
        ...

    def recorded(self, pins: Recorded) -> None:
        """What servers define was believed, because nothing was approved before."""
        ...

    def decided(self, servers: Sequence[ServerStatus]) -> None:
        """What was approved or denied meanwhile is in effect."""
        ...

    def reloaded(self, done: Reloaded, settings: Sequence[str]) -> None:
        """A changed configuration is in use; `settings` are those of ours that differ."""
        ...

    def refused(self, findings: Sequence[Finding]) -> None:
        """A changed configuration has errors; the one in use goes on."""
        ...

    def stopping(self, grace: float) -> None:
        """The end has begun."""
        ...

    def stopped(self) -> None:
        """Everything has ended."""
        ...


class Spoken:
    """For people: a line, a spinner, a table."""

    def __init__(self, config: str = "") -> None:
        """`config`: the file, as commands that are advised name it."""
        self._config = config

    def warn(self, text: str) -> None:
        """See `Voice.warn`."""
        say(f"WARNING: {text}", "bold red")

    def findings(self, findings: Sequence[Finding]) -> None:
        """See `Voice.findings`."""
        show_findings(findings, to_stderr=True)

    def listening(self, where: Endpoints) -> None:
        """See `Voice.listening`."""
        if len(where) == 1:
            say(f"Lockgate listens at {next(iter(where))}", "bold")
            return
        say("Lockgate listens at", "bold")
        widest = max(map(len, where))
        for url, servers in where.items():
            say(f"  {url:<{widest}}  {', '.join(servers) or 'no server'}")

    def callers(self, asked: Sequence[str]) -> None:
        """See `Voice.callers`."""
        for line in asked:
            say(line)

    def operators(self, where: str) -> None:
        """See `Voice.operators`."""
        say(f"For operators: {where}/metrics, {where}/ready")

    def waiting(self, text: str) -> AbstractContextManager[Waiting]:
        """See `Voice.waiting`."""
        return waiting(text)

    def servers(self, servers: Sequence[ServerStatus], late: Sequence[str]) -> None:
        """See `Voice.servers`."""
        show_servers(servers)
        say(summary(servers))
        show_withheld(servers, self._config)
        if late:
            say(f"Still starting: {', '.join(late)}. The others serve meanwhile.")

    def server(self, server: ServerStatus) -> None:
        """See `Voice.server`."""
        show_server(server)
        show_withheld([server], self._config)

    def recorded(self, pins: Recorded) -> None:
        """See `Voice.recorded`."""
        if pins.path is None:
            if pins.why is not None:
                self.warn(unrecorded(pins))
            return
        say(f"First use: {believed(pins)} recorded in {pins.path}. Review it, and commit it.")

    def decided(self, servers: Sequence[ServerStatus]) -> None:
        """See `Voice.decided`."""
        say(f"What was approved or denied is in effect: {summary(servers)}")
        show_withheld(servers, self._config)

    def reloaded(self, done: Reloaded, settings: Sequence[str]) -> None:
        """See `Voice.reloaded`."""
        say(f"Configuration reloaded: {became(done, settings)}.")
        if done.held:
            self.warn(stays(done))

    def refused(self, findings: Sequence[Finding]) -> None:
        """See `Voice.refused`."""
        self.findings(findings)
        say("The changed configuration was refused; the one in use goes on.", "bold red")

    def stopping(self, grace: float) -> None:
        """See `Voice.stopping`."""
        say(f"Stopping; running calls have up to {grace:g} s. A second Ctrl-C ends them at once.")

    def stopped(self) -> None:
        """See `Voice.stopped`."""
        say("Stopped.")


class Logged:
    """For machines: one record for each moment, one for each server."""

    def __init__(self, config: str = "") -> None:
        """See `Spoken`."""
        self._config = config

    def warn(self, text: str) -> None:
        """See `Voice.warn`."""
        _log.warning(text)

    def findings(self, findings: Sequence[Finding]) -> None:
        """See `Voice.findings`."""
        log_findings(findings)

    def listening(self, where: Endpoints) -> None:
        """See `Voice.listening`."""
        for url, servers in where.items():
            behind = {"servers": ", ".join(servers)} if len(where) > 1 else {}
            _log.info("listening", extra={"url": url, **behind})

    def callers(self, asked: Sequence[str]) -> None:
        """See `Voice.callers`."""
        for line in asked:
            _log.info(line)

    def operators(self, where: str) -> None:
        """See `Voice.operators`."""
        _log.info("listening for operators", extra={"url": where})

    def waiting(self, text: str) -> AbstractContextManager[Waiting]:
        """See `Voice.waiting`; silent."""
        _log.debug(text)
        return nullcontext(Waiting(None))

    def servers(self, servers: Sequence[ServerStatus], late: Sequence[str]) -> None:
        """See `Voice.servers`."""
        for server in servers:
            self.server(server)
        _log.info(summary(servers), extra={"starting": list(late)} if late else None)

    def server(self, server: ServerStatus) -> None:
        """See `Voice.server`."""
        level = logging.WARNING if server.error else logging.INFO
        facts = {
            "server": server.name,
            "state": server.phase,
            "breaker": None if server.breaker == "closed" else server.breaker,
            "transport": server.transport,
            "era": ",".join(server.eras),
            "tools": server.tools,
            "withheld": server.tools_withheld or None,
            "seconds": None if server.seconds is None else round(server.seconds, 3),
            "code": server.code,
            "error": server.error,
            "remedy": server.remedy,
            "retry_in": server.retry_in,
        }
        known = {key: value for key, value in facts.items() if value not in (None, "")}
        _log.log(level, "server", extra=known)
        for what, how in advice(server, self._config):
            _log.warning(what, extra={"server": server.name, "remedy": how})

    def recorded(self, pins: Recorded) -> None:
        """See `Voice.recorded`."""
        if pins.path is None:
            if pins.why is not None:
                self.warn(unrecorded(pins))
            return
        _log.info("first use", extra={"recorded": pins.things, "path": str(pins.path)})

    def decided(self, servers: Sequence[ServerStatus]) -> None:
        """See `Voice.decided`."""
        _log.info(
            "approvals in effect", extra={"withheld": sum(one.tools_withheld for one in servers)}
        )

    def reloaded(self, done: Reloaded, settings: Sequence[str]) -> None:
        """See `Voice.reloaded`."""
        facts = {name: list(servers) for name, servers in asdict(done).items() if servers}
        if settings:
            facts["settings"] = list(settings)
        _log.info("reloaded", extra=facts)
        if done.held:
            self.warn(stays(done))

    def refused(self, findings: Sequence[Finding]) -> None:
        """See `Voice.refused`."""
        self.findings(findings)
        _log.error("reload refused", extra={"errors": errors_of(findings)})

    def stopping(self, grace: float) -> None:
        """See `Voice.stopping`."""
        _log.info("stopping", extra={"grace": grace})

    def stopped(self) -> None:
        """See `Voice.stopped`."""
        _log.info("stopped")
