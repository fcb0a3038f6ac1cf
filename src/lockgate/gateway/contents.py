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
from lockgate.core.match import ByTool
from lockgate.core.policy import AnyPolicy
from lockgate.core.raw import Raw
from lockgate.guard.content import Filter, Inspector
from lockgate.guard.filters import (
    Characters,
    Injection,
    Insides,
    Links,
    Personal,
    Secrets,
)
from lockgate.guard.personal import KINDS
from lockgate.guard.rules import ResultRules
from lockgate.guard.sanitise import sanitised
from lockgate.observe.contents import record
from lockgate.policies.asked import Declines, Questions
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
    asked = guard.questions
    if asked.secrets != "off" or asked.pages != "off":
        policies += (Declines(), Questions(asked.secrets, asked.pages, record))
    rules = _rules(guard.results)
    if rules.filters or rules.failing or rules.html or rules.borders:
        policies.append(Results(rules, record, fits))
    return policies


def _rules(settings: ResultSettings) -> ResultRules:
    """What is asked about results, in this order: what is hidden first, what is noted last."""
    kinds = settings.personal
    filters: list[Filter] = [
        Characters(settings.characters),
        Links(settings.links),
        Secrets(settings.secrets),
        *(Personal(kind, getattr(kinds, kind)) for kind in KINDS),
        Injection(settings.injection),
    ]
    return ResultRules(
        filters=[one for one in filters if one.doing != "off"],
        failing=[one for one in (Insides(settings.errors),) if one.doing != "off"],
        html=sanitised if settings.html == "sanitise" else None,
        html_tools=ByTool([(one, True) for one in settings.html_tools], otherwise=False),
        borders=settings.borders,
    )


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
