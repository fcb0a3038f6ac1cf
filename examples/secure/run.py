"""Starts the example: makes a folder with its files and two keys, then `lockgate up`.

    python examples/secure/run.py [--folder FOLDER] [--port PORT]

The keys are printed once. What is kept of them is a digest, in FOLDER/keys.json.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOCKGATE = (sys.executable, "-m", "lockgate")
KEYS = {"reader": ["orders:read"], "seller": ["orders:read", "orders:write"]}


def make_keys(file: Path) -> None:
    """A key for each of `KEYS`, printed as `NAME: KEY`."""
    for name, scopes in KEYS.items():
        said = [word for scope in scopes for word in ("--scope", scope)]
        made = subprocess.run(  # noqa: S603 - our own command
            [*LOCKGATE, "keys", "new", str(file), name, *said],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        print(f"{name}: {made.stdout.split()[0]}", flush=True)


def main() -> None:
    """See the file."""
    parser = argparse.ArgumentParser(description="Orders, for whoever has a key.")
    parser.add_argument("--folder", type=Path, default=Path("secure-example"))
    parser.add_argument("--port", type=int, default=4040)
    asked = parser.parse_args()
    folder = asked.folder.resolve()
    (folder / "data").mkdir(parents=True, exist_ok=True)
    if not (folder / "keys.json").exists():
        make_keys(folder / "keys.json")
    for name in ("lockgate.yaml", "server.py"):  # yours to change from then on
        if not (folder / name).exists():
            (folder / name).write_text((HERE / name).read_text())
    environ = {
        **os.environ,
        "PYTHON": sys.executable,
        "ORDERS_FOLDER": str(folder / "data"),
        "ORDERS_KEYS": str(folder / "keys.json"),
        "ORDERS_AUDIT": str(folder / "audit.jsonl"),
    }
    command = [*LOCKGATE, "up", str(folder / "lockgate.yaml"), "--port", str(asked.port)]
    os.chdir(folder)
    os.execve(sys.executable, command, environ)  # noqa: S606 - our own command


if __name__ == "__main__":
    main()
