"""Children with a sandbox: how they start, how they do not, and what is left of them."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest

from lockgate.upstreams.processes import ChildProcess, SpawnFailed
from lockgate.upstreams.sandbox import counting, starting
from lockgate.upstreams.sandbox.host import Host, this_host
from lockgate.upstreams.sandbox.plan import lacking
from lockgate.upstreams.sandbox.spec import Destination, SandboxSpec
from lockgate.upstreams.spec import StdioSpec, UpstreamLimits
from tests.support.waiting import until

LACKS = lacking(SandboxSpec(level="strict", home="/"), this_host())
pytestmark = pytest.mark.skipif(bool(LACKS), reason="; ".join(one.what for one in LACKS))


class Heard:
    def __init__(
        self, folder: Path, *args: str, command: str = sys.executable, **more: Any
    ) -> None:
        self.lines: list[bytes] = []
        self.ended: list[str] = []
        sandbox = SandboxSpec(**{"level": "strict", "home": str(folder / "own"), **more})
        spec = StdioSpec(command=command, args=args, sandbox=sandbox)
        limits = UpstreamLimits(open_files=77)
        self.child = ChildProcess("s", spec, limits, self.lines.append, self.ended.append)


def run(test: Any) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test

    asyncio.run(bounded())


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a number is all that is wanted


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "this_host", lambda: Host(system="Linux 4.19", missing="too old"))


def test_it_says_what_is_missing_and_does_not_start(tmp_path: Path, elsewhere: None) -> None:
    async def play() -> None:
        heard = Heard(tmp_path, "-c", "print(1)")
        with pytest.raises(SpawnFailed) as failed:
            await heard.child.start()
        assert failed.value.reason == "sandbox-unenforceable"
        assert "no Landlock: too old" in failed.value.what
        assert "unenforced: allow" in failed.value.remedy
        assert not heard.lines

    run(play())


def test_it_starts_with_less_where_that_is_allowed(tmp_path: Path, elsewhere: None) -> None:
    async def play() -> None:
        heard = Heard(tmp_path, "-c", "import os; print(os.environ['HOME'])", unenforced="allow")
        await heard.child.start()
        await until(lambda: heard.ended)
        assert heard.lines == [str(tmp_path / "own").encode()]

    run(play())


def test_on_another_system_it_runs_as_it_is_where_that_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "this_host", lambda: Host(system="Darwin 24"))

    async def play() -> None:
        heard = Heard(tmp_path, "-c", "print(1)", unenforced="allow")
        await heard.child.start()
        await until(lambda: heard.ended)
        assert heard.lines == [b"1"]
        with pytest.raises(SpawnFailed, match="needs Linux"):
            await Heard(tmp_path, "-c", "print(1)").child.start()

    run(play())


@pytest.mark.parametrize(
    ("command", "more", "says"),
    [
        ("no-interpreter", {}, "cannot be run"),
        ("no-program", {}, "cannot be run"),
        (sys.executable, {"read": ("/no/such/folder",)}, "which does not exist"),
        (sys.executable, {"home": "/proc/no/such"}, "own folder"),
    ],
)
def test_what_cannot_be_run_says_why(
    command: str, more: dict[str, Any], says: str, tmp_path: Path
) -> None:
    for name, text in (("no-interpreter", "#!/no/such/interpreter\n"), ("no-program", "\x7fELF?")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    if os.sep not in command:
        command = str(tmp_path / command)

    async def play() -> None:
        before = descriptors()
        heard = Heard(tmp_path, "-c", "print(1)", command=command, **more)
        with pytest.raises(SpawnFailed) as failed:
            await heard.child.start()
        assert says in failed.value.what, failed.value.what
        assert failed.value.remedy
        assert descriptors() <= before + 1  # the guardian's pipe

    run(play())


@pytest.mark.skipif(not this_host().groups, reason="no control groups can be made here")
def test_a_group_with_a_process_in_it_is_removed_once_that_is_gone() -> None:
    async def play() -> None:
        group = counting.make(str(this_host().groups), 5)
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=PIPE)
        (group / "cgroup.procs").write_text(str(child.pid))
        counting.remove(group)
        assert group.exists()
        child.kill()
        await child.wait()
        await until(lambda: not group.exists())

    run(play())


def test_nothing_is_left_of_those_that_have_ended(tmp_path: Path) -> None:
    folder = Path(this_host().groups or "/no/such/folder")

    def groups() -> list[Path]:
        return sorted(folder.glob(f"lockgate-{os.getpid()}-*"))

    network: Any = (Destination("localhost", 9),)
    more: dict[str, Any] = {"processes": 20, "network": network}
    if lacking(SandboxSpec(level="strict", home="/", **more), this_host()):
        more = {}

    async def play() -> None:
        first = Heard(tmp_path, "-c", "print(1)", **more)
        await first.child.start()
        await until(lambda: first.ended)
        before = descriptors()
        for _ in range(5):
            heard = Heard(tmp_path, "-c", "print(1)", **more)
            await heard.child.start()
            await until(lambda heard=heard: heard.ended)
            assert heard.lines == [b"1"]
        assert descriptors() == before
        # The system may take a moment to let go of what was killed.
        await until(lambda: not groups())

    run(play())


def test_it_is_ended_like_any_other_and_so_are_its_children(tmp_path: Path) -> None:
    script = "import subprocess as s; p = s.Popen(['/bin/sleep', '600']); print(p.pid, flush=1)"
    script += "; p.wait()"

    async def play() -> None:
        heard = Heard(tmp_path, "-c", script)
        await heard.child.start()
        await until(lambda: heard.lines)
        await heard.child.stop(2)
        pid = int(heard.lines[0])
        await until(lambda: not Path(f"/proc/{pid}").exists())
        assert heard.ended

    run(play())


def test_a_start_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    async def play() -> None:
        await Heard(tmp_path, "-c", "print(1)").child.start()
        before = descriptors()
        for turns in range(6):
            heard = Heard(tmp_path, "-c", "import time; time.sleep(600)")
            starting = asyncio.ensure_future(heard.child.start())
            for _ in range(turns):
                await asyncio.sleep(0)
            starting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await starting
            await heard.child.stop(1)
        await until(lambda: descriptors() <= before)

    run(play())


def test_ceilings_hold_for_what_it_starts(tmp_path: Path) -> None:
    script = "import resource as r; print(r.getrlimit(r.RLIMIT_NOFILE), r.getrlimit(r.RLIMIT_CORE))"

    async def play() -> None:
        heard = Heard(tmp_path, "-c", script)
        await heard.child.start()
        await until(lambda: heard.ended)
        assert heard.lines == [b"(77, 77) (0, 0)"]

    run(play())


def test_its_own_folder_is_not_where_it_could_lay_a_link(tmp_path: Path) -> None:
    async def play() -> None:
        heard = Heard(tmp_path, "-c", "print(1)", write=(str(tmp_path),))
        with pytest.raises(SpawnFailed, match="which it may change"):
            await heard.child.start()
        whole = str(tmp_path)
        heard = Heard(tmp_path, "-c", "print(1)", home=whole, write=(whole,))
        await heard.child.start()
        await until(lambda: heard.ended)
        assert heard.lines == [b"1"]

    run(play())
