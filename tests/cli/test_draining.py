"""`up` told to stop while clients of every kind are at work: real processes, real sockets."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.bridge import clients
from tests.bridge.clients import EVERYTHING, Begun, Client, Stream
from tests.bridge.handshake_server import OldServer
from tests.bridge.modern_server import NewServer
from tests.bridge.scripts import ELICIT
from tests.bridge.world import until
from tests.cli.program import COMMAND, config_file, environment
from tests.fronts.served import run
from tests.gateway.reloading import alive

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")

Json = dict[str, Any]
FRAIL = Path(__file__).parents[1] / "gateway" / "frail_server.py"
LISTEN: Json = {"toolsListChanged": True}
STOPPED = ("LG-505", "gateway-stopped")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers here come when a process ends, on a machine that may be busy."""
    monkeypatch.setattr(clients, "SECONDS", 30.0)


class Up:
    """`lockgate up` in front of a child process and a server of each era."""

    def __init__(self, folder: Path) -> None:
        self.gate = folder / "gate"
        self.port = 0
        self.said = b""
        self.process: asyncio.subprocess.Process
        self.old = OldServer("old")
        self.new = NewServer("new")
        self.stack = AsyncExitStack()

    async def start(self, folder: Path, grace: float) -> None:
        await self.stack.enter_async_context(self.old.serving())
        await self.stack.enter_async_context(self.new.serving())
        args = ["-I", "-S", str(FRAIL), str(folder)]
        child = {"command": sys.executable, "args": args, "limits": {"concurrent": 2}}
        servers = {"child": child, "old": {"url": self.old.url}, "new": {"url": self.new.url}}
        path = config_file(folder, servers, shutdown_grace=grace, naming="prefix")
        self.process = await asyncio.create_subprocess_exec(
            *COMMAND,
            *("up", str(path), "--port", "0", "--log-level", "error"),
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=environment(),
            start_new_session=True,
        )
        said = await self.until_said("listens at ")
        self.port = int(said.rpartition(":")[2].split("/")[0])
        await self.until_said("servers ready")

    async def until_said(self, text: str) -> str:
        assert self.process.stderr is not None
        async with asyncio.timeout(60):
            while line := await self.process.stderr.readline():
                self.said += line
                if text in line.decode():
                    return line.decode().strip()
        raise AssertionError(self.said.decode())

    async def client(self, era: str) -> Client:
        client = Client(self.port, era)
        self.stack.callback(client.close)
        return await client.open()

    async def socket(self) -> ClientConnection:
        """A client on a WebSocket, initialized."""
        url = f"ws://127.0.0.1:{self.port}/mcp"
        made = await connect(url, proxy=None, subprotocols=[Subprotocol("mcp")])
        self.stack.push_async_callback(made.close)
        info = {"clientInfo": {"name": "c", "version": "1"}, "capabilities": EVERYTHING}
        await say(made, 1, "initialize", {"protocolVersion": "2025-11-25", **info})
        await hear(made, 1)
        await say(made, None, "notifications/initialized")
        return made

    async def ready(self) -> tuple[int, Json]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"GET /ready HTTP/1.1\r\nhost: localhost\r\n\r\n")
        stream = await Stream(reader, writer).head()
        body = await stream.next() or {}
        stream.close()
        return stream.status, body

    def tell(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    async def ended(self) -> int:
        async with asyncio.timeout(60):
            assert self.process.stderr is not None
            self.said += await self.process.stderr.read()
            return await self.process.wait()


@asynccontextmanager
async def up(folder: Path, grace: float) -> AsyncIterator[Up]:
    made = Up(folder)
    try:
        await made.start(folder, grace)
        yield made
    finally:
        with suppress(ProcessLookupError):
            made.process.kill()
        await made.process.wait()
        await made.stack.aclose()


async def say(
    socket: ClientConnection, number: object, method: str, params: Json | None = None
) -> None:
    known = {} if number is None else {"id": number}
    await socket.send(
        json.dumps({"jsonrpc": "2.0", **known, "method": method, "params": params or {}})
    )


async def hear(socket: ClientConnection, number: object) -> Json:
    """The response to a request."""
    async with asyncio.timeout(60):
        while True:
            message = json.loads(await socket.recv())
            if message.get("id") == number and "method" not in message:
                return message


class Work:
    """What is under way when the signal comes."""

    def __init__(self, up: Up) -> None:
        self.up = up
        self.calls: list[asyncio.Task[Begun]] = []
        self.parked: list[tuple[Client, Begun]] = []
        self.pids: set[int] = set()

    async def begin(self) -> None:
        up = self.up
        old, new = await up.client("L"), await up.client("M")
        self.pids = {(await client.call("child__who")).said["pid"] for client in (old, new)}
        assert all(map(alive, self.pids))
        self.listen = await new.listen(**LISTEN)
        self.get = await old.listen()
        # Two of these run at the child, the others wait for their turn.
        path = str(up.gate)
        self.calls = [
            asyncio.create_task(one.call("child__wait", path=path)) for one in (old, new) * 3
        ]
        rounds = [{"a": ELICIT}]
        for client, server in ((old, "old"), (new, "new"), (new, "old")):
            params = {"name": f"{server}__ask", "arguments": {"rounds": rounds}}
            begun = await client.begin("tools/call", params)
            assert begun.asked, begun.response
            self.parked.append((client, begun))
        self.socket = await up.socket()
        await say(self.socket, 2, "tools/call", {"name": "old__wait", "arguments": {"gate": "ws"}})
        await up.old.happened("at ws")


async def refused(calling: Awaitable[Begun]) -> None:
    """A call that comes too late."""
    try:
        begun = await calling
    except ConnectionError:
        return
    assert (begun.status, begun.error["data"]["code"]) == (503, "LG-503")


async def ended_well(work: Work) -> None:
    """Streams end with what says that they do, and not with a cut."""
    messages: list[Json] = []
    while (message := await work.listen.next()) is not None:
        messages.append(message)
    assert messages[-1]["result"]["resultType"] == "complete"
    while await work.get.next() is not None:
        pass


def test_what_can_finish_within_the_grace_finishes(tmp_path: Path) -> None:
    async def play() -> None:
        async with up(tmp_path, 30) as it:
            work = Work(it)
            await work.begin()
            late = [await it.client("L"), await it.client("M")]
            idle = await it.socket()
            it.tell()
            await it.until_said("Stopping")
            await ended_well(work)
            assert (await it.ready()) == (503, {**(await it.ready())[1], "status": "draining"})
            for client in late:
                await refused(client.call("child__who"))
            async with asyncio.timeout(60):
                with pytest.raises(ConnectionClosed) as closed:
                    await idle.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001
            await say(work.socket, 3, "tools/call", {"name": "child__who"})
            answer = await hear(work.socket, 3)
            assert answer["error"]["data"]["code"] == "LG-503"
            for client, begun in work.parked:
                assert (await client.answer(begun)).result["structuredContent"]
            it.old.let("ws")
            assert "result" in await hear(work.socket, 2)
            assert it.process.returncode is None
            it.gate.touch()
            for call in work.calls:
                assert (await call).said["pid"]
            assert await it.ended() == 0
            assert b"Stopped." in it.said
            assert not any(map(alive, work.pids))

    run(play(), 90)


def test_what_cannot_is_told_so_when_the_grace_is_over(tmp_path: Path) -> None:
    async def play() -> None:
        async with up(tmp_path, 1) as it:
            work = Work(it)
            await work.begin()
            it.tell()
            await ended_well(work)
            for call in work.calls:
                error = (await call).error["data"]
                assert (error["code"], error["reason"]) == STOPPED
            client, begun = work.parked[0]
            assert not client.modern
            begun.asked.clear()
            error = (await client.read(begun)).error["data"]
            assert (error["code"], error["reason"]) == STOPPED
            answer = await hear(work.socket, 2)
            assert answer["error"]["data"]["reason"] == "gateway-stopped"
            assert await it.ended() == 0
            assert not any(map(alive, work.pids))
            # The servers have been told, too.
            await it.old.happened("told to cancel")

    run(play(), 90)


def test_a_second_signal_waits_for_nothing(tmp_path: Path) -> None:
    async def play() -> None:
        async with up(tmp_path, 60) as it:
            work = Work(it)
            await work.begin()
            it.tell()
            await it.until_said("Stopping")
            it.tell()
            assert await it.ended() == 130
            await until(lambda: not any(map(alive, work.pids)))
            await asyncio.gather(*work.calls, return_exceptions=True)

    run(play(), 90)


@pytest.mark.parametrize("grace", [30, 1])
def test_a_client_on_stdio(grace: float, tmp_path: Path) -> None:
    async def play() -> None:
        args = ["-I", "-S", str(FRAIL), str(tmp_path)]
        server = {"command": sys.executable, "args": args}
        path = config_file(tmp_path, {"child": server}, shutdown_grace=grace)
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *COMMAND, "up", str(path), "--stdio", stdin=pipe, stdout=pipe, env=environment()
        )
        stdin, stdout = process.stdin, process.stdout
        assert stdin is not None
        assert stdout is not None

        def tell(number: object, method: str, **params: Any) -> None:
            known = {} if number is None else {"id": number}
            message = {"jsonrpc": "2.0", **known, "method": method, "params": params}
            stdin.write(json.dumps(message).encode() + b"\n")

        async def heard(number: object) -> Json:
            async with asyncio.timeout(60):
                while message := json.loads(await stdout.readline()):
                    if message.get("id") == number:
                        return message
                raise AssertionError(number)

        gate = tmp_path / "gate"
        info = {"clientInfo": {"name": "c", "version": "1"}, "capabilities": {}}
        tell(1, "initialize", protocolVersion="2025-11-25", **info)
        await heard(1)
        tell(None, "notifications/initialized")
        tell(2, "tools/call", name="who", arguments={})
        pid = (await heard(2))["result"]["structuredContent"]["pid"]
        tell(3, "tools/call", name="wait", arguments={"path": str(gate)})
        tell(4, "tools/call", name="who", arguments={})
        await heard(4)
        process.send_signal(signal.SIGTERM)
        if grace > 1:
            error: Json = {}
            while not error:  # whether the signal or the request comes first is not ours to say
                tell(5, "tools/call", name="who", arguments={})
                error = (await heard(5)).get("error", {})
            assert error["data"]["code"] == "LG-503"
            gate.touch()
            assert (await heard(3))["result"]["structuredContent"]["pid"] == pid
        else:
            assert (await heard(3))["error"]["data"]["code"] == "LG-505"
        async with asyncio.timeout(60):
            assert await process.wait() == 0
        assert not alive(pid)
        os.kill(os.getpid(), 0)

    run(play(), 90)
