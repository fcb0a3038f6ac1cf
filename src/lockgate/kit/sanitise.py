"""What others wrote, without what is hidden in it.

Must not know: whose it is. HTML is read by `nh3` (`lockgate[html]`), as browsers read it.

What is plainly there stays, instructions to a model included: a text that is clean is not a text
that is to be obeyed.
"""

from __future__ import annotations

import re
from html import unescape
from typing import Final

from lockgate.guard import characters, secrets
from lockgate.guard import sanitise as markup
from lockgate.guard.characters import Spot
from lockgate.kit.errors import ToolError

MISSING: Final = "HTML is read by nh3: pip install 'lockgate[html]'"

_GONE: Final = {"script", "style", "template", "noscript", "svg", "math", "head", "title"}
_BLOCKS: Final = {
    *("address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "fieldset"),
    *("figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header"),
    *("hr", "li", "main", "nav", "ol", "p", "pre", "section", "table", "td", "th", "tr", "ul"),
}
_tag: Final = re.compile(r"<[^<>]*>")
_blanks: Final = re.compile(r"[ \t\r\f\v\u00a0]{1,1000}")


def html(value: str) -> str:
    """HTML without scripts, styles, comments, forms, and whatever is fetched by itself.

    Raises:
        ToolError: `nh3` is not installed.
    """
    try:
        return markup.sanitised(value)
    except ImportError as error:
        raise ToolError(MISSING) from error


def plain(value: str) -> str:
    """The text of a page of HTML: a line for each block, nothing hidden, no tags.

    Raises:
        ToolError: `nh3` is not installed.
    """
    try:
        import nh3  # noqa: PLC0415 - an extra, needed by whoever has HTML read
    except ImportError as error:
        raise ToolError(MISSING) from error
    clean = nh3.clean(
        value, tags=_BLOCKS, clean_content_tags=_GONE - _BLOCKS, attributes={}, link_rel=None
    )
    # What is left of `<` in what nh3 writes begins one of the tags above; others are entities.
    said = text(unescape(_tag.sub("\n", clean)))
    lines = (_blanks.sub(" ", line).strip() for line in said.split("\n"))
    return "\n".join(line for line in lines if line)


def text(value: str) -> str:
    """The text without characters that a reader does not see and a model does."""
    return characters.stripped(value)


def shown(value: str) -> str:
    r"""The text with such characters spelled out, as `\u202e`."""
    return characters.escaped(value)


def hidden(value: str) -> list[Spot]:
    """Where such characters are, and of what kind."""
    return characters.spots(value)


def redacted(value: str) -> str:
    """The text with credentials replaced by what they were: `[redacted: github-token]`."""
    return secrets.redacted(value)[0]
