"""Code that somebody else wrote runs in its sandbox, or not at all."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lockgate.kit import errors, execute
from lockgate.kit.execute import Limits, Outcome
from lockgate.upstreams import groups
from lockgate.upstreams.sandbox import host as hosts
from tests.kit.servers import called, sdk
from tests.security.test_sandbox import NOBODY, ROOT, become
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or bool(execute.missing()), reason="this host enforces no sandbox"
)


def run(code: str, limits: Limits = execute.DEFAULT, **more: object) -> Outcome:
    return asyncio.run(execute.python(code, limits=limits, **more))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - passed on


def test_it_runs_with_input_and_files_and_gives_what_it_leaves() -> None:
    code = "print(open('data.txt').read() + input()); open('out.bin', 'wb').write(b'\\0\\1')"
    found = run(code, Limits(files=1000), stdin="there\n", files={"data.txt": "hello "})
    assert found.ok
    assert found.stdout == "hello there\n"
    assert found.files == {"data.txt": b"hello ", "out.bin": b"\0\1"}


def test_what_it_is_kept_from(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    attempts = {
        "read": f"open({str(secret)!r}).read()",
        "write": f"open({str(tmp_path / 'new')!r}, 'w')",
        "home": f"open({str(Path.home() / '.profile')!r}, 'a')",
        "tcp": "__import__('socket').create_connection(('127.0.0.1', 9), 1)",
        "unix": "__import__('socket').socket(__import__('socket').AF_UNIX)",
        "signal": f"__import__('os').kill({os.getpid()}, 0)",
        "environ": f"open('/proc/{os.getpid()}/environ').read()",
        "leave": "__import__('os').setsid()",
    }
    code = "import json\nfound = {}\nfor name, text in ATTEMPTS.items():\n"
    code += "  try:\n    eval(text)\n    found[name] = 'done'\n"
    code += "  except OSError as error:\n    found[name] = 'refused'\n"
    code += "print(json.dumps(found))"
    found = run(f"ATTEMPTS = {attempts!r}\n{code}")
    assert found.stderr == ""
    assert "done" not in found.stdout
    assert found.stdout.count("refused") == len(attempts)
    assert not (tmp_path / "new").exists()


def test_nothing_of_the_environment_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKGATE_TRIED_SECRET", "hunter2")
    monkeypatch.setenv("PYTHONPATH", "/usr")
    found = run("import os, sys; print(dict(os.environ), sys.path)")
    assert "hunter2" not in found.stdout
    assert "PYTHONPATH" not in found.stdout


def test_it_is_bounded_in_time_memory_disk_processes_and_output() -> None:
    assert run("while True: pass", Limits(seconds=0.3)).timed_out
    assert "MemoryError" in run("bytearray(10**9)").stderr
    assert "File too large" in run("open('x', 'wb').write(b'x' * 10**7)", Limits(file=10**6)).stderr
    forks = "import os, time\nfor _ in range(99):\n  if not os.fork(): time.sleep(60)"
    assert "temporarily unavailable" in run(forks).stderr
    loud = run("while True: print('x' * 9999)", Limits(seconds=0.3, output=1000))
    assert (len(loud.stdout), loud.cut) == (1000, True)


def test_nothing_of_it_is_left_when_it_is_over() -> None:
    left = "import os, time\nif os.fork() == 0:\n  time.sleep(60)\nprint(os.getpgrp())"
    found = run(left, Limits(seconds=5))
    assert found.ok
    assert found.seconds < 4
    assert alive(int(found.stdout)) == []


def alive(group: int) -> list[str]:
    """Processes of a group that are not dead and merely not buried yet."""
    found: list[str] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, of = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if of == str(group) and state != "Z":
            found.append(stat.parent.name)
    return found


def test_nothing_of_its_folder_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(execute.tempfile, "tempdir", str(tmp_path))
    made = run("import os; os.mkdir('d', 0); print(os.getcwd())")
    assert made.stdout.startswith(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_whoever_goes_away_ends_it() -> None:
    async def cancelled() -> None:
        before = len(groups.GROUPS)
        task = asyncio.create_task(execute.python("import time; time.sleep(60)"))
        await until(lambda: len(groups.GROUPS) > before)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(groups.GROUPS) == before

    asyncio.run(cancelled())


def test_an_error_of_the_code_is_an_outcome() -> None:
    found = run("raise SystemExit(3)")
    assert (found.ok, found.code, found.timed_out) == (False, 3, False)
    assert "ZeroDivisionError" in run("1/0").stderr
    assert "SyntaxError" in run("(").stderr


@pytest.mark.parametrize("name", ["../x", "main.py", "tmp", "a/b", ""])
def test_names_of_files_have_to_be_names(name: str) -> None:
    with pytest.raises(errors.InvalidInput):
        run("", files={name: "x"})


def test_where_it_cannot_be_enforced_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute, "this_host", lambda: hosts.Host(system="Darwin 24"))
    assert execute.missing() == ["it needs Linux, and this is Darwin 24"]
    with pytest.raises(errors.Unavailable, match="cannot be run safely here: it needs Linux"):
        run("print(1)")


@pytest.mark.parametrize("number", [0, 1])
def test_as_a_tool_of_both_sdks(number: int) -> None:
    server = sdk(number)

    async def compute(code: str) -> str:
        return (await execute.python(code)).stdout

    server.tool()(compute)
    assert asyncio.run(called(server, "compute", code="print(6 * 7)")) == (False, "42\n")


AS_NOBODY = """
import asyncio, os, types
from lockgate.kit import execute
# This one's own may be root's alone.
execute.sys = types.SimpleNamespace(executable="/usr/bin/python3", platform="linux")
assert os.getuid() != 0 and execute.missing() == [], execute.missing()
code = "import os, time; os.mkdir('d', 0)\\n"
code += "for _ in range(99):\\n  if not os.fork(): time.sleep(60)"
print(asyncio.run(execute.python(code)).stderr)
"""


@pytest.mark.skipif(not ROOT, reason="only root can become another user")
@pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="no interpreter for everybody")
def test_an_ordinary_user_has_all_of_it_too() -> None:
    with tempfile.TemporaryDirectory(prefix="lockgate-") as folder:
        os.chown(folder, NOBODY, NOBODY)
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY],
            preexec_fn=lambda: become(NOBODY),
            env={**os.environ, "HOME": folder, "TMPDIR": folder},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "temporarily unavailable" in done.stdout
        assert list(Path(folder).iterdir()) == []
