"""A seccomp filter as the kernel takes it: a small program that judges each system call.

Must not know: where it is installed. Source: `linux/seccomp.h`, `linux/filter.h`.

Most calls are let through, and what a server has no business with is refused: a list of the calls
programs may need would be a list of what all languages' runtimes need now and after their next
release. What is refused gets an error that programs know how to take (no such call, not permitted);
nothing is killed for asking.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable
from typing import Final

from lockgate.upstreams.sandbox.numbers import FOREIGN_NUMBERS, Machine

_LOAD: Final = 0x20
_EQUAL: Final = 0x15
_AT_LEAST: Final = 0x35
_ANY_BIT: Final = 0x45
_AND: Final = 0x54
_RETURN: Final = 0x06
_NUMBER_AT: Final = 0
_MACHINE_AT: Final = 4
_ARGUMENTS_AT: Final = 16
ALLOW: Final = 0x7FFF0000
ERROR: Final = 0x00050000

NOT_PERMITTED: Final = (
    # other processes
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "pidfd_getfd",
    "kcmp",
    "migrate_pages",
    "move_pages",
    # the file system as a whole
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "open_tree",
    "open_tree_attr",
    "move_mount",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "quotactl",
    "quotactl_fd",
    "swapon",
    "swapoff",
    "open_by_handle_at",
    "fanotify_init",
    "lookup_dcookie",
    "ustat",
    # namespaces
    "unshare",
    "setns",
    # the kernel, its keys and its clocks
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "add_key",
    "request_key",
    "keyctl",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "acct",
    "syslog",
    "settimeofday",
    "clock_settime",
    "sethostname",
    "setdomainname",
    "iopl",
    "ioperm",
    "modify_ldt",
    "uselib",
    "vhangup",
)
NO_SUCH_CALL: Final = (
    # What goes through a ring of io_uring passes no filter. Programs that know it know to do
    # without, as most containers do not have it either.
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    # Its arguments are behind a pointer no filter can follow; libraries use `clone` without it.
    "clone3",
)
BY_PATH: Final = (
    "chmod",
    "fchmodat",
    "fchmodat2",
    "chown",
    "lchown",
    "fchownat",
    "setxattr",
    "lsetxattr",
    "setxattrat",
    "removexattr",
    "lremovexattr",
    "removexattrat",
    "file_setattr",
)
"""What changes a file's mode, owner or attributes by its name, which Landlock does not judge."""

LEAVING: Final = ("setsid", "setpgid")
"""What a process leaves its group by, which would not be found by whoever ends that."""

_NEW_NAMESPACES: Final = 0x7E020080
"""CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET."""
_TIOCSTI: Final = 0x5412
_TIOCLINUX: Final = 0x541C
UNIX: Final = 1
INET: Final = 2
INET6: Final = 10
NETLINK: Final = 16
_STREAM: Final = 1
_DATAGRAM: Final = 2
_TYPE_BITS: Final = 0xF

Step = tuple[int, int, int, int]


def program(machine: Machine, *, internet: bool, unix: bool, refused: Iterable[str] = ()) -> bytes:
    """The filter.

    Args:
        machine: whose calls it judges.
        internet: whether sockets of TCP and UDP may be made.
        unix: whether sockets that have names in the file system may be.
        refused: calls that are not permitted beside those above.
    """
    calls = machine.calls
    steps: list[Step] = [
        (_LOAD, 0, 0, _MACHINE_AT),
        (_EQUAL, 1, 0, machine.audit),
        _error(errno.ENOSYS),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_AT_LEAST, 0, 1, FOREIGN_NUMBERS),
        _error(errno.ENOSYS),
    ]
    for name in (*NOT_PERMITTED, *refused):
        if name in calls:
            steps += [(_EQUAL, 0, 1, calls[name]), _error(errno.EPERM)]
    for name in NO_SUCH_CALL:
        steps += [(_EQUAL, 0, 1, calls[name]), _error(errno.ENOSYS)]
    steps += _when(calls["clone"], _no_namespaces())
    steps += _when(calls["ioctl"], _no_typing())
    steps += _when(calls["socket"], _sockets(internet=internet, unix=unix))
    steps.append((_RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def _error(number: int) -> Step:
    return (_RETURN, 0, 0, ERROR | number)


def _argument(index: int) -> Step:
    """Load the lower half of an argument; both machines keep it first."""
    return (_LOAD, 0, 0, _ARGUMENTS_AT + 8 * index)


def _when(number: int, block: list[Step]) -> list[Step]:
    """Take `block`, which ends with a return on each of its ways, for one call."""
    return [(_EQUAL, 0, len(block), number), *block]


def _no_namespaces() -> list[Step]:
    return [
        _argument(0),
        (_ANY_BIT, 0, 1, _NEW_NAMESPACES),
        _error(errno.EPERM),
        (_RETURN, 0, 0, ALLOW),
    ]


def _no_typing() -> list[Step]:
    """Nothing types into the terminal of others."""
    return [
        _argument(1),
        (_EQUAL, 1, 0, _TIOCSTI),
        (_EQUAL, 0, 1, _TIOCLINUX),
        _error(errno.EPERM),
        (_RETURN, 0, 0, ALLOW),
    ]


def _sockets(*, internet: bool, unix: bool) -> list[Step]:
    """Which kinds of sockets there are. Pairs of connected ones are another call."""
    allow: Step = (_RETURN, 0, 0, ALLOW)
    # Reading the machine's own addresses and routes is what resolvers do first of all.
    netlink: list[Step] = [_argument(2), (_EQUAL, 0, 1, 0), allow, _error(errno.EACCES)]
    steps: list[Step] = [_argument(0)]
    if unix:
        steps += [(_EQUAL, 0, 1, UNIX), allow]
    if internet:
        # Streams and datagrams only: nothing raw.
        kinds: list[Step] = [
            _argument(1),
            (_AND, 0, 0, _TYPE_BITS),
            (_EQUAL, 1, 0, _STREAM),
            (_EQUAL, 0, 1, _DATAGRAM),
            allow,
            _error(errno.EACCES),
        ]
        steps += [(_EQUAL, 1, 0, INET), (_EQUAL, 0, len(kinds), INET6), *kinds]
    steps += [(_EQUAL, 0, len(netlink), NETLINK), *netlink, _error(errno.EACCES)]
    return steps
