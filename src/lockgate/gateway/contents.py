"""The inspection of what passes, put together from the configuration.

Must not know: how anything is found or judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

import msgspec

from lockgate.config.guard_results import ResultSettings
from lockgate.config.model import Config
from lockgate.core.match import ByTool
from lockgate.core.message import Call
from lockgate.core.policy import AnyPolicy
from lockgate.core.raw import Raw
from lockgate.errors import LockgateError
from lockgate.gateway.argument_checks import SCHEMAS
from lockgate.gateway.definitions import Definitions
from lockgate.gateway.guard_settings import settings_of
from lockgate.guard.content import Inspector
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
from lockgate.guard.schemas.known import KnownSchemas
from lockgate.guard.schemas.schema import Checked
from lockgate.guard.schemas.shape import Unusable
from lockgate.guard.seen import Filter
from lockgate.observe.contents import record
from lockgate.policies.asked import Declines, Questions
from lockgate.policies.outgoing import Outgoing
from lockgate.policies.outputs import CONTENT
from lockgate.policies.quarantine import Quarantine
from lockgate.policies.results import Results


class Fitting:
    """Whether what was taken out of a result left it what its tool promises."""

    def __init__(self, definitions: Definitions) -> None:
        self._schemas = KnownSchemas(definitions, SCHEMAS, "outputSchema")

    def __call__(self, call: Call, before: Raw, after: Raw) -> bool:
        """See `lockgate.policies.results.Fits`."""
        target = call.target
        if call.method != "tools/call" or target is None or CONTENT not in after:
            return True
        schema = self._schemas.learn(call, target)
        if schema is None or isinstance(schema, Unusable):
            return True
        return not _problems(schema, after) or bool(_problems(schema, before))


def _problems(schema: Checked, raw: Raw) -> Sequence[object]:
    data = raw.member(CONTENT) or b"null"
    return schema.problems(msgspec.json.decode(data), data)


def contents_of(
    config: Config, server: str, definitions: Definitions, quarantine: Quarantine
) -> Sequence[AnyPolicy]:
    """What looks through what one server says and is sent, as it is configured."""
    guard = settings_of(config, server)
    policies: list[AnyPolicy] = []
    asked = guard.questions
    if asked.secrets != "off" or asked.pages != "off":
        # What stands outside it sees the no of the one inside; the others are lenses, side by side.
        policies += (Declines(), Questions(asked.secrets, asked.pages, record))
    outgoing = Inspector([Secrets(guard.secrets)])
    if outgoing:
        policies.append(Outgoing(outgoing, record))
    rules = _rules(guard.results)
    if any(one.doing == "quarantine" for one in rules.filters):
        policies.append(quarantine)
    if rules.filters or rules.failing or rules.html or rules.borders:
        policies.append(Results(rules, record, Fitting(definitions)))
    return policies


def _rules(settings: ResultSettings) -> ResultRules:
    """What is asked about results, in this order: what is hidden first, what is noted last.

    Raises:
        LockgateError: HTML is to be sanitised, and the library for it is not there.
    """
    if settings.html == "sanitise" and find_spec("nh3") is None:
        raise LockgateError(
            "`html: sanitise` needs a library that is not installed.",
            "Install lockgate[html].",
            reason="html-unusable",
        )
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
