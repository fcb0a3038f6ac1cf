"""How many calls, how long they take, how many fail: counted here, read by people and Prometheus.

Must not know: what is counted. A call costs a few additions; nothing is formatted before somebody
asks. Bounded: beyond `most` sets of labels of one name, what is new is counted as `other`.

The official SDK and FastMCP write traces (OpenTelemetry) and no metrics; who has a meter of
OpenTelemetry set up needs nothing of this.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from time import perf_counter
from typing import Any, Final, Generic, ParamSpec, TypeVar

from lockgate.kit import routes
from lockgate.kit.errors import ToolError
from lockgate.kit.wrapping import require_async
from lockgate.observe.exposition import CONTENT_TYPE, Exposition
from lockgate.observe.meter import BOUNDS, Histogram

P = ParamSpec("P")
T = TypeVar("T")
Cell = TypeVar("Cell")
Labels = tuple[tuple[str, str], ...]

_log: Final = logging.getLogger("lockgate.kit")
MOST: Final = 1000
OTHER: Final = "other"
LONGEST: Final = 200
"""Characters of a label."""
_name: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,99}")


class _Family(Generic[Cell]):
    """The values of one name, by labels."""

    def __init__(self, make: Callable[[], Cell], most: int) -> None:
        self._make = make
        self._most = most
        self.cells: dict[Labels, Cell] = {}

    def of(self, labels: dict[str, str]) -> Cell:
        key = tuple((name, str(value)[:LONGEST]) for name, value in sorted(labels.items()))
        found = self.cells.get(key)
        if found is None:
            if len(self.cells) >= self._most:
                key = tuple((name, OTHER) for name, _ in key)
            found = self.cells.setdefault(key, self._make())
        return found


class _Count:
    value = 0.0


class Metrics:
    """Counters, gauges and histograms of one server. Names are spelled as Prometheus wants them."""

    def __init__(self, prefix: str = "mcp", *, most: int = MOST) -> None:
        """Nothing is counted yet; `prefix` begins every name.

        Raises:
            ValueError: no name may begin like that.
        """
        self._prefix = _checked(prefix)
        self._most = most
        self._counts: dict[str, _Family[_Count]] = {}
        self._times: dict[str, _Family[Histogram]] = {}
        self._gauges: dict[str, Callable[[], float]] = {}

    def count(self, name: str, amount: float = 1, /, **labels: str) -> None:
        """Add to a counter, such as `pages_fetched`; `_total` is added to the name.

        Raises:
            ValueError: the name is none.
        """
        family = self._counts.get(name)
        if family is None:
            family = self._counts[_checked(name)] = _Family(_Count, self._most)
        family.of(labels).value += amount

    def took(self, name: str, seconds: float, /, **labels: str) -> None:
        """Add to a histogram of seconds, such as `fetch`; `_seconds` is added to the name.

        Raises:
            ValueError: the name is none.
        """
        family = self._times.get(name)
        if family is None:
            family = self._times[_checked(name)] = _Family(Histogram, self._most)
        family.of(labels).add(seconds)

    def gauge(self, name: str, read: Callable[[], float]) -> None:
        """Have `read` say what `name` is whenever somebody asks.

        Raises:
            ValueError: the name is none.
        """
        self._gauges[_checked(name)] = read

    def measured(self, function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        """A tool whose calls are counted (`tool_calls`) and timed (`tool`), by what they came to.

        `outcome` is `ok`, `cancelled`, the code of a `ToolError`, or `error`.

        Raises:
            TypeError: it is not async.
        """
        require_async(function, "a measure")
        name = getattr(function, "__name__", "tool")

        @wraps(function)
        async def counted(*args: P.args, **named: P.kwargs) -> T:
            began = perf_counter()
            outcome = "ok"
            try:
                return await function(*args, **named)
            except asyncio.CancelledError:
                outcome = "cancelled"
                raise
            except Exception as error:
                outcome = error.code if isinstance(error, ToolError) else "error"
                raise
            finally:
                self.took("tool", perf_counter() - began, tool=name)
                self.count("tool_calls", tool=name, outcome=outcome)

        return counted

    def snapshot(self) -> dict[str, Any]:
        """Everything as plain values; of histograms how many, the mean, and bounds of shares."""
        return {
            "counters": {
                f"{name}{_written(labels)}": cell.value
                for name, family in self._counts.items()
                for labels, cell in family.cells.items()
            },
            "gauges": {name: _read(name, read) for name, read in self._gauges.items()},
            "seconds": {
                f"{name}{_written(labels)}": _summary(one)
                for name, family in self._times.items()
                for labels, one in family.cells.items()
            },
        }

    def text(self) -> str:
        """The page that Prometheus reads."""
        page = Exposition()
        for name, family in self._counts.items():
            samples = [(labels, cell.value) for labels, cell in family.cells.items()]
            page.family(f"{self._prefix}_{name}_total", "counter", f"{name}.", samples)
        for name, read in self._gauges.items():
            value = _read(name, read)
            samples = [] if value is None else [((), value)]
            page.family(f"{self._prefix}_{name}", "gauge", f"{name}.", samples)
        for name, times in self._times.items():
            page.histogram(f"{self._prefix}_{name}_seconds", f"{name}.", times.cells.items())
        return page.text().decode()

    @property
    def route(self) -> routes.Route:
        """The page as an ASGI application."""
        return routes.Route(self._answer)

    def add_to(
        self, server: Any, *, path: str | None = "/metrics", tool: str | None = None
    ) -> None:
        """Add the route, and a tool of this name, to a server; None: not that one.

        Whoever reaches the server may read the route, and every client may call the tool.

        Raises:
            TypeError: the server takes none.
        """
        if path is not None:
            routes.add(server, path, self.route)
        if tool is not None:
            routes.add_tool(server, tool, "What this server has done since it started.", self._tool)

    async def _tool(self) -> dict[str, Any]:
        return self.snapshot()

    async def _answer(self) -> routes.Answer:
        return routes.Answer(200, self.text().encode(), CONTENT_TYPE)


def _read(name: str, read: Callable[[], float]) -> float | None:
    """What a gauge says; None, and nothing else is lost, when it cannot."""
    try:
        return float(read())
    except Exception as error:
        _log.warning("gauge %s failed: %s", name, error or type(error).__name__)
        return None


def _checked(name: str) -> str:
    if not _name.fullmatch(name):
        raise ValueError("names of metrics are letters, digits and '_', beginning with a letter")
    return name


def _written(labels: Labels) -> str:
    return "{" + ", ".join(f"{name}={value}" for name, value in labels) + "}" if labels else ""


def _summary(one: Histogram) -> dict[str, float | int | None]:
    count = one.count
    return {
        "count": count,
        "mean": round(one.seconds / count, 6) if count else None,
        "half_within": _bound(one, 0.5),
        "99_percent_within": _bound(one, 0.99),
    }


def _bound(one: Histogram, share: float) -> float | None:
    """The bound that this share took no longer than; None: longer than all bounds."""
    total, wanted = 0, share * one.count
    for bound, count in zip(BOUNDS, one.buckets, strict=False):
        total += count
        if total >= wanted:
            return bound
    return None
