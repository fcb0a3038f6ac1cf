"""Where logins at servers are kept, from how it is configured.

Must not know: what a login is.
"""

from __future__ import annotations

import os
import sys
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Final

from lockgate.config.outbound import LoginSettings
from lockgate.config.settings import SessionSettings
from lockgate.core.clock import Clock
from lockgate.core.store import SQLITE, Store, StoreMisnamed
from lockgate.errors import LockgateError
from lockgate.stores.opening import open_store
from lockgate.stores.sqlite import SqliteStore
from lockgate.wire.seal import KEY_BYTES, KeyRing

STORE: Final = "logins.db"
KEYS: Final = "logins.key"


def own_folder() -> Path:
    """Where programs of this person keep what is theirs."""
    home = Path.home()
    if sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return base / "lockgate"


def login_store(settings: LoginSettings, clock: Clock) -> Store:
    """The store; not opened yet, but the folder of a file is there.

    Raises:
        LockgateError: it cannot be used.
    """
    url = settings.store.get_secret_value() if settings.store is not None else ""
    try:
        if url and not url.startswith(SQLITE):
            return open_store(url, clock)
        path = Path(url.removeprefix(SQLITE)) if url else own_folder() / STORE
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return SqliteStore(path, clock)
    except StoreMisnamed as error:
        raise LockgateError(str(error), error.remedy, reason="store-unusable") from error
    except OSError as error:
        raise LockgateError(
            f"Logins cannot be kept: {error.strerror}.",
            "Correct lockgate.logins.store; it is a place for files of the gateway alone.",
            reason="store-unusable",
        ) from error


def login_keys(settings: LoginSettings) -> KeyRing:
    """What seals logins: the configured keys, or one that is made at the first use.

    Raises:
        LockgateError: they cannot be used.
    """
    path = settings.keys_file
    try:
        if path is None:
            url = settings.store.get_secret_value() if settings.store is not None else ""
            beside = Path(url.removeprefix(SQLITE)).parent if url.startswith(SQLITE) else None
            path = (beside or own_folder()) / KEYS
            _make(path)
        return KeyRing(SessionSettings(keys_file=path).key_bytes())
    except (OSError, ValueError) as error:
        raise LockgateError(
            f"The keys that seal logins cannot be used: {error}",
            "Correct lockgate.logins.keys_file; `openssl rand -base64 32` makes a key.",
            reason="session-keys",
        ) from error


def _make(path: Path) -> None:
    """A new key in a file that only its owner can read, unless there is one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = urlsafe_b64encode(os.urandom(KEY_BYTES)) + b"\n"
    # Written aside and linked into place whole, so that nobody reads half of one.
    aside = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        if path.exists():
            return
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
        try:
            os.link(aside, path)
        except FileExistsError:
            return
    finally:
        aside.unlink(missing_ok=True)
