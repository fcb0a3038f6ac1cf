"""What a child process gets of an environment: what its configuration declares, and little else.

Must not know: how processes are started. Lockgate's own environment holds the secrets of every
server; a child sees none of them unless its entry names it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Final

from lockgate.core.programs import changes_code

SAFE: Final = frozenset(
    {"HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER"}
)
"""What programs need to find their files and speak the user's language.

Proxy and certificate settings (HTTPS_PROXY, SSL_CERT_FILE and the like) are not among them: a proxy
URL often carries a password, and both decide whom a program trusts. A server that needs them names
them in its `env`, for example `"HTTPS_PROXY": "${HTTPS_PROXY}"`.
"""

SAFE_ON_WINDOWS: Final = frozenset(
    {
        "APPDATA",
        "COMSPEC",
        "HOMEDRIVE",
        "HOMEPATH",
        "LOCALAPPDATA",
        "NUMBER_OF_PROCESSORS",
        "PATHEXT",
        "PROCESSOR_ARCHITECTURE",
        "PROGRAMDATA",
        "PROGRAMFILES",
        "PROGRAMFILES(X86)",
        "SYSTEMDRIVE",
        "SYSTEMROOT",
        "TEMP",
        "TMP",
        "USERNAME",
        "USERPROFILE",
        "WINDIR",
    }
)


def unsafe(names: Mapping[str, str]) -> list[str]:
    """The declared names that change which code a program runs, in whatever case."""
    return sorted(name for name in names if changes_code(name))


def impossible(declared: Mapping[str, str]) -> list[str]:
    """The declared names that no environment can hold, or whose values none can.

    An event loop written in C would take `A=B` for the variable `A`, and cut a value at a null
    character: another environment than the one that was checked.
    """
    return sorted(
        name
        for name, value in declared.items()
        if not name or "=" in name or not _plain(name) or not _plain(value)
    )


def child_environment(declared: Mapping[str, str], parent: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child: the safe part of `parent`, and over it what is declared."""
    windows = sys.platform == "win32"
    passed = SAFE | SAFE_ON_WINDOWS if windows else SAFE
    kept = {
        name: value
        for name, value in parent.items()
        # A value that starts with `()` is a function old shells would define.
        if ((name.upper() if windows else name) in passed or name.startswith("LC_"))
        and not value.startswith("()")
    }
    if windows:  # names are equal there in whatever case: the declared one must not be a second
        said = {name.upper() for name in declared}
        kept = {name: value for name, value in kept.items() if name.upper() not in said}
    return kept | dict(declared)


def _plain(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False
