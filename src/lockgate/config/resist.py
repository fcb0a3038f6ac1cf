"""What is done when one server, or a tool of it, is in trouble.

Must not know: how any of it is done.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from lockgate.config.access import Texts
from lockgate.config.caching import ToolCache
from lockgate.config.limits import MIB, Section
from lockgate.config.quantities import Seconds, bytes_of, count, seconds_of, size, time
from lockgate.config.rates import RateSettings

MaybeBytes = Annotated[int | None, BeforeValidator(bytes_of)]
Share = Annotated[float, Field(strict=False)]


class RetrySettings(Section):
    """What is sent again when it failed: only what can do no harm twice."""

    attempts: int = count(
        3, 1, 10, "How often a call is sent at most, the first time included; 1: no retries."
    )
    first_pause: Seconds = time(
        0.1, 0.001, 60, "The upper bound of the first pause; each further bound is twice as long."
    )
    longest_pause: Seconds = time(
        2,
        0.001,
        300,
        "No pause is longer; a server that asks for more (`Retry-After`) is not asked again.",
    )
    share: Share = Field(
        default=0.2, ge=0, le=1, description="Retries for each call that comes in, on average."
    )
    floor: Share = Field(
        default=1, ge=0, le=1000, description="Retries a second that are there without any calls."
    )
    tools: Literal["annotated", "always", "never"] = Field(
        default="annotated",
        description=(
            "Which tools may run twice: those the server itself lists with `readOnlyHint` or "
            "`idempotentHint`, all, or none. A call the server has certainly not seen is sent "
            "again in any case."
        ),
    )


class BreakerSettings(Section):
    """When a server that does not answer is no longer asked, and when again."""

    enabled: bool = Field(default=True, description="Whether there is a breaker.")
    window: Seconds = time(30, 1, 3600, "How far back calls count.")
    minimum: int = count(
        20, 1, 1_000_000, "Fewer calls than this in the window say nothing about the server."
    )
    failure_rate: Share = Field(
        default=0.5, gt=0, le=1, description="This share of failed calls opens the breaker."
    )
    slow_after: Annotated[float | None, BeforeValidator(seconds_of)] = time(
        None, 0.001, 86400, "An answer that takes longer is slow. None: no answer is."
    )
    slow_rate: Share = Field(
        default=0.9, gt=0, le=1, description="This share of slow or failed calls opens it."
    )
    abandoned_after: Seconds = time(
        30, 0.001, 86400, "A call that its caller gives up after so long counts as failed."
    )
    rest: Seconds = time(
        5,
        0.001,
        3600,
        "How long an open breaker refuses before it lets probes through; twice as long each time "
        "one of them fails.",
    )
    longest_rest: Seconds = time(60, 0.001, 86400, "But no longer than this.")
    probes: int = count(
        3, 1, 1000, "Calls let through then; when all are answered, the breaker closes."
    )


class CrashLoopSettings(Section):
    """When a stdio server that dies again and again is left alone for longer."""

    deaths: int = count(
        5, 0, 1000, "So many deaths within `within` are a crash loop; 0: none ever are."
    )
    within: Seconds = time(
        120, 1, 86400, "See `deaths`; also how long it must stay up to count as recovered."
    )
    pause: Seconds = time(
        30, 0.1, 3600, "How long it is then left alone; twice as long each time it dies again."
    )
    longest_pause: Seconds = time(300, 0.1, 86400, "But no longer than this.")


class EjectionSettings(Section):
    """When a replica (`urls`) that is up is left out because it fails."""

    enabled: bool = Field(default=True, description="Whether any ever is.")
    consecutive: int = count(
        5, 1, 1_000_000, "So many failed calls in a row, and another takes over."
    )
    window: Seconds = time(30, 1, 3600, "How far back calls count for the rate.")
    minimum: int = count(20, 1, 1_000_000, "Fewer calls than this in the window have no rate.")
    failure_rate: Share = Field(
        default=0.5, gt=0, le=1, description="This share of failed calls, and another takes over."
    )
    base_time: Seconds = time(
        30, 0.001, 86400, "How long it is left out; twice, three times as long and so on later."
    )
    longest_time: Seconds = time(300, 0.001, 86400, "But no longer than this.")
    most: Share = Field(
        default=0.5,
        gt=0,
        le=1,
        description="No more than this share of the replicas are left out at once, though always "
        "one may be.",
    )


class HedgeSettings(Section):
    """When what only reads is asked a second time because the first answer is late."""

    enabled: bool = Field(default=False, description="Whether anything is.")
    after: Annotated[float | None, BeforeValidator(seconds_of)] = time(
        None,
        0.001,
        3600,
        "How late the first answer has to be. None: later than `percentile` of the answers before.",
    )
    percentile: Share = Field(
        default=0.95,
        gt=0,
        lt=1,
        description="Of the answers to the same method; 0.95: the slowest twentieth is late.",
    )
    window: Seconds = time(60, 1, 3600, "How far back answers count for that.")
    minimum: int = count(
        20, 1, 1_000_000, "With fewer answers than this in the window nothing is late."
    )
    share: Share = Field(
        default=0.05, gt=0, le=1, description="Second attempts for each call, on average, at most."
    )
    same_server: bool = Field(
        default=False,
        description="Ask the same server again when there is no other replica (`urls`) to ask.",
    )


class ToolSettings(Section):
    """What holds for the tools a pattern matches."""

    rate: RateSettings = Field(
        default=RateSettings(), description="How often they may be called, beside other rates."
    )
    cache: ToolCache | None = Field(
        default=None, description="Whether their results are kept, in place of the server's say."
    )
    timeout: Annotated[float | None, BeforeValidator(seconds_of)] = time(
        None, 0.1, 86400, "The longest a call of one may take. None: the server's `timeout`."
    )
    arguments_bytes: MaybeBytes = size(
        None, 16, 1024 * MIB, "The most bytes of arguments they may be sent. None: no own bound."
    )
    result_bytes: MaybeBytes = size(
        None,
        64,
        2048 * MIB,
        "The most bytes of a result. None: the server's `limits.message_bytes` alone.",
    )
    scopes: Texts = Field(
        default=[],
        description="Scopes that callers need for them, beside what `lockgate.access` asks for.",
    )
    retry: Literal["annotated", "always", "never"] | None = Field(
        default=None,
        description="Whether they may run twice: as `retry.tools` of the server, which is used "
        "when nothing is said here.",
    )
