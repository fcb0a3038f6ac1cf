"""A hardened server: an ASGI application, or a program of its own over HTTP or stdio.

Must not know: what the server is made with, how policies work.

Inside, it is the gateway with one server behind it, which happens to run in this process. Nothing
starts before it is asked to: by a web server's lifespan, by `lifespan`, or by `run`.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from lockgate.config.check import loopback
from lockgate.config.model import Config
from lockgate.errors import HostError, LockgateError, PolicyUncovered, UnsafeBind
from lockgate.fronts.answer import refusal_body
from lockgate.fronts.asgi import Event, Receive, Send, asgi_app
from lockgate.fronts.http import HttpRequest, Responder
from lockgate.fronts.pipes import Pipes, claim
from lockgate.fronts.routes import Routes
from lockgate.gateway.app import Gateway
from lockgate.gateway.auditing import opened
from lockgate.gateway.build import http_limits, route_settings
from lockgate.gateway.inside import Inside
from lockgate.hosts.callers import Callers, with_users
from lockgate.hosts.coverage import Coverage, Way
from lockgate.hosts.host import Host, Sizes
from lockgate.hosts.passing import passing
from lockgate.hosts.signals import Ahead
from lockgate.upstreams.inprocess import InProcess, StartFailed

log: Final = logging.getLogger("lockgate.hosts")
_APPROVALS: Final = 0.5
"""Seconds between two looks at the lock file."""
_JSON: Final = (b"content-type", b"application/json")


class Hardened:
    """One server with policies around it. Start it once, in one way.

    As an ASGI application it is served by any ASGI server, alone or mounted in another
    application; what mounts it has to enter `lifespan`, for servers tell only the outermost
    application when they start. `run` serves it without any.
    """

    def __init__(
        self, host: Host, name: str, config: Config, coverage: Coverage, pages: Sequence[str]
    ) -> None:
        """Nothing is started yet; `harden` makes these."""
        self.name: Final = name
        self.config: Final = config
        self._host = host
        self._coverage = coverage
        self._pages = tuple(pages)
        self._gateway: Gateway | None = None
        self._inside: InProcess | None = None
        self._beside = Routes({})
        self._used = False
        self._answering = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._chore: asyncio.Task[None] | None = None
        self._draining: asyncio.Task[None] | None = None
        self._app = asgi_app(self._handle, http_limits(config), self.lifespan)

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Answer as an ASGI 3 application."""
        await self._app(scope, receive, send)

    @property
    def gateway(self) -> Gateway:
        """The gateway inside. Raises HostError before the start."""
        if self._gateway is None:
            raise HostError(f"The hardened server {self.name!r} has not been started.")
        return self._gateway

    def serves(self, path: str) -> bool:
        """Whether requests for this path are for it, once it is started; health pages are not."""
        if path in self._pages:
            return True
        known = self._gateway is not None and self._gateway.handler.serves(path)
        return known and path not in ("/health", "/ready")

    # Served by others.

    @asynccontextmanager
    async def lifespan(self, app: object = None) -> AsyncGenerator[None]:
        """The time during which it serves, as Starlette and FastAPI take it (`lifespan=`).

        Raises:
            PolicyUncovered: what is configured cannot hold under another web server.
            HostError: the server did not start, or has been started before.
            LockgateError: a part of the configuration cannot be used.
        """
        del app
        async with self._started("asgi"):
            ahead = Ahead(self._drain_soon)
            ahead.listen()
            try:
                yield
            finally:
                ahead.end()

    async def drain(self) -> None:
        """End the streams that clients listen on, and take nothing new; calls run on.

        For a web server that is about to stop; it happens by itself on SIGINT and SIGTERM.
        """
        await self.gateway.drain()

    def _drain_soon(self) -> None:
        if self._draining is None and self._gateway is not None:
            self._draining = asyncio.ensure_future(self._gateway.drain())

    # Serving by itself.

    def run(
        self, transport: Way = "http", *, host: str | None = None, port: int | None = None
    ) -> None:
        """Serve until SIGINT or SIGTERM: `http` at an address, or `stdio` until the client leaves.

        `host` and `port` win over `lockgate.host` and `lockgate.port`.

        Raises:
            PolicyUncovered: what is configured cannot hold for this transport.
            UnsafeBind: anybody could call every tool there.
            LockgateError: it cannot be started.
        """
        if transport == "stdio":
            # Before anything of the server can print.
            descriptors = claim()
            work = self._serve_stdio(descriptors)
        elif transport == "http":
            work = self.run_http(host, port, listening=self._say)
        else:
            raise HostError(f"There is no transport {transport!r}.", "Use 'http' or 'stdio'.")
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(work)

    def _say(self, url: str) -> None:
        """Where it is served, to people whose program has not set up any logging."""
        if not log.hasHandlers():
            sys.stderr.write(f"{self.name} is served at {url}\n")

    async def run_http(
        self,
        host: str | None = None,
        port: int | None = None,
        *,
        listening: Callable[[str], object] | None = None,
    ) -> None:
        """As `run` over HTTP, on this event loop; `listening` is told the URL. Raises as `run`."""
        settings = self.config.lockgate
        host = settings.host if host is None else host
        if not loopback(host) and not self.config.identifies:
            raise UnsafeBind(
                f"Listening on {host} would let everyone who can reach this machine call every "
                "tool: this configuration has no authentication.",
                "Configure lockgate.auth, or leave the host at 127.0.0.1.",
            )
        stop = _StopSignals()
        async with self._started("http"):
            with stop:
                wanted = settings.port if port is None else port
                await _listening(self.gateway.serve_http(host, wanted), host)
                url = self.gateway.url or ""
                log.info("serving %s at %s", self.name, url)
                if listening is not None:
                    listening(url)
                await stop.asked.wait()

    async def _serve_stdio(self, descriptors: tuple[int, int]) -> None:
        pipes = await Pipes.open(*descriptors)
        stop = _StopSignals()
        try:
            async with self._started("stdio"):
                with stop:
                    serving = asyncio.ensure_future(
                        self.gateway.serve_stdio(pipes.reader, pipes.writer)
                    )
                    asked = asyncio.ensure_future(stop.asked.wait())
                    await asyncio.wait({serving, asked}, return_when=asyncio.FIRST_COMPLETED)
                    asked.cancel()
                    if serving.done():
                        serving.result()
        finally:
            await pipes.close()

    # Starting and stopping.

    @asynccontextmanager
    async def _started(self, way: Way) -> AsyncGenerator[None]:
        if self._used:
            raise HostError(
                f"The hardened server {self.name!r} has been started before.",
                "Harden the server anew.",
                reason="host-started",
            )
        self._coverage.check(way)
        settings = self.config.lockgate
        if way == "asgi" and settings.public_url is None and self._asks:
            raise PolicyUncovered(
                f"Callers of the server {self.name!r} have to say who they are, and under another "
                "web server nothing says what they call it.",
                "Set `lockgate.public_url`, the URL that clients use without the endpoint's path.",
                ["lockgate.auth"],
            )
        self._used = True
        callers = Callers() if self._host.users and self._asks and way != "stdio" else None
        inside = await self._start_server(callers)
        try:
            await self._start_gateway(inside, callers)
            if way != "stdio":
                await self._serve_operators()
            yield
        finally:
            await self._stop(settings.shutdown_grace)

    @property
    def _asks(self) -> bool:
        """Whether somebody has to say who they are, somewhere."""
        settings = self.config.lockgate
        endpoints = settings.endpoints.values()
        return settings.asks or any(one.auth is not None and one.auth.asks for one in endpoints)

    async def _start_server(self, callers: Callers | None) -> InProcess:
        limits = self.config.servers[self.name].limits
        sizes = Sizes(body=self.config.lockgate.limits.body_bytes, sessions=limits.sessions)
        self._host.prepare()
        app = self._host.app(sizes)
        inside = InProcess(app if callers is None else with_users(app))
        if callers is not None:
            inside.dress = callers.take
        try:
            await inside.start()
        except StartFailed as error:
            raise HostError(
                f"The server {self.name!r} did not start: {error}.",
                "What its own lifespan does has failed; run it by itself and look.",
            ) from error
        self._inside = inside
        return inside

    async def _start_gateway(self, inside: InProcess, callers: Callers | None) -> None:
        told = {self.name: Inside(inside, callers)}
        gateway = self._gateway = Gateway(self.config, audit=opened(self.config), inside=told)
        if self._pages:
            handlers = dict.fromkeys(self._pages, passing(inside))
            self._beside = Routes(handlers, route_settings(self.config))
        await gateway.start()
        patience = self.config.servers[self.name].start_timeout
        await gateway.settled(patience)
        (status,) = gateway.servers()
        if status.phase not in ("ready", "idle"):
            said = status.error or f"it is {status.phase}"
            raise HostError(
                f"The server {self.name!r} does not answer at {self._host.path}: {said}.",
                status.remedy or "See that this is where it serves MCP.",
            )
        if self.config.pins(self.name) != "off":
            self._chore = asyncio.ensure_future(self._approvals(gateway))

    async def _stop(self, grace: float) -> None:
        """Streams first, then calls within `grace`, then the gateway, and last the server."""
        if self._chore is not None:
            self._chore.cancel()
        gateway, inside = self._gateway, self._inside
        if gateway is not None:
            if gateway.url is None:
                # Under another web server nobody else waits for what it has handed over.
                await gateway.drain()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._quiet.wait(), grace)
            await gateway.stop(grace)
        if inside is not None:
            await inside.stop(min(grace, 1.0))

    async def _serve_operators(self) -> None:
        admin = self.config.lockgate.admin
        if admin is not None:
            await _listening(self.gateway.serve_admin(), admin.host)

    @staticmethod
    async def _approvals(gateway: Gateway) -> None:
        """Take over what is approved or denied while it runs."""
        while True:
            await gateway.meet()
            await asyncio.sleep(_APPROVALS)
            gateway.look_at_pins()

    async def _handle(self, request: HttpRequest, responder: Responder) -> None:
        gateway = self._gateway
        if gateway is None:
            log.error(
                "the hardened server %r was mounted and never started: give the application "
                "around it lifespan=hardened.lifespan",
                self.name,
            )
            responder.send(503, (_JSON,), refusal_body(503, "The server has not been started."))
            return
        handler = self._beside if request.path in self._pages else gateway.handler
        self._answering += 1
        self._quiet.clear()
        try:
            await handler(request, responder)
        finally:
            self._answering -= 1
            if not self._answering:
                self._quiet.set()


async def _listening(opening: Awaitable[object], host: str) -> None:
    try:
        await opening
    except OSError as error:
        raise LockgateError(
            f"Cannot listen on {host}: {error.strerror or error}.",
            "Choose another host or port.",
            reason="cannot-listen",
        ) from error


class _StopSignals:
    """Stop signals as an event, for as long as it is entered."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self._numbers = (signal.SIGINT, signal.SIGTERM)

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        for number in self._numbers:
            # Windows has no handlers on the loop; elsewhere than in the main thread there are none.
            with suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, self.asked.set)

    def __exit__(self, *_: object) -> None:
        loop = asyncio.get_running_loop()
        for number in self._numbers:
            with suppress(NotImplementedError, RuntimeError, ValueError):
                loop.remove_signal_handler(number)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415 - absent on Windows

    return uvloop.new_event_loop
