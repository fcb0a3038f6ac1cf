"""Secrets in a text: credentials that show by their form, and values that are named as secret.

Must not know: whose text it is, or what is done about it.

    | what                                       | how it is known                              |
    |--------------------------------------------|----------------------------------------------|
    | credentials with their issuer's mark       | prefix, alphabet, length (`issued`)          |
    | private keys, JWTs, passwords in URLs,     | their form                                   |
    |   Authorization headers                    |                                              |
    | what stands after `api_key=` and the like  | the name, and that it looks random (entropy) |
    | the first two in Base64, percent-encoded   | the mark, in what it becomes there           |

What is public or no secret passes: the example keys of AWS, UUIDs, hashes and commit ids under
other names, images in Base64, tokens of pages and cursors, placeholders. Time is linear: a form
that fails has read no more than its shortest length, and what was found is not read again.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Final
from urllib.parse import unquote

import msgspec

from lockgate.guard.anchors import Anchors
from lockgate.guard.secret_forms import ISSUED, SHAPED, Form
from lockgate.guard.secret_names import NAMED, named

MASK: Final = "[redacted: {}]"
ENCODED: Final = 400
"""How much Base64 is read to tell whether a secret begins there."""
LONGEST_RUN: Final = 4096
SHORTEST_RUN: Final = 20
"""Of what is percent-encoded: no credential is shorter."""


class Secret(msgspec.Struct, frozen=True):
    """A secret at `text[start:end]`, and what it is, such as `github-token`."""

    start: int
    end: int
    kind: str


class _Step(msgspec.Struct, frozen=True):
    """What an anchor leads to."""

    look: Callable[[str, int, int], Secret | None]


def find(text: str) -> list[Secret]:
    """The secrets in a text, in order; none overlaps another."""
    found: list[Secret] = []
    done = 0
    missed = 0
    anchors, steps = _all()
    for word, at in anchors.within(text):
        step = steps[word]
        if at < (missed if step is _percent_step else done):
            continue
        secret = step.look(text, at, missed if step is _percent_step else done)
        if secret is not None and secret.start >= done:
            found.append(secret)
            done = secret.end
            missed = max(missed, done)
        elif step is _percent_step:
            missed = _run_end(text, at)
    return found


def issued(text: str) -> list[Secret]:
    """The credentials in a text that have their issuer's mark, as they are, in order."""
    found: list[Secret] = []
    anchors, steps = _issued()
    for word, at in anchors.within(text):
        secret = steps[word].look(text, at, 0)
        if secret is not None and (not found or secret.start >= found[-1].end):
            found.append(secret)
    return found


def redacted(text: str) -> tuple[str, list[Secret]]:
    """The text with each secret replaced by what it was, and the secrets; the same if none."""
    found = find(text)
    return (without(text, found), found) if found else (text, found)


def without(text: str, found: list[Secret]) -> str:
    """The text with these stretches replaced by what they were."""
    parts: list[str] = []
    done = 0
    for secret in found:
        parts += (text[done : secret.start], MASK.format(secret.kind))
        done = secret.end
    parts.append(text[done:])
    return "".join(parts)


def words() -> Sequence[str]:
    """What a text cannot do without, in small letters, to hold a secret."""
    return [word.lower() for word in _all()[0].words]


def spelled() -> Sequence[str]:
    """What of these has to stand there as it is spelled here; names are written in any letters."""
    return [word for word in _all()[0].words if word.lower() not in _NAMED_SMALL]


_NAMED_SMALL: Final = frozenset(name.lower() for name in NAMED)


def _first_in(text: str, latest: int | None = None) -> Secret | None:
    """The first secret in a text as it is, if it begins at `latest` at the latest."""
    anchors, steps = _plain_ones()
    for word, at in anchors.within(text):
        if latest is not None and at > latest:
            return None
        secret = steps[word].look(text, at, 0)
        if secret is not None:
            return secret
    return None


def _formed(form: Form) -> Callable[[str, int, int], Secret | None]:
    before = form.before
    compiled: list[re.Pattern[str]] = []

    def look(text: str, at: int, done: int) -> Secret | None:
        del done
        if at and before and text[at - 1] in before:
            return None
        if not compiled:
            compiled.append(re.compile(form.pattern))
        pattern = compiled[0]
        found = pattern.match(text, at)
        if found is None or (form.passes is not None and form.passes(found[0])):
            return None
        group = 1 if pattern.groups else 0
        return Secret(found.start(group), found.end(group), form.kind)

    return look


def _private_key(text: str, at: int, done: int) -> Secret | None:
    """A key from its first line to its last, or, where that is missing, as far as it goes."""
    del done
    found = _key_begins.match(text, at)
    if found is None:
        return None
    body = _key_body.match(text, found.end())
    last = None if body is None else _key_ends.match(text, body.end())
    if body is not None and last is not None and _key_line.search(body[0]):
        return Secret(at, last.end(), "private-key")
    lines = _key_lines.match(text, found.end())
    return None if lines is None else Secret(at, lines.end(), "private-key")


_KEY: Final = r"[ +](?:[A-Z0-9]{1,12}[ +]){0,3}PRIVATE[ +]KEY(?:[ +]BLOCK)?-----"
_key_begins: Final = re.compile(f"-----BEGIN{_KEY}")
_key_ends: Final = re.compile(f"-----END{_KEY}")
_key_body: Final = re.compile(r"[^-]*+(?:-(?!-)[^-]*+)*+")
_key_line: Final = re.compile(r"[A-Za-z0-9+/%]{8}")
_key_lines: Final = re.compile(
    r"(?:[A-Z][A-Za-z-]{2,12}: [\w ,-]{1,80}|\s|\\[rn]){0,20}"
    r"(?:[A-Za-z0-9+/]{32,}={0,2}(?:\s|\\[rn]){0,4})++(?:[A-Za-z0-9+/]{1,76}={0,2})?"
)


def _named(text: str, at: int, done: int) -> Secret | None:
    span = named(text, at, done)
    if span is None:
        return None
    value = text[slice(*span)]
    if _first_in(value) is not None:
        return None  # which is found for what it is
    return Secret(*span, "named-secret")


def _percent(text: str, at: int, done: int) -> Secret | None:
    """What is percent-encoded up to the next space or quote, as a whole, if a secret is in it."""
    back = _run.match(text[max(done, at - LONGEST_RUN) : at][::-1])
    start = at - (0 if back is None else back.end())
    end = _run_end(text, at)
    if end - start < SHORTEST_RUN:
        return None
    plain = unquote(text[start:end])
    secret = _first_in(plain)
    return None if secret is None else Secret(start, end, secret.kind)


def _run_end(text: str, at: int) -> int:
    found = _run.match(text, at, at + LONGEST_RUN)
    return at + 1 if found is None else max(found.end(), at + 1)


_run: Final = re.compile(r"[^\s\"'<>]*")


def _in_base64(phase: int) -> Callable[[str, int, int], Secret | None]:
    """`phase`: how far before the anchor the group of four begins that holds its beginning."""

    def look(text: str, at: int, done: int) -> Secret | None:
        start = at - phase
        if start < done:
            return None
        plain = _plain(text[start : start + ENCODED])
        secret = _first_in(plain, 2)
        return None if secret is None else _whole_run(text, at, done, secret.kind)

    return look


def _plain(encoded: str) -> str:
    """Base64 in either alphabet, up to where it ends, read as Latin-1."""
    run = _base64.match(encoded)
    whole = "" if run is None else run[0].translate(_STANDARD)
    try:
        return base64.b64decode(whole + "A" * (-len(whole) % 4)).decode("latin-1")
    except binascii.Error:
        return ""


def _whole_run(text: str, at: int, done: int, kind: str) -> Secret:
    end = _base64_end.match(text, at)
    back = _base64.match(text[done:at][::-1])
    return Secret(at - (0 if back is None else back.end()), at if end is None else end.end(), kind)


_base64: Final = re.compile(r"[A-Za-z0-9+/_-]*")
_base64_end: Final = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
_STANDARD: Final = str.maketrans("-_", "+/")


def _encodings(anchor: str) -> Iterator[tuple[str, int]]:
    """An anchor as it is in Base64, wherever it begins, without what depends on its neighbours."""
    for skipped in range(3):
        encoded = base64.b64encode(b"\0" * skipped + anchor.encode() + b"\0\0").decode()
        phase = (0, 2, 3)[skipped]
        yield encoded[phase : (skipped + len(anchor)) * 8 // 6], phase


def _issued_steps() -> Iterator[tuple[str, _Step]]:
    for form in ISSUED:
        for anchor in form.anchors:
            yield anchor, _Step(_formed(form))


def _steps() -> Iterator[tuple[str, _Step]]:
    """Each anchor, and what it leads to."""
    yield from _issued_steps()
    for form in SHAPED:
        for anchor in form.anchors:
            yield anchor, _Step(_formed(form))
    yield "-----BEGIN", _Step(_private_key)


def _all_steps() -> Iterator[tuple[str, _Step]]:
    yield from _steps()
    for anchor in NAMED:
        yield anchor, _named_step
    for anchor in ("%3", "%4", "%5", "%6", "%7", "-BEGIN%20", "-BEGIN+"):
        yield anchor, _percent_step
    marks = {anchor for form in ISSUED if form.encoded for anchor in form.anchors}
    for mark in sorted({*marks, "-----BEGIN"}):
        for anchor, phase in _encodings(mark):
            if len(anchor) > 3:
                yield anchor, _Step(_in_base64(phase))
                yield anchor.replace("+", "-").replace("/", "_"), _Step(_in_base64(phase))


_named_step: Final = _Step(_named)
_percent_step: Final = _Step(_percent)


def _gathered(steps: Iterator[tuple[str, _Step]]) -> tuple[Anchors, list[_Step]]:
    """The anchors, and for each what it leads to: the first that finds anything counts."""
    known: dict[str, list[_Step]] = {}
    for anchor, step in steps:
        known.setdefault(anchor, []).append(step)
    anchors = Anchors(known)
    return anchors, [_first(known[word]) for word in anchors.words]


def _first(steps: list[_Step]) -> _Step:
    if len(steps) == 1:
        return steps[0]

    def look(text: str, at: int, done: int) -> Secret | None:
        for step in steps:
            secret = step.look(text, at, done)
            if secret is not None:
                return secret
        return None

    return _Step(look)


# Made when they are first needed: many who load this never do.
@cache
def _issued() -> tuple[Anchors, list[_Step]]:
    return _gathered(_issued_steps())


@cache
def _plain_ones() -> tuple[Anchors, list[_Step]]:
    return _gathered(_steps())


@cache
def _all() -> tuple[Anchors, list[_Step]]:
    return _gathered(_all_steps())
