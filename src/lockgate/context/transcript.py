"""What was said in one session, within a budget of tokens: what stays, and what makes room. Pure.

Must not know: models, stores, clocks, who speaks with whom.

The budget holds after every `fold`. What makes room goes in this order, the oldest first:

    | what                                                    | becomes                            |
    |---------------------------------------------------------|------------------------------------|
    | turns that are neither first, last nor pinned           | one summary, where they stood      |
    | of the last ones, all but the newest                    | part of that summary               |
    | the first ones                                          | part of that summary               |
    | the newest, if it does not fit even alone               | its beginning and its end          |

Pinned turns never go, so they may fill half of the budget and no more. Without a summary there
stands how much was left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

FEWEST: Final = 64
_EACH: Final = 4
"""Tokens a turn takes beside its text."""
SUMMARY: Final = "summary"


class Turn(msgspec.Struct, frozen=True):
    """One thing that was said.

    role    who said it, in the caller's words; `summary` for what stands for others.
    tokens  of the text, as they were counted.
    stands  how many turns it stands for; 1 but for summaries.
    """

    role: str
    text: str
    tokens: int
    pinned: bool = False
    stands: int = 1


class Transcript:
    """The turns of one session, oldest first."""

    def __init__(
        self,
        budget: int,
        count: Callable[[str], int],
        *,
        first: int = 1,
        last: int = 6,
        turns: Iterable[Turn] = (),
    ) -> None:
        """Begin, or go on with `turns`.

        Args:
            budget: tokens of all turns together, at least `FEWEST`.
            count: counts tokens.
            first: turns at the beginning that stay, where there is room.
            last: turns at the end that stay, where there is room.
            turns: what was said before.

        Raises:
            ValueError: the budget is too small for anything.
        """
        if budget < FEWEST or first < 0 or last < 1:
            raise ValueError(f"a budget of {FEWEST} tokens, and the newest turn, are the least")
        self._budget = budget
        self._count = count
        self._first = first
        self._last = last
        self._turns = list(turns)

    @property
    def turns(self) -> tuple[Turn, ...]:
        """What is remembered, in order."""
        return tuple(self._turns)

    @property
    def tokens(self) -> int:
        """What all of it costs."""
        return sum(map(_cost, self._turns))

    @property
    def room(self) -> int:
        """Tokens a summary may have."""
        return self._budget // 4

    def add(self, role: str, text: str, *, pinned: bool = False) -> None:
        """Something was said.

        Raises:
            ValueError: what is pinned would fill more than half of the budget.
        """
        turn = Turn(role, text, self._count(text), pinned)
        kept = sum(_cost(one) for one in self._turns if one.pinned)
        if pinned and kept + _cost(turn) > self._budget // 2:
            raise ValueError("what is pinned may fill half of the budget and no more")
        self._turns.append(turn)

    def excess(self) -> tuple[Turn, ...]:
        """What has to make room now, in the order it was said; nothing within the budget."""
        over = self.tokens - self._budget
        if over <= 0:
            return ()
        going: set[int] = set()
        over += self.room + _EACH
        for number in self._order():
            if over <= 0:
                break
            going.add(number)
            over -= _cost(self._turns[number])
        return tuple(turn for number, turn in enumerate(self._turns) if number in going)

    def _order(self) -> Sequence[int]:
        """The turns that may go, the first to go first."""
        free = [number for number, turn in enumerate(self._turns) if not turn.pinned]
        newest = len(self._turns) - 1
        first = [number for number in free if number < self._first and number != newest]
        last = [n for n in free if newest - self._last < n < newest and n not in first]
        middle = [n for n in free if n not in first and n not in last and n != newest]
        # An earlier summary goes into the next one.
        return [*middle, *last, *first]

    def fold(self, going: Sequence[Turn], summary: str | None = None) -> None:
        """Let these make room; `summary` stands for them, cut to `room`, or how much they were."""
        gone = {id(one) for one in going}
        places = [number for number, one in enumerate(self._turns) if id(one) in gone]
        if places:
            stands = sum(one.stands for one in going)
            said = summary if summary and summary.strip() else _left_out(going)
            text = cut(said, self.room, self._count)
            kept = [one for one in self._turns if id(one) not in gone]
            at = sum(1 for one in self._turns[: places[0]] if id(one) not in gone)
            kept.insert(at, Turn(SUMMARY, text, self._count(text), stands=stands))
            self._turns = kept
        self._shrink()

    def _shrink(self) -> None:
        """Cut the newest turn, and at last the summary, until the budget holds."""
        for number in (len(self._turns) - 1, *range(len(self._turns))):
            over = self.tokens - self._budget
            if over <= 0:
                return
            turn = self._turns[number]
            if turn.pinned:
                continue
            text = cut(turn.text, max(turn.tokens - over, 1), self._count)
            shorter = msgspec.structs.replace(turn, text=text, tokens=self._count(text))
            self._turns[number] = shorter


def cut(text: str, most: int, count: Callable[[str], int]) -> str:
    """A text in at most `most` tokens: whole, or its beginning and its end."""
    if count(text) <= most:
        return text
    size = most * 4
    while size > 0:
        head, tail = text[: size * 2 // 3], text[len(text) - size // 3 :]
        shown = f"{head} [… {len(text) - len(head) - len(tail)} characters …] {tail}"
        if len(shown) < len(text) and count(shown) <= most:
            return shown
        size = size * 3 // 4
    return ""


def _cost(turn: Turn) -> int:
    return turn.tokens + _EACH


def _left_out(going: Sequence[Turn]) -> str:
    turns = sum(one.stands for one in going)
    tokens = sum(one.tokens for one in going)
    return f"[{turns} turns left out here, about {tokens} tokens]"
