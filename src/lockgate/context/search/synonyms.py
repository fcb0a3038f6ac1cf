"""Verbs that people use for one another when they look for a tool, and a few nouns.

Must not know: how much a synonym counts. Written by hand from what interfaces of programs call
things; no measured query was looked at for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

from lockgate.context.search.words import stem

_GROUPS: Final = """
get fetch retrieve read obtain load
get show view display list
list enumerate browse
search find query lookup locate discover
create add make new generate insert
create open start
update edit modify change set patch
delete remove erase drop destroy clear
send post publish submit
write save store put
write create add compose
run execute invoke perform launch
stop cancel abort kill terminate close
download fetch export
upload import push
move rename relocate
copy duplicate clone
check verify validate test
compute calculate evaluate
convert transform translate
summarize digest overview
connect attach join link
disconnect detach leave unlink
enable activate
disable deactivate
schedule plan book reserve
buy purchase order
navigate visit goto browse
click press tap
picture image photo
directory folder
document doc
message mail email
repository repo
database db
error exception failure
weather forecast
route directions
price cost quote
current latest now
webpage page website url
trending popular hot rank
stock ticker share equity
paper article publication study
news headline
location place address
hotel accommodation lodging
flight airline
user account profile member person
song track music
movie film
chart graph plot diagram
issue ticket bug
task todo
note memo
event meeting appointment calendar
screenshot capture
recipe dish meal food
video clip
spreadsheet excel sheet workbook
slide presentation powerpoint ppt
weather climate temperature
phone telephone mobile
review rating
job vacancy career
invoice bill
payment transaction charge
company business
crypto cryptocurrency coin
history log record
count total number
definition meaning
"""


@cache
def synonyms() -> Mapping[str, tuple[str, ...]]:
    """By term: the terms that may stand for it."""
    found: dict[str, dict[str, None]] = {}
    for line in _GROUPS.strip().splitlines():
        group = [stem(word) for word in line.split()]
        for one in group:
            found.setdefault(one, {}).update((other, None) for other in group if other != one)
    return {one: tuple(others) for one, others in found.items()}
