"""`lockgate up`: run the gateway until it is told to stop.

Must not know: how the gateway serves.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from pydantic import ValidationError

from lockgate.cli import exits, running, session
from lockgate.cli.binding import UNRESOLVED, check_bind
from lockgate.cli.callers import asked_of_callers
from lockgate.cli.files import OpenFiles
from lockgate.cli.freed import keep_freed
from lockgate.cli.options import config_argument, examined, log_options, start_log, warnings_of
from lockgate.cli.reloading import Overrides, Reloading
from lockgate.cli.running import StopSignals
from lockgate.cli.voices import Logged, Spoken, Voice
from lockgate.config.admin import AdminSettings
from lockgate.config.model import Config, GatewaySettings
from lockgate.config.watch import Watch, sources
from lockgate.errors import LockgateError
from lockgate.fronts.pipes import Pipes, claim
from lockgate.gateway.app import Gateway
from lockgate.gateway.auditing import opened
from lockgate.gateway.pin_keeper import Recorded
from lockgate.upstreams import orphans
from lockgate.upstreams.groups import GROUPS

Bound = TypeVar("Bound")
MakeReloading = Callable[[Gateway], Reloading]
_APPROVALS: Final = 0.5
"""Seconds between two looks at the lock file."""
_PATIENCE: Final = 10.0
"""Seconds the table waits for slow servers; they get their line when they are there."""


@click.command("up", epilog=exits.epilog())
@config_argument
@click.option("--host", help="The address to listen on; wins over `lockgate.host`.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port; wins over `lockgate.port`.")
@click.option("--stdio", is_flag=True, help="Serve one client on stdin and stdout instead of HTTP.")
@click.option("--endpoint", metavar="PATH", help="With --stdio: what the client gets to see.")
@click.option(
    "--insecure-bind",
    is_flag=True,
    help="Listen beyond this machine although nothing authenticates callers.",
)
@log_options
def command(
    config: Path,
    host: str | None,
    port: int | None,
    stdio: bool,
    endpoint: str | None,
    insecure_bind: bool,
    log_level: str | None,
    log_format: str | None,
) -> int:
    """Serve every server of CONFIG at one MCP endpoint.

    Over Streamable HTTP at http://127.0.0.1:4040/mcp unless told otherwise, or over stdio for a
    client that starts Lockgate itself. Ctrl-C or SIGTERM ends it in an orderly way; the second one
    ends it at once.

    A changed CONFIG is taken over while calls go on (see `lockgate.reload` in it). SIGHUP has it
    read at once; in a terminal and with --stdio it ends the program, as closing a terminal should.
    """
    watch = Watch(config)
    loaded, written = examined(config)
    watch.follow(sources(config, loaded.tree))
    changes: dict[str, Any] = {"host": host, "port": port}
    changes = {key: value for key, value in changes.items() if value is not None}
    try:
        settings = written.with_settings(**changes) if changes else written
    except ValidationError as error:
        problem = error.errors()[0]
        raise click.UsageError(f"--{problem['loc'][0]}: {problem['msg']}.") from error
    chosen = start_log(settings, log_level, log_format)
    voice = (Logged if stdio or chosen == "json" else Spoken)(str(config))
    told_elsewhere = {"wide-bind"}
    if all(one.start == "eager" for one in settings.enabled.values()):
        told_elsewhere.add("command-missing")  # by the table, with the next attempt
    warnings = [one for one in warnings_of(loaded) if one.id not in told_elsewhere]
    voice.findings(warnings)
    if not stdio:
        check_bind(settings, voice, insecure=insecure_bind)

    files = OpenFiles(clients=not stdio)
    files.allow(settings)

    def reloading(gateway: Gateway) -> Reloading:
        host = None if stdio or insecure_bind else settings.lockgate.host
        overrides = Overrides(changes, log_level, chosen, host)
        return Reloading(gateway, settings, config, overrides, watch, voice, files)

    if endpoint is not None and not stdio:
        raise click.UsageError("--endpoint is for --stdio; over HTTP all of them are served.")
    serve = partial(_serve_stdio, endpoint) if stdio else _serve_http
    outlives = not stdio and settings.lockgate.reload != "off" and not running.in_terminal()
    return running.run(serve(settings, voice, reloading), outlives_terminal=outlives)


async def _serve_http(config: Config, voice: Voice, reloads: MakeReloading) -> int:
    gateway = Gateway(config, audit=opened(config), records=True)
    reloading = reloads(gateway)
    stopping = StopSignals(gateway.abort)
    # Where there is no terminal that could hang up, SIGHUP means what it means to services.
    stopping.listen(None if running.in_terminal() else reloading.ask)
    settings = config.lockgate
    try:
        await _listen(gateway.serve_http(settings.host, settings.port), settings)
        operators = await _listen(gateway.serve_admin(), settings.admin)
    except LockgateError:
        await gateway.stop(0)
        raise
    try:
        await gateway.start()
        voice.listening(gateway.urls)
        voice.callers(asked_of_callers(config))
        if operators is not None:
            voice.operators(operators)
        late = await _introduce(gateway, stopping, voice)
        running.settle_down()
        keep_freed()
        going_on = [
            asyncio.create_task(_follow(gateway, late, voice)),
            asyncio.create_task(reloading.run()),
            asyncio.create_task(_approvals(gateway, voice)),
            asyncio.create_task(orphans.bury(GROUPS.pids)),
        ]
        await stopping.asked.wait()
        for task in going_on:
            task.cancel()
    finally:
        await _end(gateway, config, voice)
    return exits.OK


async def _listen(
    opening: Awaitable[Bound], asked: GatewaySettings | AdminSettings | None
) -> Bound:
    try:
        return await opening
    except OSError as error:
        what, remedy = _refusal(error)
        where = f"{asked.host}, port {asked.port}" if asked is not None else "an address"
        where += " (lockgate.admin)" * isinstance(asked, AdminSettings)
        message = f"Cannot listen on {where}: {what}."
        raise LockgateError(message, remedy, reason="cannot-listen") from error


def _refusal(error: OSError) -> tuple[str, str]:
    """Why an address cannot be listened on, and what to do about it."""
    if isinstance(error, socket.gaierror):
        return UNRESOLVED
    known = _REFUSALS.get(error.errno or 0)
    return known or (error.strerror or str(error), "Choose another host or port.")


_REFUSALS: Final = {
    errno.EADDRINUSE: (
        "another program has the port",
        "End that program, choose a port with --port, or let --port 0 find a free one.",
    ),
    errno.EADDRNOTAVAIL: ("this machine has no such address", "Correct the host."),
    errno.EACCES: (
        "the system does not allow it",
        "Ports below 1024 are for privileged programs; choose a higher one with --port.",
    ),
}


async def _introduce(gateway: Gateway, stopping: StopSignals, voice: Voice) -> list[str]:
    """Say what is being waited for, then how the servers are; a stop signal cuts it short.

    Returns the servers that are still starting.
    """
    asked = asyncio.create_task(stopping.asked.wait())
    with voice.waiting("Starting servers") as shown:
        settling = asyncio.create_task(session.settle(gateway, _PATIENCE, shown))
        try:
            await asyncio.wait({settling, asked}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            settling.cancel()
            asked.cancel()
    late = gateway.starting()
    if not stopping.asked.is_set():
        voice.servers(gateway.servers(), late)
    return late


async def _approvals(gateway: Gateway, voice: Voice) -> None:
    """Say what first use has recorded; then take over what is approved or denied meanwhile."""
    await gateway.settled(_PATIENCE)
    said: Recorded | None = None
    while True:
        await gateway.meet()
        recorded = gateway.pins.recorded()
        if recorded is not None and recorded != said:
            said = recorded
            voice.recorded(recorded)
        await asyncio.sleep(_APPROVALS)
        if gateway.look_at_pins():
            voice.decided(gateway.servers())


async def _follow(gateway: Gateway, late: list[str], voice: Voice) -> None:
    """Say how each server is that was still starting when the table was shown."""
    while late:
        await asyncio.sleep(session.TICK)
        over = [name for name in late if name not in gateway.starting()]
        for server in gateway.servers():
            if server.name in over:
                voice.server(server)
        late = [name for name in late if name not in over]


async def _introduce_all(gateway: Gateway, stopping: StopSignals, voice: Voice) -> None:
    await _follow(gateway, await _introduce(gateway, stopping, voice), voice)


async def _end(gateway: Gateway, config: Config, voice: Voice) -> None:
    grace = config.lockgate.shutdown_grace
    voice.stopping(grace)
    with voice.waiting("Stopping"):
        await gateway.stop(grace)
    voice.stopped()


async def _serve_stdio(
    endpoint: str | None, config: Config, voice: Voice, reloads: MakeReloading
) -> int:
    descriptors = claim()
    gateway = Gateway(config, audit=opened(config), records=True)
    stopping = StopSignals(gateway.abort)
    stopping.listen()
    pipes = await Pipes.open(*descriptors)
    asked = asyncio.create_task(stopping.asked.wait())
    try:
        await gateway.start()
        voice.listening({"stdio": ()})
        serving = asyncio.create_task(gateway.serve_stdio(pipes.reader, pipes.writer, endpoint))
        introducing = asyncio.create_task(_introduce_all(gateway, stopping, voice))
        reloading = asyncio.create_task(reloads(gateway).run())
        approvals = asyncio.create_task(_approvals(gateway, voice))
        burying = asyncio.create_task(orphans.bury(GROUPS.pids))
        await asyncio.wait({serving, asked}, return_when=asyncio.FIRST_COMPLETED)
        introducing.cancel()
        reloading.cancel()
        approvals.cancel()
        burying.cancel()
        if serving.done():
            serving.result()
    finally:
        asked.cancel()
        await _end(gateway, config, voice)
        await pipes.close()
    return exits.OK
