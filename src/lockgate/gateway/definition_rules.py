"""What is done about findings in definitions, from the configuration.

Must not know: how anything is found.
"""

from __future__ import annotations

from lockgate.config.model import Config
from lockgate.gateway.guard_settings import settings_of
from lockgate.gateway.withholding import Rules, Withholding
from lockgate.observe.definitions import record


def definition_rules(config: Config) -> Withholding:
    """What is done about the findings of each enabled server."""
    rules: dict[str, Rules] = {}
    for name in config.enabled:
        settings = settings_of(config, name).definitions
        rules[name] = Rules(
            block=settings.block,
            review=settings.review,
            kinds=settings.kinds,
            allow=settings.allow,
        )
    return Withholding(rules, record)
