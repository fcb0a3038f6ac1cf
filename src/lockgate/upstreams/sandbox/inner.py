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
    from collections.abc import Sequence
    from typing import Any

RULESET, ADD_RULE, RESTRICT = 444, 445, 446
OPEN, AT_FDCWD, NO_LINKS = 437, -100, 4
MOUNT_SETATTR, AT_RECURSIVE, MOUNT_READ_ONLY = 442, 0x8000, 1
BENEATH, PORT = 1, 2
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 22, 24
PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4
SECCOMP_MODE_FILTER = 2
SIGKILL = 9
CAPABILITIES_3 = 0x20080522
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
SIOCSIFFLAGS, SIOCSIFADDR, IFF_UP = 0x8914, 0x8916, 1
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


def enter(told: dict[str, Any]) -> None:
    """Have a network of its own, with the doors that are told of, and names that lead to them."""
    # Loaded while this process can still read the folders of its interpreter.
    for name in ("socket", "struct"):
        __import__(name)
    flags = told["flags"]
    user, group = os.geteuid(), os.getegid()
    must("namespaces", libc.unshare(flags), hex(flags))
    if flags & CLONE_NEWUSER:
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            put(f"/proc/self/{name}", text)
    if flags & CLONE_NEWNET:
        wire(told["addresses"])
        if told["doors"]:
            hand_over(told["doors"], told["socket"])
    if flags & CLONE_NEWNS:
        must("namespaces", libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "/")
        keep(told["kept"])
        if told["hosts"]:
            here = libc.mount(told["hosts"], b"/etc/hosts", None, MS_BIND, None)
            must("namespaces", here, "/etc/hosts")


def keep(kept: Sequence[bytes]) -> None:
    """Let files be changed below these paths only.

    Also in the ways that Landlock does not judge: modes, owners, times and attributes.
    """
    for path in kept:
        must("namespaces", libc.mount(path, path, None, MS_BIND | MS_REC, None), path)
    read_only(b"/", True)
    for path in kept:
        read_only(path, False)
    here = os.getcwd()  # noqa: PTH109 - pathlib doubles the start-up
    os.chdir(here)  # for what is mounted there now


def read_only(path: bytes, so: bool) -> None:
    """Make what is mounted at a path, and below it, read-only or writable."""
    wanted = (MOUNT_READ_ONLY, 0) if so else (0, MOUNT_READ_ONLY)
    how = (ctypes.c_uint64 * 4)(*wanted, 0, 0)
    size = ctypes.c_size_t(ctypes.sizeof(how))
    result = libc.syscall(MOUNT_SETATTR, AT_FDCWD, path, AT_RECURSIVE, how, size)
    must("namespaces", result, path)


def put(path: str, text: str) -> None:
    """Write a file of /proc whole."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        os.write(file, text.encode())
        os.close(file)
    except OSError as error:
        raise Failed("namespaces", error.errno or 0, path) from error


def wire(addresses: Sequence[str]) -> None:
    """Switch the loopback device on, and give it addresses beside its own."""
    import socket  # noqa: PLC0415 - only those pay for it who need it
    import struct  # noqa: PLC0415 - as above

    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            request(one, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP), "lo")
            for number, address in enumerate(addresses):
                if ":" in address:
                    continue
                place = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))
                name = f"lo:{number}".encode()
                request(one, SIOCSIFADDR, struct.pack("16s16s8x", name, place), address)
        six = [address for address in addresses if ":" in address]
        if six:
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as one:
                for address in six:
                    place = socket.inet_pton(socket.AF_INET6, address)
                    request(one, SIOCSIFADDR, struct.pack("16sIi", place, 128, 1), address)
    except OSError as error:
        raise Failed("namespaces", error.errno or 0, "lo") from error


def request(one: Any, number: int, data: bytes, about: str) -> None:
    """Ask something of a network device."""
    text = ctypes.create_string_buffer(data, len(data))
    must("namespaces", libc.ioctl(one.fileno(), ctypes.c_ulong(number), text), about)


def hand_over(doors: list[tuple[str, int]], to: int) -> None:
    """Listen at each door, and leave who comes there to the gateway."""
    import socket  # noqa: PLC0415 - only those pay for it who need it

    made: list[socket.socket] = []
    try:
        for address, port in doors:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            made.append(socket.create_server((address, port), family=family, backlog=64))
        with socket.socket(fileno=to) as gateway:
            socket.send_fds(gateway, [b"."], [one.fileno() for one in made])
    except OSError as error:
        raise Failed("namespaces", error.errno or 0, "doors") from error


def probe() -> str:
    """Which way there is to namespaces: `direct`, `user`, or the error that stands in it."""
    told: dict[str, Any] = {"addresses": (), "doors": (), "hosts": b"", "kept": ()}
    own = CLONE_NEWNET | CLONE_NEWNS
    failed = ""
    for way, flags in (("direct", own), ("user", own | CLONE_NEWUSER)):
        try:
            enter({**told, "flags": flags})
        except Failed as error:
            failed = f"{os.strerror(error.number)} ({error.about})"
        else:
            return way
    return failed


class Beneath(ctypes.Structure):
    """A rule on everything below a path."""

    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def reach(path: bytes) -> int:
    """A descriptor of a path that has no links; -1 if it is not there, or has one.

    None had a link when it was decided on, so what has one now was put there since.
    """
    how = (ctypes.c_uint64 * 3)(os.O_PATH | os.O_CLOEXEC, 0, NO_LINKS)
    return libc.syscall(OPEN, AT_FDCWD, path, how, ctypes.c_size_t(24))


def confine(handled: tuple[int, ...], rules: list[tuple[bytes, int]]) -> None:
    """Let nothing be opened or changed but by a rule. Paths that are missing have none."""
    attributes = (ctypes.c_uint64 * len(handled))(*handled)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    ruleset = must("files", libc.syscall(RULESET, attributes, size, 0))
    for path, wanted in rules:
        place = reach(b"/proc/%d" % os.getpid() if path == b"/proc/self" else path)
        if place == -1:
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
    if plan["group"]:
        join(plan["group"])
    if plan["limits"]:
        __import__("resource")  # before the next step, as is said there
    if plan["namespaces"]:
        enter(plan["namespaces"])
    limit(plan["limits"])
    drop(plan["capabilities"])
    die_with(plan["parent"])  # a change of privileges before would have undone it
    must("privileges", libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    if plan["handled"]:
        confine(plan["handled"], plan["rules"])
    if plan["filter"]:
        screen(plan["filter"])


def main() -> None:
    """Do it, and say why not if it cannot be done."""
    if sys.argv[1] == "probe":
        sys.stdout.write(probe())
        return
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
