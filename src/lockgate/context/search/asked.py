"""A query as the terms that are looked for, and what each of them counts.

Must not know: documents, which terms there are, synonyms.

Verbs of two words are read as the one that names of tools have: `look it up` is `search`. Words
that are in requests of any kind count less than those that say what is wanted; so do numbers, which
are what a tool is called with.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from lockgate.context.search.weights import Weights
from lockgate.context.search.words import stem, terms

_IDLE: Final = """
able actually again allow already always answer anything appreciate assist assistance available
based best better bit brief certain come comprehensive concerning currently detailed details
different easy enough ensure even ever everyone everything exactly example examples explore feel
figure final finally find following full gave get gets getting give gives giving glad go goes good
got great happen happened happening hear hello help helpful helping hey hi hope include includes
including info information interested interesting involve keep kind kindly know learn look looking
lot made make makes making many maybe mean much multiple nice ok okay particular particularly
perform plus possible prefer prepare properly provide provided provides providing quick quickly
quite ready really regarding related relevant require required requires said say see seem several
simple simply someone something soon specific specifically step still suitable sure take taken
takes taking tell thank thanks thing things think thought tried try trying understand useful
various way ways well wish wonder wondering work working works yes yet
"""

_PHRASES: Final = """
look up: search
look for: search
look through: search
look into: analyze
find out: find
figure out: calculate
work out: calculate
check out: view
carry out: execute
bring up: show
pull up: show
put up: publish
put together: create
put in: insert
put away: store
put off: postpone
set up: configure
set off: trigger
come up: generate
write down: write
write up: write
note down: write
take down: delete
take away: remove
take off: remove
take out: remove
take over: assign
take back: undo
get rid: delete
throw away: delete
throw out: delete
clean up: clear
clear out: clear
wipe out: delete
cross off: remove
call off: cancel
call up: call
call back: call
give up: cancel
give back: return
hand over: transfer
pass on: forward
turn on: enable
turn off: disable
turn into: convert
turn up: increase
turn down: decrease
switch on: enable
switch off: disable
shut down: stop
shut off: stop
start up: start
boot up: start
bring back: restore
roll back: revert
go back: navigate
hold on: pause
log in: login
log on: login
log out: logout
log off: logout
sign in: login
sign out: logout
sign up: register
sign off: approve
back up: backup
break down: split
split up: split
add up: sum
sum up: summarize
count up: count
send out: send
send off: send
send over: send
hand out: distribute
give out: distribute
fill in: fill
fill out: fill
point out: show
read out: read
read through: read
go through: read
go over: read
print out: print
draw up: create
spin up: create
sort out: fix
hook up: connect
link up: connect
plug in: connect
keep track: track
let know: notify
get back: reply
write back: reply
catch up: summarize
boil down: summarize
narrow down: filter
filter out: filter
leave out: exclude
rule out: exclude
swap out: replace
move over: move
get hold: get
pick up: get
pick out: select
try out: test
""".strip()

_word: Final = re.compile(r"[A-Za-z]+")
_BETWEEN: Final = frozenset("it them this that these those me us him her everything all".split())  # noqa: SIM905 - as a line of words it can be read


@cache
def _idle() -> frozenset[str]:
    return frozenset(map(stem, _IDLE.split()))


@cache
def _phrases() -> Mapping[str, Mapping[str, str]]:
    """By the second word, by the stem of the first: what both are together."""
    found: dict[str, dict[str, str]] = {}
    for line in _PHRASES.splitlines():
        phrase, _, meant = line.partition(": ")
        first, second = phrase.split()[0], phrase.split()[-1]
        found.setdefault(second, {})[stem(first)] = meant
    return found


def asked(text: str, weights: Weights) -> dict[str, float]:
    """The terms of a query in its order, and what each counts, up to 1."""
    found: dict[str, float] = {}
    idle = _idle()
    for term in terms(_plainly(text)):
        if term in idle:
            found[term] = weights.idle
        elif term.isdecimal():
            found[term] = weights.number
        else:
            found[term] = 1.0
    return found


def _plainly(text: str) -> str:
    """The text, verbs of two words as one."""
    phrases = _phrases()
    if phrases.keys().isdisjoint(_word.findall(text.lower())):
        return text
    seen: list[re.Match[str]] = []
    parts: list[str] = []
    done = 0
    for word in _word.finditer(text):
        known = phrases.get(word[0].lower())
        if known and seen:
            first = seen[-1]
            if len(seen) > 1 and first[0].lower() in _BETWEEN:
                first = seen[-2]
            meant = known.get(stem(first[0].lower()))
            if meant and first.start() >= done:
                parts += text[done : first.start()], meant, text[first.end() : word.start()]
                done = word.end()
        seen = [*seen[-1:], word]
    return "".join(parts) + text[done:] if parts else text
