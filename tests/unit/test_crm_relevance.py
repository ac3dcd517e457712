"""What a question is taken apart into, and which texts answer it best. No server."""

from __future__ import annotations

import math

import pytest

from crm_model.relevance import relevance, terms


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("宽带慢", ("宽带", "带慢")),
        ("VPN很慢!", ("vpn", "很慢")),
        ("ＶＰＮ 連不上", ("vpn", "连不", "不上")),
        ("5G套餐 5g", ("5g", "套餐")),
        ("慢", ("慢",)),
        ("宽带,宽带", ("宽带",)),
        ("𠮷田", ("𠮷田",)),
        ("", ()),
        ("!?——", ()),
        ("".join(chr(0x4E00 + n) for n in range(99)), tuple(chr(0x4E00 + n) + chr(0x4E01 + n) for n in range(64))),
    ],
)
def test_terms(question: str, expected: tuple[str, ...]) -> None:
    assert terms(question) == expected


def test_what_has_everything_in_the_best_place_answers_fully() -> None:
    assert relevance([{"宽带": 1.0, "很慢": 1.0}], ["宽带", "很慢"], 9) == [1.0]


def test_a_rare_term_counts_more() -> None:
    hits = [{"宽带": 1.0}, {"宽带": 1.0}, {"很慢": 1.0}]
    common, _, rare = relevance(hits, ["宽带", "很慢"], 3)
    assert common == pytest.approx(math.log(2.5) / math.log(2.5 * 4))
    assert rare == pytest.approx(math.log(4) / math.log(2.5 * 4))


def test_a_term_that_nobody_has_takes_from_all() -> None:
    assert relevance([{"宽带": 1.0}], ["宽带", "很慢"], 1) == [0.5]
    assert relevance([], ["宽带"], 0) == []
