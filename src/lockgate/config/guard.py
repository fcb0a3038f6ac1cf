"""The guard's settings: one section for each of its concerns, each in a file of its own.

Must not know: what any of them means.
"""

from __future__ import annotations

from pydantic import Field

from lockgate.config.guard_arguments import ArgumentGuard
from lockgate.config.guard_definitions import DefinitionSettings
from lockgate.config.guard_outputs import OutputGuard
from lockgate.config.guard_results import Doing, QuestionSettings, ResultSettings
from lockgate.config.limits import Section


class GuardSettings(Section):
    """What passes between clients and servers, and what does not."""

    arguments: ArgumentGuard = Field(
        default=ArgumentGuard(), description="What clients may send to tools."
    )
    definitions: DefinitionSettings = Field(
        default=DefinitionSettings(), description="What is done about what servers define."
    )
    outputs: OutputGuard = Field(
        default=OutputGuard(), description="Whether results fit what tools say of them."
    )
    results: ResultSettings = Field(
        default=ResultSettings(), description="What is done about what servers say."
    )
    secrets: Doing = Field(
        default="off",
        description=(
            "Secrets in arguments on their way to a server: `block` refuses the call, `redact` "
            "sends what it was in their place, `flag` counts them. Off, because some tools need "
            "them."
        ),
    )
    questions: QuestionSettings = Field(
        default=QuestionSettings(), description="What is done about what servers ask people."
    )
