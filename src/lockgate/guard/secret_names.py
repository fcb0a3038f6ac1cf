"""Values that are named as secret: `api_key=…`, `"password": "…"`, and when they are one.

Must not know: whose text it is. A name alone is no evidence, for documentation is full of names; so
the value has to look random, within bounds (Shannon entropy), and be none of what honestly stands
there: a variable, a placeholder, a UUID, a number, the token of a page.
"""

from __future__ import annotations

import re
from collections import Counter
from math import log2
from typing import Final

_LOWER: Final = (
    *("password", "passwd", "passphrase", "secret", "token", "api_key", "apikey", "api-key"),
    *("access_key", "access-key", "accesskey", "private_key", "credential"),
)
NAMED: Final = (
    *(spelled for word in _LOWER for spelled in (word, word.upper(), word.capitalize())),
    *("ApiKey", "apiKey", "Api-Key", "API-Key", "AccessKey", "accessKey", "privateKey"),
)
"""What such names end with, as it is usually spelled."""

_value: Final = re.compile(
    r"(?i:pass(?:word|wd|phrase)|secret|token|(?:api|access|private)[_-]?key|credential)s?"
    r"(?i:[_-]?access)?(?:[_-]?(?i:key|value))?"
    r"(?:\\?[\"'`]{1,2}\]?)?\s{0,4}(?::|=>?|:=)\s{0,4}(?:\\?[\"'`]{1,3})?"
    r"([A-Za-z0-9!#$&*+./?@^_~%-]{8,256}(?:[=:]{1,2}[A-Za-z0-9!#$&*+./?@^_~%-]{0,64})?)"
)
_innocent: Final = re.compile(
    r"(?i)page|next|cursor|contin|sync|csrf|xsrf|resume|prompt|max|num|count|total|limit|usage|"
    r"public|type|design|color|cancel|input|output|first|last|start|end|stop|bos|eos|pad|unk|mask"
)
_digit: Final = re.compile("[0-9]")
_letter: Final = re.compile("[A-Za-z]")
_uuid: Final = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
)
_placeholder: Final = re.compile(
    r"(?i)your|example|placeholder|change.?me|dummy|sample|insert|replace|redacted|secret|password|"
    r"token|api.?key|xxxx|\*\*\*|\.\.\.|os\.environ|process\.env|getenv|env\.|config|settings|http"
)
_name: Final = re.compile(r"[A-Za-z0-9_-]{0,40}")
LEAST: Final = 3.0
"""Bits of entropy a character. Words have less, what was drawn has more: of 16 hexadecimal digits
about 3.3, of 20 letters and digits about 4."""
CODE: Final = frozenset("(){}[]<>;,")


def named(text: str, at: int, done: int) -> tuple[int, int] | None:
    """Where the secret is that is named as such at `at`, if there is one."""
    found = _value.match(text, at)
    if found is None:
        return None
    begin = max(done, at - 40)
    before = _name.match(text[begin:at][::-1])
    name = "" if before is None else before[0][::-1]
    value = found[1].rstrip(".:?!")
    after = text[found.end() : found.end() + 1]
    if (after and after in "([{<") or _innocent.search(name) or not looks_random(value):
        return None
    return found.start(1), found.start(1) + len(value)


def looks_random(value: str) -> bool:
    """Whether a value that is named as secret was drawn and not written."""
    if len(value) < 8 or value[0] in "$%/." or not _digit.search(value):
        return False
    if not _letter.search(value) or _uuid.fullmatch(value) or _placeholder.search(value):
        return False
    if len(value) < 16 and value.isalnum() and (value.islower() or value.isupper()):
        return False  # a word with a number, as often as not
    return entropy(value) >= min(LEAST, log2(len(value)) - 0.5)


def entropy(value: str) -> float:
    """Bits a character (Shannon)."""
    size = len(value)
    return -sum(n / size * log2(n / size) for n in Counter(value).values())


def is_named(name: str) -> bool:
    """Whether a name says that what it names is secret."""
    return name.lower().endswith(_ENDS) and not _innocent.search(name)


_ENDS: Final = (*_LOWER, "privatekey")
