"""What a configuration asks of callers, in sentences for whoever starts it.

Must not know: how callers are told apart, or what rules say.
"""

from __future__ import annotations

from lockgate.config.identity import AuthSettings
from lockgate.config.model import Config
from lockgate.gateway.endpoint_sights import endpoints_of

__all__ = ["asked_of_callers"]


def asked_of_callers(config: Config) -> list[str]:
    """Who may call, and whether rules say what; nothing where everybody may everything.

    That is so without any setting about callers, and is then said by what is listened on.
    """
    settings = config.lockgate
    served = endpoints_of(config)
    kinds = {path: _kinds(one.auth or settings.auth, config) for path, one in served.items()}
    lines: list[str] = []
    every = list(dict.fromkeys(kinds.values()))
    if len(every) == 1 and every[0]:
        lines.append(f"Callers show {every[0]}.")
    elif len(every) > 1:
        for kind in every:
            paths = ", ".join(path for path, one in kinds.items() if one == kind)
            said = f"callers show {kind}" if kind else "anybody may call"
            lines.append(f"At {paths} {said}.")
    rules = len(settings.access.rules)
    if rules:
        said = "1 rule of access says" if rules == 1 else f"{rules} rules of access say"
        lines.append(f"{said} who may use what.")
    return lines


def _kinds(auth: AuthSettings, config: Config) -> str:
    """The credentials that are taken; empty: none are asked for."""
    kinds: list[str] = []
    if auth.keys_file is not None or auth.keys_env is not None:
        kinds.append("an API key")
    issuers = [one.issuer for one in auth.issuers]
    if config.lockgate.facade is not None:
        issuers.insert(0, "this gateway")
    if issuers:
        kinds.append(f"a token of {', '.join(issuers)}")
    return " or ".join(kinds)
