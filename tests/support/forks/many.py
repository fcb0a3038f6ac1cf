"""`many.py SOCKET MODULE…`: imports these, and forks whatever `one.py` asks for.

It runs in any Python that programs are forked in, so it knows nothing but the standard library. It
has one thread, and ends when its standard input does.
"""

import contextlib
import gc
import importlib
import os
import runpy
import selectors
import signal
import socket
import struct
import sys
from pathlib import Path


def main() -> None:
    """See above."""
    address, *modules = sys.argv[1:]
    sys.path[0] = str(Path.cwd())  # as `python -m` and `-c` have it, and not this file's folder
    for name in modules:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)
    wakes, wake = socket.socketpair()
    wake.setblocking(False)
    wakes.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno())
    os.write(1, b"ready\n")
    os.dup2(2, 1)
    running: dict[int, socket.socket] = {}
    with selectors.DefaultSelector() as ready:
        for file in (0, listener, wakes):
            ready.register(file, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj == 0:
                    for pid in running:
                        os.kill(pid, signal.SIGKILL)
                    os._exit(0)
                elif key.fileobj is listener:
                    line, _ = listener.accept()
                    pid = begin(line, [listener, wakes, wake, ready, *running.values()])
                    running[pid] = line
                    with contextlib.suppress(OSError):
                        line.sendall(struct.pack("!I", pid))
                    ready.register(line, selectors.EVENT_READ, pid)
                elif key.fileobj is wakes:
                    wakes.recv(4096)
                    reap(running, ready)
                else:
                    # Whoever asked for it is gone, and it goes with them.
                    ready.unregister(key.fileobj)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(key.data, signal.SIGKILL)


def reap(running, ready) -> None:
    """Tell how those ended that have ended."""
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        line = running.pop(pid)
        with contextlib.suppress(OSError):
            line.sendall(struct.pack("!i", os.waitstatus_to_exitcode(status)))
        with contextlib.suppress(KeyError):
            ready.unregister(line)
        line.close()


def begin(line, ours) -> int:
    """Fork what is asked for on this line; its process id."""
    head, files, _, _ = socket.recv_fds(line, 4, 3)
    data = line.recv(struct.unpack("!I", head)[0], socket.MSG_WAITALL)
    folder, many, *rest = data.split(b"\0")
    words = [os.fsdecode(one) for one in rest[: int(many)]]
    environ = dict(one.split(b"=", 1) for one in rest[int(many) :])
    pid = os.fork()
    if pid:
        for file in files:
            os.close(file)
        return pid
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for one in (line, *ours):
        one.close()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environb.clear()
    os.environb.update(environ)
    play(words)
    raise SystemExit(0)  # through all of `main`, and with what a program does when it ends


def play(words) -> None:
    """Be the program."""
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", 1 if os.isatty(1) else -1, encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, "utf-8", "backslashreplace", closefd=False)
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    how, what, *rest = words
    sys.argv = [how, *rest]
    if how == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        spoken = sys.modules["__main__"].__dict__
        exec(compile(what, "<string>", "exec"), {**spoken, "__file__": None})  # noqa: S102 - as -c


main()
