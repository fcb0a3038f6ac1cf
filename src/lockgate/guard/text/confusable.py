"""Letters of other scripts that look like Latin ones, and what a name looks like.

Must not know: what is done about names that look alike.

The table is the part of Unicode's confusables (UTS #39) that an attack on English words can use:
single letters of the scripts that are nearly Latin, mapped to the letter or digit they look like.
Styled letters (mathematical, full-width, circled) are not in it, because NFKC already unfolds them.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from lockgate.guard.characters import stripped

# fmt: off
_LOOKS_LIKE: Final[dict[str, str]] = {
    "2": "\u01a7\u03e8\ua644\ua75a",
    "3": "\u01b7\u021c\u0417\u04e0\u2ccc\ua76a\ua7ab\U0001d206",
    "4": "\u13ce",
    "5": "\u01bc",
    "6": "\u0431\u13ee\u2cd2",
    "7": "\U0001d212",
    "8": "\u0222\u0223",
    "9": "\u2cca\ua76e",
    "a": "\u0251\u0391\u03b1\u0410\u0430\u13aa",
    "b": "\u0184\u0392\u0412\u042c\u0432\u13cf\u13f4\ua7b4",
    "c": "\u03f2\u03f9\u0421\u0441\u13df\u1d04\u2ca4\u2ca5\uabaf",
    "d": "\u0501\u13a0\u13e7",
    "e": "\u0395\u0415\u0435\u04bd\u13ac\uab32",
    "f": "\u03dc\u0584\u1e9d\ua798\ua799\uab35\U0001d213",
    "g": "\u018d\u0261\u050c\u0581\u13c0\u13f3\u1d83",
    "h": "\u0397\u041d\u043d\u04bb\u0570\u13bb\u13c2\u2c8e",
    "i": (
        "\u0131\u0196\u0269\u026a\u037a\u0399\u03b9\u0406\u0456\u04c0\u04cf"
        "\u13a5\u1fbe\ua647\uab75"
    ),
    "j": "\u037f\u03f3\u0408\u0458\u13ab\ua7b2",
    "k": "\u039a\u03ba\u041a\u043a\u13e6\u2c94",
    "l": "\u01c0\u13de\u2c92\u2cd0\U0001d22a",
    "m": "\u039c\u03fa\u041c\u043c\u13b7\u2c98",
    "n": "\u039d\u0578\u057c\u2c9a",
    "o": (
        "\u039f\u03bf\u03c3\u041e\u043e\u0555\u0585\u1d0f\u1d11\u2c9e\u2c9f"
        "\uab3d"
    ),
    "p": "\u03a1\u03c1\u03f1\u0420\u0440\u13e2\u2ca2\u2ca3",
    "q": "\u051b\u0563\u0566",
    "r": "\u01a6\u0433\u13a1\u13d2\u1d26\u2c85\uab47\uab48\uab81\U0001d216",
    "s": "\u01bd\u0405\u0455\u054f\u13d5\u13da\ua731\uabaa",
    "t": "\u03a4\u03c4\u0422\u0442\u13a2\u2ca6",
    "u": "\u028b\u03c5\u054d\u057d\u1d1c\ua79f\uab4e\uab52",
    "v": "\u03bd\u0474\u0475\u13d9\u1d20\uaba9\U0001d20d",
    "w": "\u026f\u0461\u051c\u051d\u0561\u13b3\u13d4\u1d21\uab83",
    "x": "\u03a7\u0425\u0445\u2cac\ua7b3",
    "y": (
        "\u0263\u028f\u03a5\u03b3\u03d2\u0423\u0443\u04ae\u04af\u13a9\u13bd"
        "\u1d8c\u1eff\u2ca8\uab5a"
    ),
    "z": "\u0396\u13c3\u1d22\uab93\U000102f5",
}
# fmt: on
_TABLE: Final = str.maketrans({one: plain for plain, ones in _LOOKS_LIKE.items() for one in ones})
_FOREIGN: Final = re.compile(
    "["
    + "".join(
        one
        for ones in _LOOKS_LIKE.values()
        for one in ones
        if not unicodedata.name(one, "").startswith("LATIN")
    )
    + "]"
)
"""Letters of Latin alphabets, such as the Turkish dotless i, are at home in Latin words."""
_SEPARATORS: Final = re.compile(r"[\W_]+")
_ALIKE: Final = str.maketrans({"0": "o", "1": "l", "i": "l", "|": "l"})


def unfolded(text: str) -> str:
    """The text in compatibility form (NFKC), with look-alikes as what they look like."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", text).translate(_TABLE).replace("\u2019", "'")


def plain(text: str) -> str:
    """The same in small letters."""
    return unfolded(text).casefold()


def mixed(word: str) -> bool:
    """Whether a word is Latin with look-alikes of another script in it.

    Letters that honest words of several scripts share (a unit with a mu, a formula) do not count:
    only a word that reads as another one, with at least two Latin letters.
    """
    if word.isascii() or _FOREIGN.search(word) is None:
        return False
    latin = sum("a" <= one <= "z" for one in word.lower())
    return latin >= 2 and plain(word).isascii() and not _own(word)


def _own(word: str) -> bool:
    """A foreign letter at the edge stands for itself: a unit, a formula."""
    inner = word[1:-1]
    return _FOREIGN.search(inner) is None and len(word) < 5


def skeleton(name: str) -> str:
    """What a name looks like: two names with the same skeleton can be taken for one another.

    UTS #39, section 4, with separators and case left out, because tool names vary in nothing else:
    `get-file`, `getFile` and `get_file` are one.
    """
    flat = _SEPARATORS.sub("", unicodedata.normalize("NFD", plain(stripped(name))))
    return (
        "".join(one for one in flat if not unicodedata.combining(one))
        .translate(_ALIKE)
        .replace("rn", "m")
        .replace("vv", "w")
    )
