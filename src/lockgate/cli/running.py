"""One event loop for a command, uvloop where there is one, and signals as people expect them.

Must not know: which command runs. The first SIGINT, SIGTERM or SIGHUP asks for an orderly end; the
second ends at once. A command that outlives terminals may take SIGHUP to mean something else.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, Final, TypeVar

from lockgate.cli import exits
from lockgate.cli.early import EARLY

_SHOW_CURSOR: Final = b"\x1b[?25h\n"
Answer = TypeVar("Answer")

SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


def in_terminal() -> bool:
    """Whether a SIGHUP may mean that the terminal this runs in is gone."""
    return any(os.isatty(number) for number in (0, 2))


def run(work: Coroutine[Any, Any, Answer], *, outlives_terminal: bool = False) -> Answer:
    """Run a coroutine to its end on the fastest loop there is.

    outlives_terminal  a SIGHUP before `StopSignals.listen` is kept for it, and ends nothing.

    Raises:
        KeyboardInterrupt: a stop signal cancelled it.
    """
    try:
        for number in SIGNALS:
            signal.signal(number, EARLY.note)
        if outlives_terminal and hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, EARLY.note_hangup)
        if EARLY.came:
            raise KeyboardInterrupt
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.get_loop().set_exception_handler(_report)
            return runner.run(work)
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        work.close()
        EARLY.watch()


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """As asyncio does, but for what a cancelled connection attempt leaves behind."""
    if isinstance(context.get("exception"), OSError) and "never retrieved" in context["message"]:
        return
    loop.default_exception_handler(context)


def settle_down() -> None:
    """Spare the garbage collector what lives as long as the process.

    Nearly everything allocated until here stays: modules, configuration, lists. Walking it again
    and again costs calls up to a tenth of their time; what calls leave behind is freed by reference
    counts, and the rarer full collections still find cycles.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    try:
        import uvloop  # noqa: PLC0415 - absent where it cannot be installed
    except ImportError:
        return None
    return uvloop.new_event_loop


class StopSignals:
    """Turns signals into an event, and a second signal into an end.

    asked  set by the first signal.
    """

    def __init__(
        self, abort: Callable[[], None], first: Callable[[], object] | None = None
    ) -> None:
        """`first` is called by the first signal; `abort` before a second one ends all."""
        self.asked = asyncio.Event()
        self._first = first
        self._abort = abort
        self._loop = asyncio.get_running_loop()

    def listen(self, hangup: Callable[[], bool] | None = None) -> None:
        """Take over the signals of the process.

        `hangup` is asked on SIGHUP whether it has dealt with it; otherwise it is a stop signal.
        """
        for number in SIGNALS:
            try:
                self._loop.add_signal_handler(number, self._arrived)
            except (NotImplementedError, RuntimeError):  # Windows
                signal.signal(number, self._arrived_in_frame)
        if hangup is not None and hasattr(signal, "SIGHUP"):
            self._loop.add_signal_handler(signal.SIGHUP, self._hung_up, hangup)
            if EARLY.hung_up:
                EARLY.hung_up = False
                self._hung_up(hangup)
        if EARLY.came:
            EARLY.came = False
            self._arrived()

    def _hung_up(self, hangup: Callable[[], bool]) -> None:
        if not hangup():
            self._arrived()

    def _arrived_in_frame(self, _number: int, _frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._arrived)

    def _arrived(self) -> None:
        if not self.asked.is_set():
            self.asked.set()
            if self._first is not None:
                self._first()
            return
        self._abort()
        if sys.stderr.isatty():
            os.write(2, _SHOW_CURSOR)  # a spinner hides it, and gets no chance to show it again
        os._exit(exits.INTERRUPTED)
