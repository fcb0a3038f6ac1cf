"""Children at their worst, on both event loops: nothing is lost, left behind or let through."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from lockgate.upstreams import groups, processes
from lockgate.upstreams.groups import Groups
from lockgate.upstreams.processes import ChildProcess, SpawnFailed
from lockgate.upstreams.spec import StdioSpec, UpstreamLimits

if sys.platform == "win32":
    pytest.skip("process groups are POSIX", allow_module_level=True)

import uvloop

LINUX = Path("/proc/self/stat").exists()
only_linux = pytest.mark.skipif(not LINUX, reason="only Linux tells who descends from whom")

Run = Callable[[Callable[[], Awaitable[None]]], None]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a test on one of the event loops, bounded in time."""
    factory = uvloop.new_event_loop if request.param == "uvloop" else None

    def go(test: Callable[[], Awaitable[None]]) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(60):
                await test()

        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(bounded())

    return go


class Heard:
    """A child and what came of it."""

    def __init__(
        self,
        script: str,
        *,
        limits: UpstreamLimits | None = None,
        on_line: Callable[[bytes], None] | None = None,
        **spec: Any,
    ) -> None:
        self.lines: list[bytes] = []
        self.exits: list[str] = []
        self.heads: list[bytes] = []
        self.news = asyncio.Event()
        self._then = on_line
        spec.setdefault("command", sys.executable)
        args = ("-S", "-c", textwrap.dedent(script))
        self.child = ChildProcess(
            "s",
            StdioSpec(args=args, **spec),
            limits or UpstreamLimits(),
            self._line,
            self._exit,
            self.heads.append,
        )

    def _line(self, line: bytes) -> None:
        self.lines.append(line)
        self.news.set()
        if self._then is not None:
            self._then(line)

    def _exit(self, why: str) -> None:
        self.exits.append(why)
        self.news.set()

    async def until(self, ready: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not ready():
                self.news.clear()
                await self.news.wait()

    async def begin(self, lines: int = 1) -> list[int]:
        """Start it and read as many numbers from it."""
        await self.child.start()
        await self.until(lambda: len(self.lines) >= lines)
        return [int(line) for line in self.lines[:lines]]


def alive(pid: int) -> bool:
    if not LINUX:
        try:
            os.kill(pid, 0)
        except OSError:
            return False
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


async def gone(*pids: int) -> None:
    for _ in range(500):
        if not any(map(alive, pids)):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"still there: {[pid for pid in pids if alive(pid)]}")


def until_dead(pid: int) -> None:
    """Wait for a child of this process, and leave it a zombie."""
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def ours(pid: int) -> bool:
    """Whether this process has a child of that number, be it a zombie."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return False
    return True


STUBBORN = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True)"


def test_lives_as_short_as_can_be_are_all_told(run: Run) -> None:
    async def test() -> None:
        async def live() -> Heard:
            heard = Heard("import os; os._exit(4)")
            await heard.child.start()
            await heard.until(lambda: heard.exits)
            return heard

        for _ in range(5):
            for heard in await asyncio.gather(*(live() for _ in range(8))):
                assert heard.exits == ["it ended with code 4"]
                assert heard.child.pid is None
        assert len(groups.GROUPS) == 0

    run(test)


def test_a_reader_that_fails_loses_no_other_line(run: Run) -> None:
    async def test() -> None:
        def fail(line: bytes) -> None:
            raise RuntimeError(line)

        heard = Heard("print(1); print(2, flush=True); print(3)", on_line=fail)
        await heard.child.start()
        await heard.until(lambda: heard.exits)
        assert heard.lines == [b"1", b"2", b"3"]

    run(test)


def test_a_grandchild_that_holds_a_full_input_delays_nothing(run: Run) -> None:
    async def test() -> None:
        heard = Heard(
            f"""
            import subprocess, sys
            one = subprocess.Popen([sys.executable, "-S", "-c", {STUBBORN + "; time.sleep(600)"!r}])
            print(one.pid, flush=True)
            sys.stdin.readline()
            """
        )
        await heard.begin(2)
        pid = max(map(int, heard.lines))
        heard.child.write(b"go")
        for _ in range(50):
            heard.child.write(b"x" * 20_000)
        await heard.until(lambda: heard.exits)
        await gone(pid)
        await heard.child.stop(1)
        assert heard.exits == ["it ended with code 0"]

    run(test)


def test_what_a_polite_child_leaves_behind_in_its_group_may_end_politely_too(
    run: Run, tmp_path: Path
) -> None:
    note = tmp_path / "note"
    grandchild = f"""
import pathlib, signal, sys, time
def end(*_):
    pathlib.Path({str(note)!r}).write_text("tidied up")
    sys.exit()
signal.signal(signal.SIGTERM, end)
print(1, flush=True)
sys.stdout.close()
time.sleep(600)
"""

    async def test() -> None:
        heard = Heard(
            f"""
            import subprocess, sys
            one = subprocess.Popen([sys.executable, "-S", "-c", {grandchild!r}],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL)
            one.stdout.readline()
            print(one.pid, flush=True)
            sys.stdin.read()
            """
        )
        [pid] = await heard.begin()
        await heard.child.stop(10)
        await gone(pid)
        assert note.read_text() == "tidied up"
        assert heard.exits == ["it ended with code 0"]

    run(test)


@only_linux
@pytest.mark.parametrize("polite", [True, False])
def test_what_has_left_the_group_is_ended_however_its_parent_ends(run: Run, polite: bool) -> None:
    async def test() -> None:
        heard = Heard(
            f"""
            import subprocess, sys, signal, time
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            one = subprocess.Popen(["sleep", "600"], start_new_session=True)
            print(one.pid, flush=True)
            {"sys.stdin.read()" if polite else "time.sleep(600)"}
            """
        )
        [pid] = await heard.begin()
        await heard.child.stop(10 if polite else 0.2)
        await gone(pid)

    run(test)


def test_a_cancelled_stop_still_ends_everything(run: Run) -> None:
    async def test() -> None:
        heard = Heard(STUBBORN + "; print(__import__('os').getpid(), flush=True); time.sleep(600)")
        pid = (await heard.begin(2))[1]
        stopping = asyncio.create_task(heard.child.stop(30))
        await asyncio.sleep(0)
        stopping.cancel()
        await asyncio.wait([stopping])
        await heard.until(lambda: heard.exits)
        await gone(pid)

    run(test)


def test_a_cancelled_start_leaves_nothing(run: Run, tmp_path: Path) -> None:
    note = tmp_path / "pid"

    async def test() -> None:
        heard = Heard(f"import os,time; open({str(note)!r},'w').write(str(os.getpid()) + ' ');"
                      "time.sleep(600)")  # fmt: skip
        starting = asyncio.create_task(heard.child.start())
        await asyncio.sleep(0)
        starting.cancel()
        await asyncio.wait([starting])
        assert starting.cancelled()
        await heard.child.stop(0)
        await heard.until(lambda: heard.exits)
        assert heard.child.pid is None
        assert len(groups.GROUPS) == 0

    run(test)
    if note.exists() and (said := note.read_text()).endswith(" "):
        assert not alive(int(said))


def test_one_large_message_is_no_reason_to_end_a_child(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "BACKLOG", 1000)

    async def test() -> None:
        heard = Heard("import sys\nfor line in sys.stdin: print(len(line), flush=True)")
        await heard.child.start()
        heard.child.write(b"x" * 3_000_000)
        await heard.until(lambda: heard.lines)
        assert heard.lines == [b"3000001"]
        await heard.child.stop(10)

    run(test)


def test_an_over_long_line_is_told_by_its_beginning(run: Run) -> None:
    async def test() -> None:
        heard = Heard(
            "print('{\"id\":5,' + 'x' * 200_000); print('fine', flush=True)",
            limits=UpstreamLimits(message_bytes=100_000),
        )
        await heard.child.start()
        await heard.until(lambda: heard.exits)
        assert heard.lines == [b"fine"]
        assert [head[:8] for head in heard.heads] == [b'{"id":5,']

    run(test)


def test_a_long_line_of_stderr_is_kept_in_part(run: Run) -> None:
    async def test() -> None:
        heard = Heard(
            "import sys; sys.stderr.write('why ' * 100_000 + '\\nlast words\\n'); sys.exit(1)"
        )
        await heard.child.start()
        await heard.until(lambda: heard.exits)
        kept = heard.child.last_words
        assert "why why" in kept
        assert kept.endswith("last words")
        assert len(kept) < 4000

    run(test)


def test_a_refusal_leaves_no_process_and_may_be_stopped(run: Run, tmp_path: Path) -> None:
    (tmp_path / "junk").write_text("touch here\n")
    (tmp_path / "junk").chmod(0o755)

    async def test() -> None:
        for heard in (
            Heard("", command=str(tmp_path / "junk")),
            Heard("", env={"A": "\0"}),
        ):
            with pytest.raises(SpawnFailed) as caught:
                await heard.child.start()
            assert caught.value.remedy
            await heard.child.stop(1)
            assert heard.exits == []

    run(test)


def test_without_a_guardian_nothing_is_started(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Groups) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(groups, "GROUPS", Groups())
    monkeypatch.setattr(Groups, "_start_guardian", refuse)

    async def test() -> None:
        heard = Heard("print(1)")
        with pytest.raises(SpawnFailed):
            await heard.child.start()
        assert heard.child.pid is None

    run(test)


def test_a_child_has_no_descriptor_but_its_own_three(run: Run) -> None:
    async def test() -> None:
        heard = Heard(
            """
            import os
            for fd in range(256):
                try: os.fstat(fd)
                except OSError: continue
                print(fd, flush=True)
            """
        )
        other = Heard("import sys; sys.stdin.read()")
        await other.child.start()
        await heard.child.start()
        await heard.until(lambda: heard.exits)
        assert heard.lines == [b"0", b"1", b"2"]
        await other.child.stop(10)

    run(test)


def test_a_child_is_apart_from_the_terminals_signals(run: Run) -> None:
    async def test() -> None:
        heard = Heard("import os; print(os.getpgrp()); print(os.getsid(0), flush=True); input()")
        pid = (await heard.begin(2), heard.child.pid)[1]
        assert [int(line) for line in heard.lines] == [pid, pid]
        await heard.child.stop(10)

    run(test)


def test_ending_all_at_once_takes_what_left_its_group_too(run: Run) -> None:
    async def test() -> None:
        heard = Heard(
            """
            import os, subprocess, time
            print(os.getpid())
            print(subprocess.Popen(["sleep", "600"]).pid)
            print(subprocess.Popen(["sleep", "600"], start_new_session=True).pid, flush=True)
            time.sleep(600)
            """
        )
        pids = await heard.begin(3)
        processes.abort_all()
        if not LINUX:
            os.kill(pids.pop(), signal.SIGKILL)
        await gone(*pids)
        await heard.until(lambda: heard.exits)

    run(test)


def test_a_guardian_that_is_killed_or_frozen_is_replaced(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        mine = Groups()
        monkeypatch.setattr(groups, "GROUPS", mine)
        heard = Heard("print(1, flush=True); input()")
        await heard.begin()
        pid = heard.child.pid
        assert pid is not None
        for number in (signal.SIGKILL, signal.SIGSTOP):
            guardian = mine._guardian
            assert guardian is not None
            os.kill(guardian.pid, number)
            if number == signal.SIGKILL:
                until_dead(guardian.pid)
            for _ in range(20_000):  # until its pipe is full, if it is only frozen
                mine._tell(f"-{2**31}")
                if mine._guardian is not guardian:
                    break
            assert mine._guardian is not None
            assert mine._guardian.pid != guardian.pid
            assert mine._guardian.poll() is None
            assert alive(pid)
        await heard.child.stop(10)
        last = mine._guardian
        assert last is not None
        assert last.stdin is not None
        last.stdin.close()
        assert last.wait(60) == 0

    run(test)


def test_a_fork_neither_keeps_nor_ends_the_children(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Groups()
    mine.prepare()
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as sleeper:
        mine.add(sleeper.pid)
        copy = os.fork()
        if copy == 0:
            mine.forget()
            os._exit(0 if len(mine) == 0 else 1)
        assert os.waitpid(copy, 0)[1] == 0
        assert alive(sleeper.pid)
        guardian = mine._guardian
        assert guardian is not None
        assert guardian.stdin is not None
        guardian.stdin.close()  # as the end of this process would
        assert guardian.wait(60) == 0
        assert sleeper.wait(60) == -signal.SIGTERM


HOST = """
import asyncio, sys
from lockgate.upstreams import groups
from lockgate.upstreams.processes import ChildProcess
from lockgate.upstreams.spec import StdioSpec, UpstreamLimits
SCRIPT = '''
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
ignore = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
grand = ignore + "print(0, flush=True); time.sleep(600)"
one = subprocess.Popen([sys.executable, "-c", grand], stdout=subprocess.PIPE)
one.stdout.readline()
two = subprocess.Popen(["sleep", "600"], start_new_session=True)
print(os.getpid(), one.pid, two.pid, flush=True)
time.sleep(600)
'''
async def main():
    def told(line):
        print(line.decode(), groups.GROUPS._guardian.pid, flush=True)
    for _ in range(2):
        child = ChildProcess("s", StdioSpec(command=sys.executable, args=("-c", SCRIPT)),
                             UpstreamLimits(), told, lambda why: None)
        await child.start()
    await asyncio.sleep(600)
if sys.argv[1] == "uvloop":
    import uvloop
    uvloop.run(main())
else:
    asyncio.run(main())
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("interrupted", [False, True])
def test_nothing_outlives_a_host_that_is_killed(loop: str, interrupted: bool) -> None:
    command = [sys.executable, "-c", HOST, loop]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as host:
        assert host.stdout is not None
        found = [list(map(int, host.stdout.readline().split())) for _ in range(2)]
        guardian = found[0].pop()
        assert found[1].pop() == guardian
        pids = found[0] + found[1]
        if not LINUX:
            for family in found:
                os.kill(family[2], signal.SIGKILL)
        assert all(map(alive, pids))
        if interrupted:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                os.kill(guardian, number)
        os.kill(host.pid, signal.SIGKILL)
        host.wait(60)

    async def check(tasks: Coroutine[Any, Any, None]) -> None:
        async with asyncio.timeout(60):
            await tasks

    asyncio.run(check(gone(*pids, guardian)))


def test_a_hundred_lives_leave_nothing(run: Run) -> None:
    folder = Path("/proc/self/fd") if LINUX else Path("/dev/fd")

    async def test() -> None:
        async def live() -> int:
            heard = Heard("import sys; sys.stdin.read()")
            await heard.child.start()
            pid = heard.child.pid
            assert pid is not None
            await heard.child.stop(10)
            assert len(heard.exits) == 1
            return pid

        await live()
        before = len(list(folder.iterdir()))
        pids: list[int] = []
        for _ in range(5):
            pids += await asyncio.gather(*(live() for _ in range(10)))
        await asyncio.sleep(0)
        assert len(list(folder.iterdir())) <= before
        assert len(groups.GROUPS) == 0
        # Not even a zombie: there is nothing of that number that was a child of this process.
        for pid in pids:
            assert not ours(pid)

    run(test)


def test_the_start_is_known_before_the_end(run: Run) -> None:
    async def test() -> None:
        for _ in range(40):
            ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            child = ChildProcess(
                "s", StdioSpec(command="false"), UpstreamLimits(), print, ended.set_result
            )
            await child.start()
            assert not ended.done()
            assert await ended == "it ended with code 1"

    run(test)
