"""Children: what they get, how they speak, how they end, and that none is ever left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from lockgate.upstreams.environment import child_environment
from lockgate.upstreams.processes import ChildProcess, SpawnFailed
from lockgate.upstreams.spec import StdioSpec, UpstreamLimits

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="process groups are POSIX")

ECHO = "import sys\nfor line in sys.stdin: print('got', line.strip(), flush=True)"


class Heard:
    """A child and what came of it."""

    def __init__(self, script: str, limits: UpstreamLimits | None = None, **spec: Any) -> None:
        self.lines: list[bytes] = []
        self.exits: list[str] = []
        self.news = asyncio.Event()
        self.child = ChildProcess(
            "s",
            StdioSpec(command=sys.executable, args=("-c", textwrap.dedent(script)), **spec),
            limits or UpstreamLimits(),
            self._line,
            self._exit,
        )

    def _line(self, line: bytes) -> None:
        self.lines.append(line)
        self.news.set()

    def _exit(self, why: str) -> None:
        self.exits.append(why)
        self.news.set()

    async def until(self, ready: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not ready():
                self.news.clear()
                await self.news.wait()


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test()

    asyncio.run(bounded())


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        try:
            os.kill(pid, 0)
        except OSError:
            return False
        return not Path("/proc/self").exists()
    return state != "Z"


async def gone(pid: int) -> None:
    for _ in range(200):
        if not alive(pid):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{pid} is still there")


def test_lines_go_in_and_come_out_and_a_polite_child_ends_by_itself() -> None:
    async def test() -> None:
        heard = Heard(ECHO)
        await heard.child.start()
        heard.child.write(b"one")
        heard.child.write(b"two")
        await heard.until(lambda: len(heard.lines) == 2)
        assert heard.lines == [b"got one", b"got two"]
        pid = heard.child.pid
        assert pid is not None
        await heard.child.stop(5)
        assert heard.exits == ["it ended with code 0"]
        assert heard.child.pid is None
        assert not alive(pid)

    run(test)


def test_the_last_words_are_heard_before_the_end_is_told() -> None:
    async def test() -> None:
        heard = Heard("print('last', end=''); raise SystemExit(3)")
        await heard.child.start()
        await heard.until(lambda: heard.exits)
        assert heard.lines == [b"last"]
        assert heard.exits == ["it ended with code 3"]

    run(test)


def test_a_child_that_ignores_the_request_to_end_is_ended_with_all_it_started() -> None:
    async def test() -> None:
        heard = Heard(
            """
            import signal, subprocess, sys, time
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            grand = subprocess.Popen([sys.executable, "-c", "import signal,time;"
                "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"])
            print(grand.pid, flush=True)
            time.sleep(600)
            """
        )
        await heard.child.start()
        await heard.until(lambda: heard.lines)
        child, grandchild = heard.child.pid, int(heard.lines[0])
        assert child is not None
        await heard.child.stop(0.4)
        await gone(child)
        await gone(grandchild)
        assert heard.exits == ["it was ended by signal 9"]

    run(test)


def test_what_a_child_started_ends_with_it_even_when_it_holds_the_pipes() -> None:
    async def test() -> None:
        heard = Heard(
            """
            import subprocess, sys
            print(subprocess.Popen(["sleep", "600"]).pid, flush=True)
            """
        )
        await heard.child.start()
        await heard.until(lambda: heard.exits)
        await gone(int(heard.lines[0]))

    run(test)


def test_a_descendant_that_left_the_group_is_ended_too() -> None:
    if not Path("/proc/self/stat").exists():
        pytest.skip("only Linux tells who descends from whom")

    async def test() -> None:
        heard = Heard(
            """
            import subprocess, time
            print(subprocess.Popen(["sleep", "600"], start_new_session=True).pid, flush=True)
            time.sleep(600)
            """
        )
        await heard.child.start()
        await heard.until(lambda: heard.lines)
        await heard.child.stop(0.0)
        await gone(int(heard.lines[0]))

    run(test)


def test_an_over_long_line_is_dropped_and_the_next_one_is_whole() -> None:
    async def test() -> None:
        heard = Heard(
            "print('x' * 5000); print('fine', flush=True)", UpstreamLimits(message_bytes=1000)
        )
        await heard.child.start()
        await heard.until(lambda: heard.exits)
        assert heard.lines == [b"fine"]

    run(test)


def test_a_flood_arrives_whole() -> None:
    async def test() -> None:
        heard = Heard("import sys\nfor i in range(20000): sys.stdout.write(f'{i} ' * 20 + '\\n')")
        await heard.child.start()
        await heard.until(lambda: heard.exits)
        assert len(heard.lines) == 20000
        assert heard.lines[-1].startswith(b"19999 ")

    run(test)


def test_stderr_floods_nobody() -> None:
    async def test() -> None:
        heard = Heard(
            "import sys\nfor i in range(50000): sys.stderr.write('noise ' * 20 + '\\n')\n"
            "print('done', flush=True)"
        )
        await heard.child.start()
        await heard.until(lambda: heard.exits)
        assert heard.lines == [b"done"]
        assert len(heard.child._said) <= 20

    run(test)


def test_a_child_that_stops_reading_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lockgate.upstreams.processes.BACKLOG", 1_000_000)

    async def test() -> None:
        heard = Heard("import time; print('up', flush=True); time.sleep(600)")
        await heard.child.start()
        await heard.until(lambda: heard.lines)
        for _ in range(40):
            heard.child.write(b"x" * 100_000)
        await heard.until(lambda: heard.exits)
        assert "unread" in heard.exits[0]

    run(test)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"command": "no-such-program-here"}, "was not found"),
        ({"command": "npx", "env": {"PATH": "/nowhere"}}, "Node.js"),
        ({"command": sys.executable, "cwd": "/no/such/place"}, "Correct cwd"),
        ({"command": sys.executable, "env": {"ld_Preload": "x.so"}}, "allow_unsafe_env"),
    ],
)
def test_what_cannot_be_started_says_why(spec: dict[str, Any], says: str) -> None:
    async def test() -> None:
        child = ChildProcess(
            "s", StdioSpec(**spec), UpstreamLimits(), lambda _: None, lambda _: None
        )
        with pytest.raises(SpawnFailed, match=says):
            await child.start()
        await child.stop(1)

    run(test)


def test_a_child_sees_what_is_declared_and_the_safe_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "parents")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")

    async def test() -> None:
        heard = Heard(
            "import os, json; print(json.dumps(dict(os.environ)), flush=True)",
            env={"TOKEN": "declared", "HOME": "/declared"},
        )
        await heard.child.start()
        await heard.until(lambda: heard.exits)
        seen = heard.lines[0].decode()
        assert '"TOKEN": "declared"' in seen
        assert '"HOME": "/declared"' in seen
        assert '"LC_ALL"' in seen
        assert "parents" not in seen

    run(test)


def test_only_the_safe_set_is_passed_on() -> None:
    parent = {"PATH": "/bin", "HOME": "/h", "LC_TIME": "C", "GITHUB_TOKEN": "x", "HTTPS_PROXY": "y"}
    assert child_environment({}, parent) == {"PATH": "/bin", "HOME": "/h", "LC_TIME": "C"}


HOST = """
import asyncio, sys
from lockgate.upstreams.processes import ChildProcess
from lockgate.upstreams.spec import StdioSpec, UpstreamLimits
SCRIPT = '''
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grand = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(grand.pid, flush=True)
time.sleep(600)
'''
async def main():
    child = ChildProcess("s", StdioSpec(command=sys.executable, args=("-c", SCRIPT)),
                         UpstreamLimits(), lambda line: print(child.pid, line.decode(), flush=True),
                         lambda why: None)
    await child.start()
    await asyncio.sleep(600)
asyncio.run(main())
"""


def test_nothing_outlives_a_gateway_that_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOST], stdout=subprocess.PIPE, start_new_session=True
    ) as host:
        assert host.stdout is not None
        child, grandchild = map(int, host.stdout.readline().split())
        assert alive(child)
        assert alive(grandchild)
        os.kill(host.pid, signal.SIGKILL)
        host.wait(60)
        asyncio.run(gone(child))
        asyncio.run(gone(grandchild))


def test_fifty_lives_leave_no_descriptor_and_no_zombie() -> None:
    folder = Path("/proc/self/fd") if Path("/proc/self/fd").exists() else Path("/dev/fd")

    async def test() -> None:
        async def live() -> int:
            heard = Heard("import sys; sys.stdin.read()")
            await heard.child.start()
            pid = heard.child.pid
            assert pid is not None
            await heard.child.stop(5)
            return pid

        await live()
        before = len(list(folder.iterdir()))
        pids = [await live() for _ in range(10)]
        for _ in range(4):
            pids += await asyncio.gather(*(live() for _ in range(10)))
        await asyncio.sleep(0)
        assert len(list(folder.iterdir())) <= before + 1
        assert not any(alive(pid) for pid in pids)

    run(test)
