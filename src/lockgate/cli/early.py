"""A Ctrl-C that comes before anybody waits for one.

Must not know: what is being started. Between the start of the program and the moment the loop
listens for signals, an interrupt may hit code that swallows it (the import machinery does), or
leave things half made. So it is also remembered, and looked at where it can be acted upon.
"""

from __future__ import annotations

import signal
from types import FrameType


class Early:
    """Whether a stop signal has come.

    came     set by the first one; whoever acts upon it clears it.
    hung_up  set by a SIGHUP that is no stop signal.
    """

    came = False
    hung_up = False

    def watch(self) -> None:
        """Remember SIGINT, and interrupt what runs."""
        signal.signal(signal.SIGINT, self._interrupt)

    def note(self, _number: int, _frame: FrameType | None) -> None:
        """Remember a signal, and interrupt nothing: somebody is about to look."""
        self.came = True

    def note_hangup(self, _number: int, _frame: FrameType | None) -> None:
        """Remember a SIGHUP that asks to read the configuration again."""
        self.hung_up = True

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        self.came = True
        raise KeyboardInterrupt


EARLY = Early()
