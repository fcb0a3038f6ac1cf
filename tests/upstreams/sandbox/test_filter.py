"""The filter of system calls, run as the kernel would run it, for both machines."""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.upstreams.sandbox import filter as calls
from lockgate.upstreams.sandbox.numbers import FOREIGN_NUMBERS, MACHINES, Machine

INTEL, ARM = MACHINES["x86_64"], MACHINES["aarch64"]
BOTH = [pytest.param(INTEL, id="x86_64"), pytest.param(ARM, id="aarch64")]
ALLOWED = 0


def judged(program: bytes, machine: Machine, number: int, *args: int) -> int:
    """What the filter says of a call: an error number, or ALLOWED."""
    data = struct.pack("=IIQ6Q", number, machine.audit, 0, *(*args, *(0,) * (6 - len(args))))
    steps = list(struct.iter_unpack("=HBBI", program))
    held = at = 0
    for _ in range(len(steps)):
        code, yes, no, value = steps[at]
        at += 1
        if code == 0x20:
            [held] = struct.unpack_from("=I", data, value)
        elif code == 0x54:
            held &= value
        elif code == 0x06:
            assert value == calls.ALLOW or value & 0xFFFF0000 == calls.ERROR
            return 0 if value == calls.ALLOW else value & 0xFFFF
        else:
            truth = {0x15: held == value, 0x35: held >= value, 0x45: bool(held & value)}[code]
            at += yes if truth else no
    raise AssertionError("it does not end")


def made(
    machine: Machine, *, internet: bool = True, unix: bool = False, refused: Iterable[str] = ()
) -> bytes:
    return calls.program(machine, internet=internet, unix=unix, refused=refused)


@pytest.mark.parametrize("machine", BOTH)
def test_what_is_listed_is_refused_and_the_rest_is_not(machine: Machine) -> None:
    program = made(machine)
    listed = {name for name in calls.NOT_PERMITTED if name in machine.calls}
    for name in listed:
        assert judged(program, machine, machine.calls[name]) == errno.EPERM, name
    for name in calls.NO_SUCH_CALL:
        assert judged(program, machine, machine.calls[name]) == errno.ENOSYS, name
    special = {"clone", "ioctl", "socket"}
    known = {number for name, number in machine.calls.items() if name not in calls.BY_PATH}
    known -= {machine.calls["truncate"]}
    for number in set(range(462)) - known:
        assert judged(program, machine, number) == ALLOWED, number
    for name in special:
        assert name in machine.calls


@pytest.mark.parametrize("machine", BOTH)
def test_names_that_no_machine_has_would_refuse_nothing(machine: Machine) -> None:
    only_intel = {"iopl", "ioperm", "modify_ldt", "uselib", "ustat"}
    every = (*calls.NOT_PERMITTED, *calls.NO_SUCH_CALL, *calls.BY_PATH)
    missing = {name for name in every if name not in machine.calls}
    assert missing <= (only_intel | {"chmod", "chown", "lchown"} if machine is ARM else set())


@pytest.mark.parametrize("machine", BOTH)
def test_calls_of_another_machine_do_not_exist(machine: Machine) -> None:
    other = ARM if machine is INTEL else INTEL
    assert judged(made(machine), other, 0) == errno.ENOSYS
    assert judged(made(machine), machine, FOREIGN_NUMBERS + 39) == errno.ENOSYS
    assert judged(made(machine), machine, 0xFFFFFFFF) == errno.ENOSYS


@pytest.mark.parametrize("machine", BOTH)
def test_threads_and_children_are_made_and_namespaces_are_not(machine: Machine) -> None:
    program, clone = made(machine), machine.calls["clone"]
    thread = 0x3D0F00
    assert judged(program, machine, clone, thread) == ALLOWED
    assert judged(program, machine, clone, 17) == ALLOWED
    for bit in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000, 0x80):
        assert judged(program, machine, clone, bit | 17) == errno.EPERM, hex(bit)


@pytest.mark.parametrize("machine", BOTH)
@pytest.mark.parametrize("internet", [True, False])
@pytest.mark.parametrize("unix", [True, False])
def test_sockets(machine: Machine, internet: bool, unix: bool) -> None:
    program, socket = made(machine, internet=internet, unix=unix), machine.calls["socket"]
    flags = 0o2004000  # SOCK_NONBLOCK | SOCK_CLOEXEC
    for family in range(46):
        for kind in range(1, 11):
            said = judged(program, machine, socket, family, kind | flags, 0)
            fine = (
                (family in (calls.INET, calls.INET6) and internet and kind in (1, 2))
                or (family == calls.UNIX and unix)
                or family == calls.NETLINK
            )
            assert said == (ALLOWED if fine else errno.EACCES), (family, kind)
    for protocol in range(1, 23):
        assert judged(program, machine, socket, calls.NETLINK, 3, protocol) == errno.EACCES


@pytest.mark.parametrize("machine", BOTH)
def test_terminals_are_not_typed_into(machine: Machine) -> None:
    program, ioctl = made(machine), machine.calls["ioctl"]
    assert judged(program, machine, ioctl, 0, 0x5412) == errno.EPERM
    assert judged(program, machine, ioctl, 0, 0x541C) == errno.EPERM
    # The kernel looks at the lower half only; so does the filter.
    assert judged(program, machine, ioctl, 0, 0xF00000000 | 0x5412) == errno.EPERM
    assert judged(program, machine, ioctl, 0, 0x5401) == ALLOWED


@pytest.mark.parametrize("machine", BOTH)
def test_more_is_refused_where_it_is_asked_for(machine: Machine) -> None:
    program = made(machine, refused=calls.BY_PATH)
    for name in calls.BY_PATH:
        if name in machine.calls:
            assert judged(program, machine, machine.calls[name]) == errno.EPERM


@pytest.mark.parametrize("machine", BOTH)
def test_a_process_may_have_to_stay_in_its_group(machine: Machine) -> None:
    free, kept = made(machine), made(machine, refused=calls.LEAVING)
    for name in calls.LEAVING:
        assert judged(free, machine, machine.calls[name]) == 0
        assert judged(kept, machine, machine.calls[name]) == errno.EPERM


@settings(max_examples=200)
@given(
    st.sampled_from([INTEL, ARM]),
    st.integers(0, 2**32 - 1),
    st.lists(st.integers(0, 2**64 - 1), max_size=6),
)
def test_every_call_is_judged(machine: Machine, number: int, args: list[int]) -> None:
    program = made(machine, refused=calls.BY_PATH)
    assert judged(program, machine, number, *args) in {0, errno.EPERM, errno.ENOSYS, errno.EACCES}
    assert len(program) // 8 < 4096
