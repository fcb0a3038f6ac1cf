"""`one.py SOCKET -m MODULE …` or `one.py SOCKET -c CODE …`: has `many.py` fork that, and is it.

Signals to end are passed on. It ends as the other does, and the other with it.
"""

import os
import signal
import socket
import struct
import sys
from pathlib import Path


def main() -> None:
    """See above."""
    line = socket.socket(socket.AF_UNIX)
    line.connect(sys.argv[1])
    words = sys.argv[2:]
    said = [os.fsencode(Path.cwd()), b"%d" % len(words), *map(os.fsencode, words)]
    said += [name + b"=" + value for name, value in os.environb.items()]
    data = b"\0".join(said)
    socket.send_fds(line, [struct.pack("!I", len(data))], [0, 1, 2])
    line.sendall(data)
    # Nothing of this is left to it: who reads or writes there is the other.
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    [pid] = struct.unpack("!I", line.recv(4, socket.MSG_WAITALL))
    for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(one, lambda number, _: os.kill(pid, number))
    told = line.recv(4, socket.MSG_WAITALL)
    code = struct.unpack("!i", told)[0] if len(told) == 4 else 255
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


main()
