"""Where the files lie that credentials toward servers need: beside the configuration.

Must not know: what is in them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import SecretStr

from lockgate.config.oauth_client import ClientSettings
from lockgate.config.outbound import LoginSettings, ServerAuth
from lockgate.core.store import SQLITE

Settings = TypeVar("Settings", bound=ClientSettings)
_FILES: Final = ("private_key_file", "subject_token_file", "assertion_file")


def anchored_files(settings: Settings, folder: Path) -> Settings:
    """The settings with absolute paths."""
    changes: dict[str, Any] = {}
    for name in _FILES:
        path = getattr(settings, name, None)
        if isinstance(path, Path):
            changes[name] = folder / path.expanduser()
    if isinstance(settings, ServerAuth) and settings.provider is not None:
        changes["provider"] = anchored_files(settings.provider, folder)
    return settings.model_copy(update=changes)


def anchored_logins(settings: LoginSettings, folder: Path) -> LoginSettings:
    """The same for where logins are kept."""
    changes: dict[str, Any] = {}
    if settings.keys_file is not None:
        changes["keys_file"] = folder / settings.keys_file.expanduser()
    store = settings.store.get_secret_value() if settings.store is not None else ""
    if store.startswith(SQLITE):
        path = folder / Path(store.removeprefix(SQLITE)).expanduser()
        changes["store"] = SecretStr(f"{SQLITE}{path}")
    return settings.model_copy(update=changes)
