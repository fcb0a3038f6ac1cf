"""Carries out a sandbox's plan on itself, and then becomes the server's program.

Must not know: anything of the rest; it is started as a script, with nothing but the standard
library, and imports nothing of this package. What is to be done was decided by `plan`, and arrives
in a file in memory; how far it came is written to a pipe that closes with the program's start.

A fresh process with one thread does this, and not the gateway's own fork: between fork and exec of
a process with threads hardly anything is safe, and namespaces cannot be left to a thread.
Whatever fails, the program is not started.
"""

from __future__ import annotations

import ctypes
import marshal
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing it costs as much time as all the rest
    from typing import Any

RULESET, ADD_RULE, RESTRICT = 444, 445, 446
BENEATH, PORT = 1, 2
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 22, 24
PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4
SECCOMP_MODE_FILTER = 2
SIGKILL = 9
CAPABILITIES_3 = 0x20080522
OF_FILES = 1 | 2 | 4 | 1 << 14 | 1 << 15
"""The rights that a file can have; the others are of folders."""
DIRECTORY, KIND = 0o040000, 0o170000

libc = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """A step could not be done: its name, the system's error number, and what it was about."""

    def __init__(self, step: str, number: int, about: bytes | str = "") -> None:
        super().__init__(step, number, about)
        self.step = step
        self.number = number
        self.about = about


def must(step: str, result: int, about: bytes | str = "") -> int:
    """The result of a call of the C library that says -1 when it failed."""
    if result == -1:
        raise Failed(step, ctypes.get_errno(), about)
    return result


def die_with(parent: int) -> None:
    """End when the gateway ends."""
    must("parent", libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
    if os.getppid() != parent:  # it has ended already
        os._exit(0)


def limit(limits: tuple[tuple[int, int], ...]) -> None:
    """Lower the ceilings of the system on what one process may use."""
    if not limits:
        return
    import resource  # noqa: PLC0415 - only those pay for it who need it

    for kind, wanted in limits:
        _, most = resource.getrlimit(kind)
        value = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        try:
            resource.setrlimit(kind, (value, value))
        except (OSError, ValueError) as error:
            raise Failed("limits", getattr(error, "errno", None) or 22, str(kind)) from error


def join(group: str) -> None:
    """Enter a control group, by the file that lists its processes."""
    try:
        with open(group, "w") as file:  # noqa: PTH123 - pathlib doubles the start-up
            file.write(str(os.getpid()))
    except OSError as error:
        raise Failed("group", error.errno or 0, group) from error


def drop(kept: tuple[int, ...]) -> None:
    """Give up what makes root root, for good. `kept` are the numbers of what stays."""
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(CAPABILITIES_3, 0)
    data = (ctypes.c_uint32 * 6)()
    must("capabilities", libc.capget(header, data))
    effective = data[0] | data[3] << 32
    if not effective:
        return
    # Where this is not allowed, what follows is enough: without new privileges, nothing that a
    # program may gain at its start goes beyond what this process still has.
    for number in range(64):
        if number not in kept and libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0) == -1:
            break
    mask = 0
    for number in kept:
        mask |= 1 << number
    for place, shift in ((0, 0), (3, 32)):
        have = int(data[place + 1]) & (mask >> shift) & 0xFFFFFFFF
        data[place], data[place + 1], data[place + 2] = have, have, 0
    must("capabilities", libc.capset(header, data))


class Beneath(ctypes.Structure):
    """A rule on everything below a path."""

    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def confine(handled: tuple[int, ...], rules: list[tuple[bytes, int]]) -> None:
    """Let nothing be opened or changed but by a rule. Paths that are missing have none."""
    attributes = (ctypes.c_uint64 * len(handled))(*handled)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    ruleset = must("files", libc.syscall(RULESET, attributes, size, 0))
    for path, wanted in rules:
        try:
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            continue
        folder = os.fstat(place).st_mode & KIND == DIRECTORY
        allowed = wanted if folder else wanted & OF_FILES
        rule = Beneath(allowed, place)
        if allowed:
            must("files", libc.syscall(ADD_RULE, ruleset, BENEATH, ctypes.byref(rule), 0), path)
        os.close(place)
    must("files", libc.syscall(RESTRICT, ruleset, 0))
    os.close(ruleset)


class Program(ctypes.Structure):
    """A filter of system calls."""

    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]


def screen(steps: bytes) -> None:
    """Have every system call from here on judged."""
    text = ctypes.create_string_buffer(steps, len(steps))
    program = Program(len(steps) // 8, ctypes.addressof(text))
    result = libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)
    must("calls", result)


def carry_out(plan: dict[str, Any]) -> None:
    """Everything, in the one order in which each step is still allowed to be taken."""
    die_with(plan["parent"])
    if plan["group"]:
        join(plan["group"])
    limit(plan["limits"])
    drop(plan["capabilities"])
    must("privileges", libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    if plan["handled"]:
        confine(plan["handled"], plan["rules"])
    if plan["filter"]:
        screen(plan["filter"])


def main() -> None:
    """Do it, and say why not if it cannot be done."""
    source, report = int(sys.argv[1]), int(sys.argv[2])
    os.set_inheritable(report, False)
    with open(source, "rb") as file:
        plan: dict[str, Any] = marshal.loads(file.read())  # noqa: S302 - a file only Lockgate has
    try:
        carry_out(plan)
        os.execve(plan["command"], plan["argv"], plan["env"])  # noqa: S606 - what it is for
    except Failed as error:
        said = error.step, error.number, error.about
    except OSError as error:
        said = "program", error.errno or 0, ""
    os.write(report, marshal.dumps(said))
    os._exit(127)


if __name__ == "__main__":
    main()
