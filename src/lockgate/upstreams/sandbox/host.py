"""What this system can enforce on a process without being asked for privileges.

Must not know: what anybody wants enforced. It is found out by asking the kernel, not by its release
number: distributions switch things off, and containers forbid them.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal, NamedTuple

from lockgate.upstreams.sandbox import inner
from lockgate.upstreams.sandbox.numbers import MACHINES, Machine

LINUX: Final = sys.platform == "linux"
_GET_ABI: Final = 1
_CREATE_RULESET: Final = 444
_PR_GET_SECCOMP: Final = 21
_PR_SET_SECCOMP: Final = 22
_MODE_FILTER: Final = 2


class Way(NamedTuple):
    """How a process gets namespaces: `direct` as root, in a `user` namespace, or not, and why."""

    kind: Literal["direct", "user", ""]
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Host:
    """What there is.

    system    its name and release, for people.
    machine   its calls by number; None for a machine we have no numbers for.
    landlock  the revision of Landlock's interface (ABI); 0: none.
    missing   why there is no Landlock: absent, disabled or forbidden; empty if there is.
    seccomp   whether system calls can be filtered.
    root      whether Lockgate runs as root.
    groups    the folder in which a control group that counts processes can be made; empty: none.
    known     the way to namespaces if it is known already; see `namespaces`.
    """

    system: str
    machine: Machine | None = None
    landlock: int = 0
    missing: str = ""
    seccomp: bool = False
    root: bool = False
    groups: str = ""
    known: Way | None = None

    @property
    def namespaces(self) -> Way:
        """The way to a network of one's own. It is tried out, so it is only asked when needed."""
        return _way() if self.known is None else self.known

    @property
    def linux(self) -> bool:
        """Whether it is a Linux at all."""
        return self.system.startswith("Linux")


_WHY: Final = {
    errno.ENOSYS: "this kernel is older than 5.13, was built without it, or a container hides it",
    errno.EOPNOTSUPP: "it is switched off: `landlock` is not in the kernel's `lsm=` list",
    errno.EPERM: "the seccomp profile of this container forbids it",
}


@cache
def this_host() -> Host:
    """Ask the system; once, as the answers do not change while it runs."""
    system = f"{platform.system()} {platform.release()}".strip()
    if not LINUX:
        return Host(system=system)
    libc = ctypes.CDLL(None, use_errno=True)
    abi, why = _landlock(libc)
    return Host(
        system=system,
        machine=MACHINES.get(platform.machine()),
        landlock=abi,
        missing=why,
        seccomp=_seccomp(libc),
        root=os.geteuid() == 0,
        groups=_groups(),
    )


FOR_THE_INTERPRETER: Final = ("LD_LIBRARY_PATH", "PYTHONHOME")
"""What an interpreter built as a shared library may need to start at all."""
SCRIPT: Final = (sys.executable, "-I", "-S", str(Path(inner.__file__)))
"""How `inner` is started."""
TRY: Final = 10.0
"""Seconds that trying something out may take."""


def plain_environment() -> dict[str, str]:
    """The environment that `inner` is started with."""
    return {name: os.environ[name] for name in FOR_THE_INTERPRETER if name in os.environ}


@cache
def _way() -> Way:
    try:
        said = subprocess.run(  # noqa: S603 - our own interpreter and script
            [*SCRIPT, "probe"],
            env=plain_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TRY,
            check=True,
        ).stdout.decode("utf-8", "replace")
    except (OSError, subprocess.SubprocessError) as error:
        return Way("", type(error).__name__)
    if said == "direct" or said == "user":
        return Way(said)
    return Way("", said)


def _groups() -> str:
    """Where control groups that count processes can be made, which takes root on most systems."""
    for folder, sign in (
        ("/sys/fs/cgroup", "cgroup.subtree_control"),
        ("/sys/fs/cgroup/pids", "tasks"),
    ):
        listed = Path(folder, sign)
        if not os.access(folder, os.W_OK) or not os.access(listed, os.W_OK):
            continue
        if sign == "tasks" or "pids" in listed.read_text("ascii", "replace").split():
            return folder
    return ""


def _landlock(libc: ctypes.CDLL) -> tuple[int, str]:
    abi: int = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _GET_ABI)
    if abi > 0:
        return abi, ""
    number = ctypes.get_errno()
    return 0, _WHY.get(number, os.strerror(number))


def _seccomp(libc: ctypes.CDLL) -> bool:
    if libc.prctl(_PR_GET_SECCOMP, 0, 0, 0, 0) < 0:
        return False
    # A filter that is no filter: a kernel that has them says that it cannot be read.
    libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, None, 0, 0)
    return ctypes.get_errno() == errno.EFAULT
