"""Logs: where they go, how a line looks, and what never gets into one.

Must not know: who logs what. Everything goes to stderr, as lines for people or as one JSON object
per line. Two things hold for every line whatever was logged: configured secrets are blackened, and
control characters are escaped, so that what a server sends can neither forge lines nor drive a
terminal.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Collection, Mapping
from typing import Any, Final, Literal, TextIO

Format = Literal["text", "json"]

ROOT: Final = "lockgate"
VARIABLE: Final = "LOCKGATE_LOG"
LEVELS: Final = ("debug", "info", "warning", "error")
BLACK: Final = "********"

_control = re.compile(
    r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_colours: Final = {"DEBUG": "2", "INFO": "32", "WARNING": "33", "ERROR": "31", "CRITICAL": "31;1"}
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def level_of(flag: str | None, environ: Mapping[str, str], configured: str) -> str:
    """The level in force: the flag, else LOCKGATE_LOG, else the configuration's.

    An unknown word in LOCKGATE_LOG counts as not set.
    """
    word = environ.get(VARIABLE, "").lower()
    return flag or (word if word in LEVELS else None) or configured


def colours(environ: Mapping[str, str], stream: TextIO) -> bool:
    """Whether a stream gets colours: a terminal, unless NO_COLOR or TERM=dumb say otherwise."""
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    return bool(environ.get("FORCE_COLOR")) or stream.isatty()


def configure(
    level: str,
    form: Format,
    secrets: Collection[str] = (),
    *,
    coloured: bool = False,
) -> None:
    """Send everything logged under `lockgate` to stderr; replaces what was configured before."""
    logger = logging.getLogger(ROOT)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
    handler = _Stderr()
    black = Blackener(secrets)
    handler.setFormatter(JsonLines(black) if form == "json" else TextLines(black, coloured))
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    logger.propagate = False
    logging.raiseExceptions = False  # a broken log line must not write a traceback to the terminal


def form() -> Format:
    """How lines look now; `text` before anything was configured."""
    handlers = logging.getLogger(ROOT).handlers
    return "json" if any(isinstance(one.formatter, JsonLines) for one in handlers) else "text"


class _Stderr(logging.StreamHandler[TextIO]):
    """Looks stderr up for each line, so that a progress display can take its place for a while."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


class Blackener:
    """Replaces configured secrets in text: the last line of defence, not the first."""

    def __init__(self, secrets: Collection[str]) -> None:
        spellings = {one for secret in secrets for one in (secret, json.dumps(secret)[1:-1])}
        longest_first = sorted(filter(None, spellings), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if spellings else None

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        return self._pattern.sub(BLACK, text) if self._pattern else text


def _visible(text: str) -> str:
    return _control.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class TextLines(logging.Formatter):
    """`12:30:05 WARNING upstreams.time  the message`, for people."""

    def __init__(self, black: Blackener, coloured: bool) -> None:
        super().__init__()
        self._black = black
        self._coloured = coloured

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback below it if there is one."""
        clock = time.strftime("%H:%M:%S", time.localtime(record.created))
        level = f"{record.levelname:<7}"
        name = record.name.removeprefix(f"{ROOT}.")
        if self._coloured:
            clock = f"\x1b[2m{clock}\x1b[0m"
            level = f"\x1b[{_colours.get(record.levelname, '0')}m{level}\x1b[0m"
            name = f"\x1b[2m{name}\x1b[0m"
        # Blackened before they are quoted, for quoting changes how a secret is spelled.
        values = {key: self._black(str(value)) for key, value in _extra(record).items()}
        extra = "".join(f" {key}={_quoted(value)}" for key, value in values.items())
        message = _visible(f"{self._black(record.getMessage())}{extra}")
        lines = f"{clock} {level} {name}  {message}"
        if record.exc_info:
            trace = self._black(self.formatException(record.exc_info))
            lines += "".join(f"\n{_visible(line)}" for line in trace.split("\n"))
        return lines


class JsonLines(logging.Formatter):
    """One JSON object per line, for machines."""

    def __init__(self, black: Blackener) -> None:
        super().__init__()
        self._black = black

    def format(self, record: logging.LogRecord) -> str:
        """The object, with everything given as `extra` beside the fixed members."""
        moment = time.gmtime(record.created)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", moment)
        line: dict[str, Any] = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_extra(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return self._black(json.dumps(line, default=str))


def _quoted(text: str) -> str:
    """A value in quotes where its end could not be told otherwise."""
    return json.dumps(text, ensure_ascii=False) if " " in text or not text else text


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}
