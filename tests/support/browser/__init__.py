"""A headless Chromium for tests of the pages people see, driven over its debugging protocol.

The program comes from npm's ``@sparticuz/chromium`` (tests/interop/browser), unpacked once into
the tests' cache. It reaches loopback addresses only. ``CHROMIUM=/path`` uses another; where none
can run, tests that ask for it are skipped with a word why.

Must not know: what is looked at with it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.support import node
from tests.support.browser.page import Chromium, connected
from tests.support.caching import prepared
from tests.support.running import PATIENCE, NotStartedError, process

HERE = Path(__file__).parent
LISTENING = re.compile(rb"DevTools listening on (ws://\S+)")
FLAGS = [
    "--headless",
    "--no-sandbox",  # containers seldom allow Chromium its own one
    "--no-zygote",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--font-render-hinting=none",
    "--remote-debugging-port=0",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]


@functools.cache
def unpacked() -> Path:
    """The folder with the ``chromium`` program and what it needs beside it."""
    listed = node.LISTED / "browser"
    inputs = [listed / "package.json", listed / "package-lock.json", HERE / "unpack.mjs"]

    def unpack(folder: Path) -> None:
        package = node.packages("browser") / "@sparticuz" / "chromium"
        done = subprocess.run(
            [str(node.NODE), str(HERE / "unpack.mjs"), str(package)],
            env={**os.environ, "TMPDIR": str(folder)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"Chromium was not unpacked:\n{done.stderr[-2000:]}")

    return prepared("chromium", inputs, unpack)


def program() -> tuple[list[str], dict[str, str]]:
    """The command of a Chromium, and the environment it needs; skips where there is none."""
    own = os.environ.get("CHROMIUM")
    if own:
        return [own], dict(os.environ)
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("no packaged Chromium for this platform; CHROMIUM=/path names one")
    folder = unpacked()
    binary = folder / "chromium"
    environment = dict(os.environ)
    linked = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=False)
    if "not found" in linked.stdout:
        environment["LD_LIBRARY_PATH"] = str(folder / "al2023" / "lib")
    return [str(binary)], environment


@contextlib.contextmanager
def browser() -> Iterator[Chromium]:
    """A running browser, ended afterwards.

    Raises:
        NotStartedError: with what it said.
    """
    command, environment = program()
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        tempfile.TemporaryFile() as said,
        process(
            [*command, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=said,
            stderr=said,
            env={**environment, "FONTCONFIG_FILE": fonts(Path(profile))},
        ) as child,
        connected(address(child, said)) as running,
    ):
        yield running


def fonts(folder: Path) -> str:
    """A list of fonts with the packaged one first, so that a page looks the same everywhere."""
    packaged = unpacked() / "fonts" if "CHROMIUM" not in os.environ else folder
    listed = folder / "fonts.conf"
    listed.write_text(
        f"""<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{packaged}</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>{folder / "fonts-cache"}</cachedir>
  <alias><family>sans-serif</family><prefer><family>Open Sans</family></prefer></alias>
  <alias><family>system-ui</family><prefer><family>Open Sans</family></prefer></alias>
</fontconfig>
"""
    )
    return str(listed)


def address(child: subprocess.Popen[bytes], said: IO[bytes]) -> str:
    """The address the browser takes commands at, once it has said it."""
    ends = time.monotonic() + PATIENCE
    while True:
        said.seek(0)
        text = said.read()
        found = LISTENING.search(text)
        if found:
            return found.group(1).decode()
        if child.poll() is not None or time.monotonic() > ends:
            raise NotStartedError(f"Chromium did not start:\n{text.decode()[-3000:]}")
        time.sleep(0.02)
