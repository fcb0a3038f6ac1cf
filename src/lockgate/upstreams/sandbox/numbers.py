"""The numbers of Linux's system calls and of their arguments, for the two machines we know.

Must not know: what is done with them. Sources: the kernel's `syscall_64.tbl` and
`asm-generic/unistd.h`, and the headers of `linux/landlock.h`, `linux/seccomp.h`, `linux/sched.h`.
Calls that have no number on a machine do not exist there.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Machine(NamedTuple):
    """How one kind of machine is called, and what its calls are numbered.

    audit  the kernel's name for it (`AUDIT_ARCH_…`), by which a filter tells foreign calls.
    """

    audit: int
    calls: dict[str, int]


_SAME_EVERYWHERE: Final = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "clone3": 435,
    "pidfd_getfd": 438,
    "process_madvise": 440,
    "mount_setattr": 442,
    "quotactl_fd": 443,
    "landlock_create_ruleset": 444,
    "landlock_add_rule": 445,
    "landlock_restrict_self": 446,
    "fchmodat2": 452,
    "setxattrat": 463,
    "removexattrat": 466,
    "open_tree_attr": 467,
    "file_setattr": 469,
}
"""Numbers given since all machines share one list."""

_X86_64: Final = {
    "ioctl": 16,
    "socket": 41,
    "clone": 56,
    "truncate": 76,
    "chmod": 90,
    "chown": 92,
    "lchown": 94,
    "ptrace": 101,
    "setpgid": 109,
    "setsid": 112,
    "syslog": 103,
    "uselib": 134,
    "ustat": 136,
    "vhangup": 153,
    "modify_ldt": 154,
    "pivot_root": 155,
    "chroot": 161,
    "acct": 163,
    "settimeofday": 164,
    "mount": 165,
    "umount2": 166,
    "swapon": 167,
    "swapoff": 168,
    "reboot": 169,
    "sethostname": 170,
    "setdomainname": 171,
    "iopl": 172,
    "ioperm": 173,
    "init_module": 175,
    "delete_module": 176,
    "quotactl": 179,
    "setxattr": 188,
    "lsetxattr": 189,
    "removexattr": 197,
    "lremovexattr": 198,
    "lookup_dcookie": 212,
    "clock_settime": 227,
    "kexec_load": 246,
    "add_key": 248,
    "request_key": 249,
    "keyctl": 250,
    "migrate_pages": 256,
    "fchownat": 260,
    "fchmodat": 268,
    "unshare": 272,
    "move_pages": 279,
    "perf_event_open": 298,
    "fanotify_init": 300,
    "open_by_handle_at": 304,
    "setns": 308,
    "process_vm_readv": 310,
    "process_vm_writev": 311,
    "kcmp": 312,
    "finit_module": 313,
    "kexec_file_load": 320,
    "bpf": 321,
    "userfaultfd": 323,
}

_AARCH64: Final = {
    "setxattr": 5,
    "lsetxattr": 6,
    "removexattr": 14,
    "lremovexattr": 15,
    "lookup_dcookie": 18,
    "ioctl": 29,
    "umount2": 39,
    "mount": 40,
    "pivot_root": 41,
    "truncate": 45,
    "chroot": 51,
    "fchmodat": 53,
    "fchownat": 54,
    "vhangup": 58,
    "quotactl": 60,
    "acct": 89,
    "unshare": 97,
    "kexec_load": 104,
    "init_module": 105,
    "delete_module": 106,
    "clock_settime": 112,
    "syslog": 116,
    "ptrace": 117,
    "reboot": 142,
    "setpgid": 154,
    "setsid": 157,
    "sethostname": 161,
    "setdomainname": 162,
    "settimeofday": 170,
    "socket": 198,
    "add_key": 217,
    "request_key": 218,
    "keyctl": 219,
    "clone": 220,
    "swapon": 224,
    "swapoff": 225,
    "migrate_pages": 238,
    "move_pages": 239,
    "perf_event_open": 241,
    "fanotify_init": 262,
    "open_by_handle_at": 265,
    "setns": 268,
    "process_vm_readv": 270,
    "process_vm_writev": 271,
    "kcmp": 272,
    "finit_module": 273,
    "bpf": 280,
    "userfaultfd": 282,
    "kexec_file_load": 294,
}

_ARM: Final = Machine(0xC00000B7, _AARCH64 | _SAME_EVERYWHERE)
_INTEL: Final = Machine(0xC000003E, _X86_64 | _SAME_EVERYWHERE)
MACHINES: Final[dict[str, Machine]] = {
    "x86_64": _INTEL,
    "amd64": _INTEL,
    "aarch64": _ARM,
    "arm64": _ARM,
}
"""By the name `platform.machine()` has for them."""
FOREIGN_NUMBERS: Final = 0x40000000
"""On x86_64, calls from here on are those of a second interface (x32)."""

# Landlock: what it can be asked to forbid, and from which revision of its interface (ABI) on.
EXECUTE: Final = 1 << 0
WRITE_FILE: Final = 1 << 1
READ_FILE: Final = 1 << 2
READ_DIR: Final = 1 << 3
REMOVE_DIR: Final = 1 << 4
REMOVE_FILE: Final = 1 << 5
MAKE_CHAR: Final = 1 << 6
MAKE_DIR: Final = 1 << 7
MAKE_REG: Final = 1 << 8
MAKE_SOCK: Final = 1 << 9
MAKE_FIFO: Final = 1 << 10
MAKE_BLOCK: Final = 1 << 11
MAKE_SYM: Final = 1 << 12
REFER: Final = 1 << 13
TRUNCATE: Final = 1 << 14
IOCTL_DEV: Final = 1 << 15

BIND_TCP: Final = 1 << 0
CONNECT_TCP: Final = 1 << 1

SCOPE_ABSTRACT: Final = 1 << 0
SCOPE_SIGNAL: Final = 1 << 1

ABI_REFER: Final = 2
ABI_TRUNCATE: Final = 3
ABI_TCP: Final = 4
ABI_IOCTL: Final = 5
ABI_SCOPES: Final = 6
KERNEL_OF_ABI: Final = {1: "5.13", 2: "5.19", 3: "6.2", 4: "6.7", 5: "6.10", 6: "6.12", 7: "6.15"}
"""The release of Linux that brought each revision."""


def files_handled(abi: int) -> int:
    """What a ruleset of this revision forbids unless a rule allows it."""
    handled = (1 << 13) - 1
    handled |= REFER if abi >= ABI_REFER else 0
    handled |= TRUNCATE if abi >= ABI_TRUNCATE else 0
    return handled | (IOCTL_DEV if abi >= ABI_IOCTL else 0)


def scopes_handled(abi: int) -> int:
    """The same for what is reached neither by a path nor by a port."""
    return SCOPE_ABSTRACT | SCOPE_SIGNAL if abi >= ABI_SCOPES else 0
