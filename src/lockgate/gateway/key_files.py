"""Whether the files of API keys that a configuration names can be used, as findings.

Must not know: how files are parsed, or how findings are shown. Starts nothing. What stands in a
variable is not looked at: where a file is checked, secrets often are not there.
"""

from __future__ import annotations

from lockgate.config.load import Loaded
from lockgate.errors import LockgateError
from lockgate.gateway.judging import read


def review_keys(loaded: Loaded) -> None:
    """Add to the findings of a usable configuration; nothing is added to those of another."""
    if loaded.config is None or loaded.tree is None:
        return
    settings = loaded.config.lockgate
    own = [(("endpoints", path, "auth"), one.auth) for path, one in settings.endpoints.items()]
    for where, auth in [(("auth",), settings.auth), *own]:
        if auth is None or auth.keys_file is None:
            continue
        try:
            read(auth.model_copy(update={"keys_env": None}))
        except LockgateError as error:
            at, _ = loaded.tree.locate(("lockgate", *where, "keys_file"))
            loaded.findings.add("invalid-value", str(error), error.remedy or "", at)
