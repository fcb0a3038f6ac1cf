"""A real stdio server in a real sandbox: nothing it tries comes to anything, and its work goes on.

Every attempt is also made without a sandbox, where it has to succeed: an attempt that fails anyway
shows nothing.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lockgate.gateway import sandboxes
from lockgate.upstreams.sandbox import starting
from lockgate.upstreams.sandbox.host import Way, this_host
from lockgate.upstreams.sandbox.plan import lacking
from lockgate.upstreams.sandbox.spec import Level, SandboxSpec
from tests.security.controls import holds
from tests.security.house import NAME, furnish, visit

ROOT = os.geteuid() == 0 if sys.platform != "win32" else False
NOBODY = 65534
REQUIRED = "LOCKGATE_TESTS_NEED_SANDBOX"
"""Set where tests have to fail, and not be skipped, when the host can enforce nothing."""


def missing(level: Level, **more: Any) -> str:
    """Why a level cannot be shown here; empty when it can."""
    found = lacking(SandboxSpec(level=level, home="/", **more), this_host())
    return "; ".join(one.what for one in found)


WORKS = (
    *(
        "own-files",
        "own-program",
        "temporary",
        "relative",
        "folder-it-starts-in",
        "writable-folder",
    ),
    *("readable-folder", "children", "thread", "pair", "devices", "certificates", "own-status"),
    *("names", "addresses", "own-signal"),
)
OPEN_IN_STANDARD = frozenset(
    {"chmod-outside", "parent-descriptors", "parent-command-line", "tcp", "udp", "listen"}
    | {"tcp-elsewhere", "tcp-to-itself"}
)
"""What `standard` lets through: see docs/security/sandbox.md."""
NOT_BY_THIS_USER = frozenset(
    {"read-shadow", "read-by-handle", "raw", "packet", "netfilter"}
    | {"perf", "bpf", "userfaultfd", "chroot", "mount", "reboot"}
    | {"capability-sys-admin", "capability-kill", "capability-setuid"}
    | {"parent-memory", "parent-descriptor", "attach"}
)
"""What an ordinary user may not do anyway, or may not on many systems."""
NEVER = frozenset({"descriptors", "variable", "tcp-by-name"})
"""What no child gets, with or without a sandbox."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A furnished folder that any user may enter."""
    made = Path(tempfile.mkdtemp(prefix="lockgate-"))
    made.chmod(0o755)
    furnish(made)
    yield made
    shutil.rmtree(made)


def become(user: int) -> None:
    """Be another user, with one privilege: the checkout and the interpreter may be root's alone."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(8, 1, 0, 0, 0)  # keep privileges over the change
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    reads = 1 << 2  # CAP_DAC_READ_SEARCH
    libc.capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(*[reads] * 3, 0, 0, 0))
    libc.prctl(47, 2, 2, 0, 0)  # and over the start of a program


def tried(level: str, folder: Path, user: int | None, network: str | None = None) -> dict[str, Any]:
    """What the burglar came to, with the gateway run by this user or (None) by another one."""
    if user is not None:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user, user)
    if user is None:
        return asyncio.run(asyncio.wait_for(visit(level, folder, network=network), 60))
    words = [] if network is None else [network]
    command = [sys.executable, "-m", "tests.security.house", level, str(folder), *words]
    interpreter = shutil.which("python3", path="/usr/bin") or sys.executable
    done = subprocess.run(
        command,
        preexec_fn=lambda: become(user),
        env={**os.environ, "HOME": str(folder), "BURGLARS_INTERPRETER": interpreter},
        capture_output=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return json.loads(done.stdout)


USERS = [
    pytest.param(None, id="as-itself"),
    pytest.param(
        NOBODY, id="as-nobody", marks=pytest.mark.skipif(not ROOT, reason="only root can tell")
    ),
]


def came_to_something(found: dict[str, Any]) -> set[str]:
    """The attempts that succeeded."""
    return {name for name, (well, _) in found.items() if well and name not in WORKS}


@holds(14)
@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("level", ["standard", "strict"])
def test_what_a_sandboxed_server_tries_comes_to_nothing(
    level: Level, user: int | None, folder: Path
) -> None:
    if why := missing(level):
        pytest.skip(why)
    found = tried(level, folder, user)
    status, heard = found.pop("status"), found.pop("heard")
    allowed: frozenset[str] = OPEN_IN_STANDARD if level == "standard" else frozenset()
    assert came_to_something(found) <= allowed, {
        name: found[name] for name in came_to_something(found) - allowed
    }
    assert {name: found[name] for name in WORKS if not found[name][0]} == {}
    assert status["level"] == level
    assert heard == ([1, 1] if level == "standard" else [0, 0]), heard
    assert not status["lacks"]
    assert (folder / "outside/file").read_text() == "secret-canary"
    assert sorted(path.name for path in (folder / "outside").iterdir()) == ["file", "removable"]


@pytest.mark.parametrize("user", USERS)
def test_without_a_sandbox_every_attempt_succeeds(user: int | None, folder: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("the attempts are made of Linux's system calls")
    found = tried("off", folder, user)
    assert found.pop("status") is None
    assert found.pop("heard")
    excused = NEVER | NOT_BY_THIS_USER if user is not None or not ROOT else NEVER
    failed = {
        name: said
        for name, (well, said) in found.items()
        if not well and name not in excused and name != "temporary"
    }
    assert failed == {}


def own_network() -> None:
    if why := missing("strict", network="loopback"):
        pytest.skip(why)


@holds(14)
def test_a_server_reaches_the_places_it_is_allowed_and_no_others(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_network()
    resolve = socket.getaddrinfo

    def known(host: Any, *args: Any, **more: Any) -> Any:
        return resolve("127.0.0.1" if host == NAME else host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", known)
    allowed = ["127.0.0.1:{tcp}", NAME + ":{tcp}"]
    found = asyncio.run(asyncio.wait_for(visit("strict", folder, allowed), 60))
    assert found["tcp"][0], found["tcp"]
    assert found["tcp-by-name"][0], found["tcp-by-name"]
    assert found["tcp-to-itself"][0], found["tcp-to-itself"]
    assert not found["tcp-elsewhere"][0]
    assert not found["unix"][0]
    assert not found["abstract"][0]
    assert found["heard"] == [2, 0]
    assert not found["status"]["lacks"]


@holds(14)
@pytest.mark.parametrize("user", USERS)
def test_a_network_of_its_own_has_nobody_on_it(user: int | None, folder: Path) -> None:
    own_network()
    found = tried("strict", folder, user, "loopback")
    assert found["tcp-to-itself"][0], found["tcp-to-itself"]
    assert found["listen"][0]
    assert not found["tcp"][0]
    assert not found["tcp-elsewhere"][0]
    assert not found["abstract"][0]
    assert found["heard"] == [0, 0]
    assert {name: found[name] for name in WORKS if not found[name][0]} == {}


def pretend(monkeypatch: pytest.MonkeyPatch, **less: Any) -> None:
    """Have this host enforce less than it can."""
    host = replace(this_host(), **less)
    for module in (starting, sandboxes):
        monkeypatch.setattr(module, "this_host", lambda: host)


@holds(14)
def test_strict_holds_without_namespaces_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if why := missing("strict"):
        pytest.skip(why)
    pretend(monkeypatch, known=Way("", "forbidden"))
    found = asyncio.run(asyncio.wait_for(visit("strict", folder, processes=None), 60))
    status = found.pop("status")
    assert found.pop("heard") == [0, 0]
    assert came_to_something(found) == {"forks", "threads"}
    # Modes of files are then nobody's to change, its own included.
    assert {name for name in WORKS if not found[name][0]} == {"relative"}
    assert not status["lacks"]


@holds(14)
@pytest.mark.parametrize("abi", [2, 3, 4, 5])
def test_standard_holds_on_older_kernels(
    abi: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if why := missing("standard"):
        pytest.skip(why)
    pretend(monkeypatch, landlock=min(abi, this_host().landlock))
    found = asyncio.run(asyncio.wait_for(visit("standard", folder, processes=None), 60))
    status = found.pop("status")
    del found["heard"]
    signals = {"kill-parent", "kill-stranger"}
    assert came_to_something(found) <= OPEN_IN_STANDARD | signals | {"forks", "threads"}
    refused = {name for name in WORKS if not found[name][0]}
    assert refused <= ({"own-files"} if abi < 3 else set())  # it truncates one by its name
    assert "signals" not in status["holds"]


@holds(14)
def test_this_host_enforces_the_portable_base() -> None:
    """Landlock, seccomp, ceilings: without them all of the above is skipped, and shows nothing."""
    why = missing("strict")
    if why and not os.environ.get(REQUIRED):
        pytest.skip(f"no sandbox can be shown here: {why} (set {REQUIRED}=1 to fail instead)")
    assert not why
