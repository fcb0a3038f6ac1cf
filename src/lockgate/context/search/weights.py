"""What counts how much when what is found is ranked, beside the fields of a document.

Must not know: documents, queries. `python -m bench.context.cross` says what choosing these by some
sources of queries is worth on others.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Weights(NamedTuple):
    """All but the fields: see `postings.FIELDS`.

    synonym  a term that stands for one that was asked for; 1 is the term itself.
    unknown  as `synonym`, where nothing that may be seen has the term itself.
    near     a term that is written like one nobody has.
    idle     a word that is in requests of any kind.
    number   a number.
    called   all of a name being asked for, as a share of the best score.
    server   what else is found at a server, as a share of the mean of its two best scores.
    """

    synonym: float = 0.4
    unknown: float = 0.5
    near: float = 0.6
    idle: float = 0.6
    number: float = 0.5
    called: float = 0.2
    server: float = 0.4


WEIGHTS: Final = Weights()
