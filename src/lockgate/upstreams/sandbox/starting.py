"""Starting a child that has a sandbox, and hearing how that went.

Must not know: what a sandbox allows.
"""

from __future__ import annotations

import asyncio
import errno
import marshal
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lockgate.upstreams.launch import SpawnFailed
from lockgate.upstreams.sandbox import counting
from lockgate.upstreams.sandbox.doors import Porter, hosts_file
from lockgate.upstreams.sandbox.host import SCRIPT, plain_environment, this_host
from lockgate.upstreams.sandbox.plan import Plan, Unenforceable, plan
from lockgate.upstreams.sandbox.spec import SandboxSpec
from lockgate.upstreams.sandbox.view import changed

UNENFORCED: Final = "sandbox-unenforceable"
FAILED: Final = "sandbox-failed"
REPORT_BYTES: Final = 8192
ALLOW_LESS: Final = "or set `unenforced: allow` in its sandbox to run it with what can be enforced."


class Fence:
    """The sandbox of one child, from its plan to the report of its start."""

    def __init__(self, made: Plan, hosts: Path, server: str) -> None:
        """Opens descriptors; `close` them whatever happens, and tell it when the child has `ended`.

        Args:
            made: what the child is told.
            hosts: where the file with its names is written, if it has doors.
            server: its name, for the log.

        Raises:
            OSError: there are no descriptors left, or the system does not let a group be made.
        """
        self.plan: Final = made
        self._hosts = ""
        self._group: Path | None = None
        self._porter: Porter | None = None
        self._ours = self._theirs = -1
        if made.doors:
            hosts.write_text(hosts_file(made.doors), "ascii")
            self._hosts = str(hosts)
            self._porter = Porter(server, made.doors)
            ours, theirs = socket.socketpair()
            self._ours, self._theirs = ours.detach(), theirs.detach()
        if made.group and made.processes is not None:
            self._group = counting.make(made.group, made.processes)
        self._told = os.memfd_create("plan")
        self._report, self._said = os.pipe()
        group = "" if self._group is None else str(self._group / "cgroup.procs")
        told = made.told(os.getpid(), group, self._hosts, self._theirs)
        data = memoryview(marshal.dumps(told))
        while data:
            data = data[os.write(self._told, data) :]
        os.lseek(self._told, 0, os.SEEK_SET)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """Those that the child inherits. Its program does not: they are closed by then."""
        every = self._told, self._said, self._theirs
        return tuple(one for one in every if one >= 0)

    @property
    def command(self) -> list[str]:
        """What is started in place of the server's program."""
        return [*SCRIPT, str(self._told), str(self._said)]

    @property
    def env(self) -> dict[str, str]:
        """What that needs of an environment; the program gets its own."""
        return plain_environment()

    def started(self) -> None:
        """The child has its descriptors now."""
        self._shut("_told")
        self._shut("_said")
        self._shut("_theirs")

    async def passed(self) -> None:
        """Return when the server's program has taken its place.

        Raises:
            SpawnFailed: it has not, and will not.
        """
        loop = asyncio.get_running_loop()
        heard = bytearray()
        done = loop.create_future()

        def readable() -> None:
            try:
                data = os.read(self._report, REPORT_BYTES)
            except BlockingIOError:
                return
            heard.extend(data)
            if not data and not done.done():
                done.set_result(None)

        os.set_blocking(self._report, False)
        loop.add_reader(self._report, readable)
        try:
            await done
        finally:
            loop.remove_reader(self._report)
        if heard:
            raise explained(self.plan.command, bytes(heard))
        if self._porter is not None:
            with socket.socket(fileno=os.dup(self._ours)) as ours:
                ours.setblocking(False)  # it is all there, or will never be
                await self._porter.take_over(ours)

    def close(self) -> None:
        """Close what is still open here."""
        self.started()
        self._shut("_report")
        self._shut("_ours")

    def ended(self) -> None:
        """The child, and all it has started, is gone."""
        if self._porter is not None:
            self._porter.close()
        if self._group is not None:
            counting.remove(self._group)

    def _shut(self, name: str) -> None:
        if (descriptor := getattr(self, name)) >= 0:
            setattr(self, name, -1)
            os.close(descriptor)


def fence(
    spec: SandboxSpec,
    *,
    command: str,
    args: tuple[str, ...],
    env: Mapping[str, str],
    declared: Mapping[str, str],
    cwd: str | None,
    open_files: int | None,
    server: str = "",
) -> Fence | None:
    """The sandbox of a child; None when the host has none and `spec` allows that.

    Raises:
        SpawnFailed: it cannot be enforced, or a folder of it cannot be used.
    """
    host = this_host()
    prepare(spec, cwd)
    try:
        made = plan(
            spec,
            host,
            command=command,
            args=args,
            env=env,
            declared=declared,
            cwd=None if cwd is None else str(Path(cwd).absolute()),
            open_files=open_files,
        )
    except Unenforceable as error:
        what = f"its sandbox ({spec.level}) cannot be enforced here: {error}"
        remedies = " ".join(dict.fromkeys(lack.remedy.rstrip(".") for lack in error.lacks))
        raise SpawnFailed(what, f"{remedies}; {ALLOW_LESS}", reason=UNENFORCED) from None
    return Fence(made, Path(f"{spec.home}.hosts"), server) if host.linux else None


def prepare(spec: SandboxSpec, cwd: str | None) -> None:
    """Have the folders that are the server's own, for nobody else to read.

    Raises:
        SpawnFailed: they cannot be made, or what the sandbox names is missing.
    """
    for path in (*spec.read, *spec.write):
        if not Path(path).exists():
            raise SpawnFailed(
                f"its sandbox names {path!r}, which does not exist",
                "Create it, or correct `sandbox.read` and `sandbox.write`.",
                reason=FAILED,
            )
    home = str(Path(spec.home).resolve())
    for path in changed(spec, cwd):
        if home.startswith(f"{path}/"):
            # What is made beside it is made by Lockgate, and must not be led elsewhere by a link.
            raise SpawnFailed(
                f"its sandbox's own folder {spec.home!r} lies in {path!r}, which it may change",
                "Set `sandbox.home` to a folder outside of `cwd` and `sandbox.write`.",
                reason=FAILED,
            )
    try:
        Path(spec.home, "tmp").mkdir(mode=0o700, parents=True, exist_ok=True)
        Path(spec.home).chmod(0o700)
    except OSError as error:
        raise SpawnFailed(
            f"its sandbox's own folder {spec.home!r} cannot be made: {error.strerror}",
            "Set `sandbox.home` to a folder that Lockgate may write to.",
            reason=FAILED,
        ) from None


_STEPS: Final = {
    "parent": "it could not be tied to Lockgate's own end",
    "group": "its control group could not be entered",
    "limits": "a ceiling could not be set",
    "capabilities": "its privileges could not be given up",
    "privileges": "new privileges could not be ruled out",
    "files": "its view of the file system could not be set",
    "calls": "its system calls could not be filtered",
    "namespaces": "it could not be given a network of its own",
}


def explained(command: str, report: bytes) -> SpawnFailed | OSError:
    """What the child said before it ended."""
    said: Any = marshal.loads(report)  # noqa: S302 - written by our own script, to a pipe of ours
    step, number, about = said
    if step == "program":
        if number == errno.EACCES:
            return SpawnFailed(
                f"{command!r} may not be run inside its sandbox: Permission denied",
                "Make it executable; if it is a script, its interpreter has to be in the "
                "sandbox's view too: name its folder in `sandbox.read`.",
                reason=FAILED,
            )
        return OSError(number, os.strerror(number))
    where = about.decode("utf-8", "replace") if isinstance(about, bytes) else str(about)
    detail = f" ({where})" if where else ""
    return SpawnFailed(
        f"its sandbox failed: {_STEPS.get(step, step)}: {os.strerror(number)}{detail}",
        "`lockgate check` says what this host supports.",
        reason=FAILED,
    )
