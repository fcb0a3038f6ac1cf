"""A gateway with one burglar among its servers, and what there is to be stolen around it.

Run as a script it prints what the burglar came to, as JSON, so that another user can run it:
`python -m tests.security.house LEVEL FOLDER`; the folder holds what `furnish` has put there.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.security.world import gateway, until

BURGLAR = Path(__file__).with_name("burglar.py")
INTERPRETER = os.environ.get("BURGLARS_INTERPRETER", sys.executable)
PROCESSES = 60
NAME = "api.example.test"
MEMORY = 256 << 20


def knocks(server: socket.socket) -> int:
    """How many have come to a server, and said something."""
    server.settimeout(0)
    found = 0
    while True:
        try:
            one, _ = server.accept()
        except BlockingIOError:
            return found
        with one:
            one.settimeout(5)
            found += one.recv(1) == b"x"


def furnish(folder: Path) -> None:
    """Put secrets, and places for work, into an empty folder."""
    for name in ("outside", "readable", "writable", "cwd", "home/.ssh", "sockets", "own"):
        (folder / name).mkdir(parents=True)
    for name in ("secret", "outside/file", "outside/removable", "readable/file"):
        (folder / name).write_text("secret-canary")
    (folder / "home/.ssh/id_ed25519").write_text("secret-canary")
    shutil.copy(BURGLAR, folder / "cwd" / BURGLAR.name)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)


async def visit(
    level: str, folder: Path, allowed: Sequence[str] | None = None, **more: Any
) -> dict[str, Any]:
    """What the burglar came to, by attempt, and under `status` what the gateway says of it.

    `allowed` are the places it may reach, with `{tcp}` for the port of a server on this machine,
    and `heard` is then what that server and one that is not allowed have heard.
    """
    os.environ["HOME"] = str(folder / "home")
    os.environ["OF_THE_GATEWAY"] = "canary"
    kept = os.open(folder / "secret", os.O_RDONLY)
    os.set_inheritable(kept, True)
    canary = ctypes.create_string_buffer(b"canary")
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.create_server(("127.0.0.1", 0)) as elsewhere,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket(socket.AF_UNIX) as abstract,
        subprocess.Popen(["/bin/sleep", "600"]) as stranger,  # noqa: ASYNC220 - it waits for nothing
    ):
        udp.bind(("127.0.0.1", 0))
        path = folder / "sockets" / f"{os.getpid()}"
        unix.bind(str(path))
        path.chmod(0o777)
        unix.listen()
        abstract.bind(f"\0lockgate-test-{os.getpid()}")
        abstract.listen()
        places = {
            "level": level != "off",
            "secret": str(folder / "secret"),
            "outside": str(folder / "outside"),
            "home": str(folder / "home"),
            "readable": str(folder / "readable"),
            "writable": str(folder / "writable"),
            "cwd": str(folder / "cwd"),
            "tcp": tcp.getsockname()[1],
            "elsewhere": elsewhere.getsockname()[1],
            "name": NAME,
            "udp": udp.getsockname()[1],
            "unix": str(path),
            "abstract": f"lockgate-test-{os.getpid()}",
            "stranger": stranger.pid,
            "address": ctypes.addressof(canary),
            "processes": PROCESSES,
            "memory": MEMORY,
        }
        sandbox = {
            "level": level,
            "read": [str(folder / "readable")],
            "write": [str(folder / "writable")],
            "home": str(folder / "own" / f"{level}-{os.getuid()}"),
            "memory": MEMORY,
            "processes": PROCESSES,
            **more,
        }
        if allowed is not None:
            sandbox["network"] = [one.format(**places) for one in allowed]
        entry = {
            "command": INTERPRETER,
            "args": ["-I", "-S", BURGLAR.name, json.dumps(places)],
            "cwd": str(folder / "cwd"),
            "sandbox": sandbox,
        }
        try:
            async with gateway({"burglar": entry}) as w:
                [status] = w.gateway.servers()
                assert status.phase == "ready", (status.error, status.remedy)
                found: dict[str, Any] = (await w.call("try")).result["structuredContent"]
                heard = [0, 0]

                def listened() -> bool:
                    for place, one in enumerate((tcp, elsewhere)):
                        heard[place] += knocks(one)
                    return heard[0] >= len(allowed or ())

                # What came through a door may still be on its way.
                await until(listened)
                found["heard"] = heard
                found["status"] = status.sandbox and vars(status.sandbox)
                return found
        finally:
            stranger.kill()
            os.close(kept)


if __name__ == "__main__":
    network = sys.argv[3] if len(sys.argv) > 3 else None
    seen = asyncio.run(visit(sys.argv[1], Path(sys.argv[2]), network=network))
    print(json.dumps(seen))
