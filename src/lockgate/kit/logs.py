"""Logs that can be read afterwards: one line on stderr, with its request and without secrets.

Must not know: who logs what. Never on stdout, where a stdio server speaks the protocol. Plain
`logging`, so what libraries log is among it; forms of lines are the gateway's (`observe.log`).
Structlog and OpenTelemetry do well what they do; `redacted` is a processor for the first.

    log = logs.logger("scraper")
    log.info("fetched", url=url, bytes=len(body))
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Collection, Generator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TextIO, cast

from lockgate.guard import secrets as secrets_in
from lockgate.guard.secret_names import is_named
from lockgate.kit import request
from lockgate.observe.log import (
    BLACK,
    Blackener,
    Format,
    JsonLines,
    TextLines,
    colours,
)

LONGEST: Final = 8 * 1024
"""Characters of one value."""
DEEPEST: Final = 6
_facts: Final[ContextVar[Mapping[str, object]]] = ContextVar("lockgate_facts")
_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_PASSED: Final = frozenset({"exc_info", "stack_info", "stacklevel", "extra"})


class Logger(logging.LoggerAdapter[logging.Logger]):
    """A logger that takes what belongs to a line by name: `log.info("fetched", url=url)`."""

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        """Names that `logging` does not know become members of the line."""
        facts = {name: kwargs.pop(name) for name in list(kwargs) if name not in _PASSED}
        extra = cast("Mapping[str, Any]", kwargs.get("extra") or {})
        kwargs["extra"] = {**extra, **{_free(name): value for name, value in facts.items()}}
        return msg, kwargs


def logger(name: str) -> Logger:
    """The logger of this name."""
    return Logger(logging.getLogger(name), {})


@contextmanager
def bound(**facts: object) -> Generator[None]:
    """Have every line that is logged inside, by anybody, carry these facts."""
    token = _facts.set({**_facts.get({}), **facts})
    try:
        yield
    finally:
        _facts.reset(token)


def configure(level: str = "info", form: Format = "json", *, secrets: Collection[str] = ()) -> None:
    """Send all that is logged in this process to stderr.

    What wrote to the terminal before no longer does, as what FastMCP sets up for itself; what
    writes elsewhere, to files or services, is left alone.

    Args:
        level: `debug`, `info`, `warning` or `error`; what is below is not logged.
        form: `json`: an object a line; `text`: for people.
        secrets: texts that are to be blackened wherever they turn up, beside those that are known
            by their form: keys, tokens, passwords in URLs, what is named as one.
    """
    root = logging.getLogger()
    known = logging.Logger.manager.loggerDict.values()
    for one in (root, *(found for found in known if isinstance(found, logging.Logger))):
        for handler in filter(_to_terminal, tuple(one.handlers)):
            one.removeHandler(handler)
            one.propagate = True
    black = _Redacting(secrets)
    coloured = form == "text" and colours(os.environ, sys.stderr)
    handler = _Stderr(black)
    handler.setFormatter(_Json(black) if form == "json" else TextLines(black, coloured))
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.raiseExceptions = False


def redacted(_logger: object, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """For structlog: a processor that takes secrets out of an event."""
    black = _Redacting(())
    return {name: _cleaned(name, value, black) for name, value in event.items()}


class _Redacting(Blackener):
    """Takes out what was configured, and what is a secret by its form."""

    def __call__(self, text: str) -> str:
        return secrets_in.redacted(super().__call__(text))[0]


class _Json(JsonLines):
    """Each value was cleaned before; what is left is the traceback."""

    def __init__(self, black: Blackener) -> None:
        super().__init__(Blackener(()))
        self._clean = black

    def formatException(self, ei: Any) -> str:  # noqa: N802 - as logging calls it
        """A traceback without secrets: it quotes the message of the exception."""
        return self._clean(super().formatException(ei))


class _Stderr(logging.Handler):
    """Looks stderr up for each line, for somebody may have taken its place."""

    def __init__(self, black: Blackener) -> None:
        super().__init__()
        self._black = black

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        try:
            line = self.format(self._told(record))
            stream: TextIO = sys.stderr
            stream.write(f"{line}\n")
            stream.flush()
        except Exception:
            self.handleError(record)

    def _told(self, record: logging.LogRecord) -> logging.LogRecord:
        """A copy with its request, and without secrets."""
        own = {name: value for name, value in vars(record).items() if name in _OWN}
        extra = {name: value for name, value in vars(record).items() if name not in _OWN}
        found = _request() | {_free(n): v for n, v in _facts.get({}).items()} | extra
        own["msg"], own["args"] = self._black(record.getMessage()[:LONGEST]), ()
        told = {name: _cleaned(name, value, self._black) for name, value in found.items()}
        return logging.makeLogRecord({**own, **told})


def _to_terminal(handler: logging.Handler) -> bool:
    if isinstance(handler, _Stderr) or type(handler).__module__.startswith("rich."):
        return True
    stream: object = getattr(handler, "stream", None)
    return stream is not None and stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)


def _request() -> dict[str, object]:
    now = request.current()
    facts = {"caller": now.caller, "tool": now.tool, "request": now.id}
    return {name: value for name, value in facts.items() if value}


def _free(name: str) -> str:
    """A name that is none of a record's own."""
    return f"{name}_" if name in _OWN else name


def _cleaned(name: str, value: object, black: Blackener, depth: int = 0) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return BLACK if is_named(name) else black(value[:LONGEST])
    if depth < DEEPEST and isinstance(value, dict):
        members = cast("dict[object, object]", value)
        return {str(n): _cleaned(str(n), one, black, depth + 1) for n, one in members.items()}
    if depth < DEEPEST and isinstance(value, list | tuple):
        several = cast("list[object]", value)
        return [_cleaned(name, one, black, depth + 1) for one in several]
    return BLACK if is_named(name) else black(str(value)[:LONGEST])
