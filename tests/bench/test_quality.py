"""What previews of results of our own say, and that the measure tells good ones from bad ones."""

from __future__ import annotations

import asyncio
import json

from bench.context.quality import judged, mean
from bench.context.results import measured, own

ROWS = [{"id": number, "name": f"item {number}"} for number in range(300)]
WAY = f'[Kept: read_result(id="{"a" * 24}") reads any part: offset/limit, grep.]'


def test_previews_say_what_it_takes_to_read_on() -> None:
    found = asyncio.run(measured(own())).quality
    assert found["rest"] == found["first"] == found["last"] == 1.0
    assert found["number"] >= 0.9
    assert found["names"] >= 0.7


def test_a_cut_text_is_no_good_preview() -> None:
    text = json.dumps(ROWS)
    cut = judged(text, text[:200])
    assert (cut.names, cut.number, cut.first, cut.last, cut.rest) == (1.0, 0.0, 1.0, 0.0, 0.0)
    good = judged(text, f'300 objects {{"id":0,"name":"item 0"}} to {{"id":299}}\n{WAY}')
    assert set(good) == {1.0}
    assert mean([cut, good])["number"] == 0.5


def test_documents_that_were_cut_tables_and_texts() -> None:
    cut = json.dumps({"first": 1, "rows": ROWS})[:2000]
    assert judged(cut, '2 members: "first": 1, "rows"')[:4] == (1.0, 1.0, 1.0, 1.0)
    table = "id,name,people\n" + "".join(f"{n},city {n},{n * 9}\n" for n in range(50))
    assert judged(table, "name, people")[:4] == (2 / 3, 0.0, 0.0, 0.0)
    words = "Some words at first. " + "And more of them. " * 90 + "The last of them."
    assert judged(words, f"Some words at first. … The last of them. {len(words)}")[:4] == (
        None,
        1.0,
        1.0,
        1.0,
    )
