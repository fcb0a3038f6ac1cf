"""`lockgate up`: run the gateway until it is told to stop.

Must not know: how the gateway serves.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any, Final

import click
from pydantic import ValidationError

from lockgate.cli import exits, running
from lockgate.cli.options import config_argument, load_config, log_options, start_log
from lockgate.cli.pipes import Pipes, claim
from lockgate.cli.running import StopSignals
from lockgate.cli.voices import Logged, Spoken, Voice
from lockgate.config.check import loopback
from lockgate.config.model import Config
from lockgate.errors import LockgateError, UnsafeBind
from lockgate.gateway.app import Gateway
from lockgate.upstreams.descriptors import raise_limit

_TICK: Final = 0.2
_log: Final = logging.getLogger("lockgate.gateway")


@click.command("up", epilog=exits.epilog())
@config_argument
@click.option("--host", help="The address to listen on; wins over `lockgate.host`.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port; wins over `lockgate.port`.")
@click.option("--stdio", is_flag=True, help="Serve one client on stdin and stdout instead of HTTP.")
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
    insecure_bind: bool,
    log_level: str | None,
    log_format: str | None,
) -> int:
    """Serve every server of CONFIG at one MCP endpoint.

    Over Streamable HTTP at http://127.0.0.1:4040/mcp unless told otherwise, or over stdio for a
    client that starts Lockgate itself. Ctrl-C or SIGTERM ends it in an orderly way; the second one
    ends it at once.
    """
    loaded, warnings = load_config(config)
    changes: dict[str, Any] = {"host": host, "port": port}
    changes = {key: value for key, value in changes.items() if value is not None}
    try:
        settings = loaded.with_settings(**changes) if changes else loaded
    except ValidationError as error:
        problem = error.errors()[0]
        raise click.UsageError(f"--{problem['loc'][0]}: {problem['msg']}.") from error
    chosen = start_log(settings, log_level, log_format)
    voice = Logged() if stdio or chosen == "json" else Spoken()
    voice.findings([one for one in warnings if one.id != "wide-bind"])
    if not stdio:
        check_bind(settings.lockgate.host, voice, insecure=insecure_bind)

    return running.run((_serve_stdio if stdio else _serve_http)(settings, voice))


def check_bind(host: str, voice: Voice, *, insecure: bool) -> None:
    """Refuse to offer every tool to the network.

    Raises:
        UnsafeBind: the address is not loopback and `insecure` is not set.
    """
    if loopback(host):
        return
    if not insecure:
        raise UnsafeBind(
            f"Listening on {host} would let everyone who can reach this machine call every tool: "
            "this configuration has no authentication.",
            "Leave the host at 127.0.0.1 and put an authenticating proxy in front, or pass "
            "--insecure-bind if the network itself keeps strangers out.",
        )
    voice.warn(
        f"listening on {host} without authentication (--insecure-bind). Everyone who can reach "
        "this address can call every tool of every server."
    )


async def _serve_http(config: Config, voice: Voice) -> int:
    _allow_files(config)
    gateway = Gateway(config)
    stopping = StopSignals(gateway.abort)
    stopping.listen()
    settings = config.lockgate
    try:
        await gateway.serve_http(settings.host, settings.port)
    except OSError as error:
        raise LockgateError(
            f"Cannot listen on {settings.host}, port {settings.port}: {error.strerror or error}.",
            "Another program has the port: choose one with --port, or --port 0 for any.",
        ) from error
    try:
        await gateway.start()
        voice.listening(gateway.url or "")
        await _introduce(gateway, config, stopping, voice)
        running.settle_down()
        await stopping.asked.wait()
    finally:
        await _end(gateway, config, voice)
    return exits.OK


def _allow_files(config: Config) -> None:
    """Have a descriptor for every connection clients may open, as far as the system allows."""
    allowed = raise_limit()
    wanted = config.lockgate.limits.connections
    if allowed is not None and allowed <= wanted:
        _log.warning(
            "only %d files may be open, too few for limits.connections (%d): "
            "raise the hard limit (ulimit -Hn) or lower the setting",
            allowed,
            wanted,
        )


async def _introduce(gateway: Gateway, config: Config, stopping: StopSignals, voice: Voice) -> None:
    """Say what is being waited for, then how the servers are; a stop signal cuts it short."""
    longest = max((one.start_timeout for one in config.enabled.values()), default=0.0)
    settled = asyncio.create_task(gateway.settled(longest))
    asked = asyncio.create_task(stopping.asked.wait())
    try:
        with voice.waiting("Starting servers") as shown:
            while not settled.done() and not asked.done():
                await asyncio.wait(
                    {settled, asked}, timeout=_TICK, return_when=asyncio.FIRST_COMPLETED
                )
                late = [one.name for one in gateway.servers() if one.phase == "connecting"]
                shown.update(f"Starting {', '.join(late) or 'servers'}")
        if settled.done():
            voice.servers(gateway.servers())
    finally:
        settled.cancel()
        asked.cancel()


async def _end(gateway: Gateway, config: Config, voice: Voice) -> None:
    grace = config.lockgate.shutdown_grace
    voice.stopping(grace)
    with voice.waiting("Stopping"):
        await gateway.stop(grace)
    voice.stopped()


async def _serve_stdio(config: Config, voice: Voice) -> int:
    descriptors = claim()
    gateway = Gateway(config)
    stopping = StopSignals(gateway.abort)
    stopping.listen()
    pipes = await Pipes.open(*descriptors)
    asked = asyncio.create_task(stopping.asked.wait())
    try:
        await gateway.start()
        voice.listening("stdio")
        serving = asyncio.create_task(gateway.serve_stdio(pipes.reader, pipes.writer))
        introducing = asyncio.create_task(_introduce(gateway, config, stopping, voice))
        await asyncio.wait({serving, asked}, return_when=asyncio.FIRST_COMPLETED)
        introducing.cancel()
        if serving.done():
            serving.result()
    finally:
        asked.cancel()
        await _end(gateway, config, voice)
        await pipes.close()
    return exits.OK
