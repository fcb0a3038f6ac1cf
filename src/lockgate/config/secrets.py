"""What counts as a secret in a configuration, and how it is shown.

Must not know: files, terminals, logs. Environment and header values are always masked; arguments
and URLs only where they look like secrets. A `${VAR}` stays visible: it is a name, not a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import unquote, urlsplit

from lockgate.guard.secrets import issued

MASK: Final = "********"
SHORTEST: Final = 6
"""Shorter values are never searched for in logs: they would blacken ordinary words."""

_words = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SECRET_WORDS: Final = frozenset(
    {"apikey", "auth", "authorization", "bearer", "cookie", "credential", "credentials", "dsn"}
    | {"key", "keys", "passphrase", "passwd", "password", "pat", "pwd", "secret", "secrets"}
    | {"token", "tokens"}
)
_SECRET_ENDS: Final = ("apikey", "passphrase", "password", "secret", "token")
_secret_value = re.compile(
    r"(?:sk|pk|rk)[-_](?:live|test|ant|proj|or)?[-_A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{20,}"
    r"|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abeprs]-[\w-]{10,}|AKIA[A-Z0-9]{12,}"
    r"|AIza[\w-]{30,}|eyJ[\w-]{10,}\.[\w-]{10,}(?:\.[\w-]*)?|hf_[A-Za-z0-9]{20,}|npm_[A-Za-z0-9]{20,}"
)
_variable = re.compile(r"\$\{[^{}]*\}")
_flag = re.compile(r"(--?[\w-]+)([=:])(.*)", re.DOTALL)
_assignment = re.compile(r"([A-Za-z_]\w*)(=)(.*)", re.DOTALL)
_header = re.compile(r"([A-Za-z][\w-]*)(:\s*)(.*)", re.DOTALL)
_scheme_word = re.compile(r"(?:Bearer|Basic|Token|token|Bot|ApiKey)\s+")
_query = re.compile(r"([?&])([^=&#]+)=([^&#]*)")


def secret_name(name: str) -> bool:
    """Whether a variable, flag, header or parameter of this name holds a secret."""
    words = [word.lower() for word in _words.findall(name)]
    return any(word in _SECRET_WORDS or word.endswith(_SECRET_ENDS) for word in words)


def _without_secrets(text: str) -> str:
    text = _secret_value.sub(MASK, text)
    for one in reversed(issued(text)):
        text = f"{text[: one.start]}{MASK}{text[one.end :]}"
    return text


def looks_secret(text: str) -> bool:
    """Whether the text holds something in the shape of a well-known credential."""
    return _secret_value.search(text) is not None or bool(issued(text))


def masked(spelled: str) -> str:
    """A secret value as it may be shown: variables and the scheme word stay, the rest is hidden."""
    word = _scheme_word.match(spelled)
    kept = word[0] if word else ""
    rest = spelled[len(kept) :]
    parts: list[str] = []
    start = 0
    for found in _variable.finditer(rest):
        if rest[start : found.start()]:
            parts.append(MASK)
        parts.append(_without_default(found[0]))
        start = found.end()
    if rest[start:]:
        parts.append(MASK)
    return kept + "".join(parts)


def _without_default(variable: str) -> str:
    name, has_default, default = variable[2:-1].partition(":-")
    return f"${{{name}:-{MASK}}}" if has_default and default else variable


def masked_args(args: Sequence[str]) -> list[str]:
    """Arguments as they may be shown."""
    shown: list[str] = []
    hide = False
    for arg in args:
        shown.append(masked(arg) if hide else masked_arg(arg))
        hide = _announces(arg)
    return shown


def masked_arg(arg: str) -> str:
    """One argument as it may be shown, with `--token=…`, `KEY=…` and `Header: …` hidden."""
    flag = _flag.fullmatch(arg)
    if flag:
        value = masked(flag[3]) if secret_name(flag[1]) else masked_arg(flag[3])
        return f"{flag[1]}{flag[2]}{value}"
    for pattern in (_assignment, _header):
        found = pattern.fullmatch(arg)
        if found and secret_name(found[1]):
            return f"{found[1]}{found[2]}{masked(found[3])}"
    return masked_url(arg) if "://" in arg else _without_secrets(arg)


def masked_url(url: str) -> str:
    """A URL as it may be shown: passwords and secret parameters hidden."""
    url = re.sub(r"(://[^/@:]*):([^/@]*)@", lambda m: f"{m[1]}:{masked(m[2])}@", url)
    url = _query.sub(
        lambda m: f"{m[1]}{m[2]}={masked(m[3]) if secret_name(m[2]) else m[3]}",
        url,
    )
    return _without_secrets(url)


def values_in(name: str, value: str) -> set[str]:
    """What must not be logged of a secret-named value: it, and its credential without scheme."""
    word = _scheme_word.match(value)
    found = {value, value[word.end() :]} if word else {value}
    return found if secret_name(name) or word or looks_secret(value) else set()


def secrets_of(named: Iterable[tuple[str, str]], texts: Iterable[str]) -> frozenset[str]:
    """All values that must not be logged.

    named  (name, value) pairs of environments, headers and expanded variables.
    texts  arguments and URLs.
    """
    found: set[str] = set()
    for name, value in named:
        found |= values_in(name, value) | _inside(value)
    announced = False
    for text in texts:
        found |= _inside(text)
        if announced:
            found.add(text)
        announced = _announces(text)
    return frozenset(value for value in found if len(value) >= SHORTEST)


def _inside(text: str) -> set[str]:
    """The secrets that a longer text holds."""
    found = set(_secret_value.findall(text)) | _named_in(text)
    found |= {text[one.start : one.end] for one in issued(text)}
    return found | {_password(text)} if "://" in text else found


def _announces(arg: str) -> bool:
    """Whether the argument after this one is a secret, as after `--token`."""
    return arg.startswith("-") and "=" not in arg and secret_name(arg)


def _named_in(text: str) -> set[str]:
    """What `--token=…`, `KEY=…`, `Header: …` and secret parameters of a URL hold."""
    found: set[str] = set()
    for pattern in (_flag, _assignment, _header):
        named = pattern.fullmatch(text)
        if named and secret_name(named[1]):
            found |= values_in(named[1], named[3])
    for _, name, value in _query.findall(text):
        if secret_name(name):
            found |= {value, unquote(value)}
    return found


def _password(url: str) -> str:
    try:
        return unquote(urlsplit(url).password or "")
    except ValueError:
        return ""
