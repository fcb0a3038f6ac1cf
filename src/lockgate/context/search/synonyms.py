"""Verbs and nouns that people use for one another when they look for a tool.

Must not know: how much a synonym counts. Written by hand from what interfaces of programs call
things, one line for words any of which may stand where another is meant. A word may be in several.
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
create register
update edit modify change set patch
delete remove erase drop destroy clear discard purge
send post publish submit
write save store put
write create add compose draft
append insert attach
run execute invoke perform launch
start begin launch initiate
stop cancel abort kill terminate end halt close
pause suspend hold
resume continue
cancel revoke withdraw
restart reboot reset
restore recover revert rollback
undo revert rollback
refresh reload
sync synchronize
download fetch export
upload import push
import ingest
backup archive
move rename relocate transfer
copy duplicate clone replicate
replace substitute swap
check verify validate test inspect examine
analyze analysis assess evaluate examine
analyze analytics insight
compare difference contrast diff
calculate compute arithmetic math calculator
count number total amount
sum total add
convert transform translate conversion
translate translation language
convert exchange
summarize summary digest overview condense
explain describe
describe detail information info
detect recognize identify
classify categorize label tag
filter narrow
sort order rank
rank top best ranking leaderboard
merge combine join concatenate unify
split divide separate
compress zip
decompress unzip extract unpack
extract parse scrape
encrypt cipher
decrypt decipher
encode decode
resize scale
crop trim cut
connect attach join link
disconnect detach unlink
leave exit quit
enable activate
disable deactivate
lock protect secure
block ban
hide mask conceal
approve accept confirm
reject decline deny refuse
grant allow permit authorize
login signin authenticate authentication
logout signout
register signup enroll
subscribe follow
unfollow unsubscribe
invite add
assign delegate allocate
comment reply respond answer
share forward
notify alert notification
remind reminder alarm
schedule plan book reserve
book reserve booking reservation
schedule timetable
buy purchase order
sell sale
pay payment transaction charge
rent rental lease hire
ship shipment deliver delivery
track trace tracking
monitor watch observe
record log history
play playback stream listen
mute silence
print printer
scan inspect
install setup
configure configuration settings preferences options
deploy release publish
build compile assemble construct
simulate simulation
predict forecast prediction
estimate predict
recommend suggest recommendation suggestion
collect gather aggregate
visit navigate goto browse
click press tap
draw sketch paint
visualize plot chart graph diagram
design layout
fix repair resolve
favorite favourite bookmark save like
vote poll survey
image picture photo photograph
screenshot capture snapshot
video clip
movie film
actor actress cast
series show episode
song track music
artist singer musician band
audio sound voice speech
transcribe transcript transcription speech
subtitle caption
podcast episode
document doc file
directory folder
spreadsheet excel sheet workbook
slide presentation powerpoint ppt deck
table grid
column field
field attribute property
parameter argument
text string
sentence phrase
word term vocabulary
definition meaning dictionary
synonym thesaurus
message mail email
email mail inbox
message chat conversation
channel room
repository repo
commit revision
branch fork
issue ticket bug
error exception failure bug
task todo
note memo
comment review feedback
review rating
score rating grade
event meeting appointment calendar
calendar agenda schedule
date day
time clock
current latest now
latest newest recent
previous former past historical
popular trending hot
random arbitrary
near nearby around surrounding
cheap inexpensive affordable budget
price cost quote
fee charge price
discount coupon deal promotion voucher
expense spending
invoice bill receipt
budget finance
income earnings revenue salary
salary wage
tax taxation
loan mortgage credit
balance funds
wallet balance
currency money
crypto cryptocurrency coin bitcoin
stock ticker share equity
portfolio investment
market exchange
company business firm enterprise organization
organization organisation
customer client
user account profile member person
person people human
employee staff worker personnel
contact phonebook
friend contact
team group
role permission access
password credential passcode
key secret token
admin administrator
vendor supplier seller merchant
product item goods
inventory stock warehouse
cart basket
store shop
property estate house housing apartment
job vacancy career employment position
resume cv
news headline article
article post blog
paper article publication study research
author writer
book novel
library package module
dependency package
encyclopedia wikipedia wiki
fact trivia
quote quotation
joke humor
game match
player athlete
team squad
league tournament competition
standing ranking leaderboard
sport sports
recipe dish meal food cook
ingredient food
restaurant dining food cafe
drink beverage cocktail
nutrition diet calorie
exercise workout fitness
health medical
disease illness condition diagnosis symptom
drug medication medicine
doctor physician
hospital clinic
gene genetic
weather forecast climate temperature
temperature temp
rain precipitation
earthquake seismic
location place address
geocode coordinates latitude longitude
map location
route directions path navigation
distance far
city town
country nation
state province region
area region zone
timezone zone
zip postal postcode
trip travel journey itinerary tour vacation
tourism tourist attraction sightseeing
hotel accommodation lodging
flight airline airplane
airport flight
train railway rail
bus transit
taxi cab ride
car vehicle automobile
traffic congestion
holiday vacation
birthday birth born
age birthday
school university college
student pupil
course class lesson
teacher instructor
exam test quiz
law legal
crime police
phone telephone mobile
device machine
light lamp
server host
container docker
database db
dataset data
query sql
command shell terminal
function method
code source snippet
script program
app application
browser webpage
webpage page website url site web
website domain
internet web online
link url
network internet
domain whois dns
version release
vulnerability security
virus malware
statistics stats metrics measurement
metric measurement
report summary
dashboard panel
template layout
color colour
font typeface
icon logo
size dimension
unit measure
speed velocity
weight mass
equation formula expression
sentiment emotion mood
topic subject theme
category type kind genre
keyword hashtag tag
language locale
entity object node
relation relationship edge link
group collection set
queue list
animal pet
horoscope zodiac astrology
gift present
wedding marriage
museum art
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
