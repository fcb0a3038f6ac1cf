"""What this system can enforce on a process without being asked for privileges.

Must not know: what anybody wants enforced. It is found out by asking the kernel, not by its release
number: distributions switch things off, and containers forbid them.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import sys
from dataclasses import dataclass
from functools import cache
from typing import Final

from lockgate.upstreams.sandbox.numbers import MACHINES, Machine

LINUX: Final = sys.platform == "linux"
_GET_ABI: Final = 1
_CREATE_RULESET: Final = 444
_PR_GET_SECCOMP: Final = 21
_PR_SET_SECCOMP: Final = 22
_MODE_FILTER: Final = 2


@dataclass(frozen=True, kw_only=True)
class Host:
    """What there is.

    system    its name and release, for people.
    machine   its calls by number; None for a machine we have no numbers for.
    landlock  the revision of Landlock's interface (ABI); 0: none.
    missing   why there is no Landlock: absent, disabled or forbidden; empty if there is.
    seccomp   whether system calls can be filtered.
    root      whether Lockgate runs as root.
    """

    system: str
    machine: Machine | None = None
    landlock: int = 0
    missing: str = ""
    seccomp: bool = False
    root: bool = False

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
    )


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
