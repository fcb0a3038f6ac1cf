"""The inspection of what passes, put together from the configuration.

Must not know: how anything is found or judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from lockgate.config.guard import GuardSettings
from lockgate.config.guard_results import ResultSettings
from lockgate.config.limits import Section
from lockgate.config.model import Config
from lockgate.core.policy import AnyPolicy
from lockgate.core.raw import Raw
from lockgate.guard.content import Filter, Inspector
from lockgate.guard.filters import Secrets
from lockgate.observe.contents import record
from lockgate.policies.outgoing import Outgoing
from lockgate.policies.results import Fits, Results

S = TypeVar("S", bound=Section)


def _fits(server: str, tool: str, raw: Raw) -> bool:
    del server, tool, raw
    return True


def contents_of(config: Config, server: str, fits: Fits = _fits) -> Sequence[AnyPolicy]:
    """What looks through what one server says and is sent, as it is configured."""
    guard = settings_of(config, server)
    policies: list[AnyPolicy] = []
    outgoing = Inspector([Secrets(guard.secrets)])
    if outgoing:
        policies.append(Outgoing(outgoing, record))
    results = Inspector(_filters(guard.results))
    if results:
        policies.append(Results(results, record, fits))
    return policies


def _filters(settings: ResultSettings) -> Sequence[Filter]:
    return [Secrets(settings.secrets)]


def over(general: S, own: S) -> S:
    """The general settings with those that a server has of its own, key by key."""
    said = {name: getattr(own, name) for name in own.model_fields_set}
    for name, value in said.items():
        if isinstance(value, Section):
            said[name] = over(getattr(general, name), value)
    return general.model_copy(update=said)


def settings_of(config: Config, server: str) -> GuardSettings:
    """What counts for a server."""
    return over(config.lockgate.guard, config.servers[server].guard)
