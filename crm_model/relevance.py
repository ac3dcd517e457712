"""How well texts answer a question, for texts without spaces between words: by the pairs of characters they share."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping
from itertools import groupby
from typing import Final

from crm_model.names import TO_SIMPLIFIED

_MOST_TERMS: Final = 64


def plain(text: str) -> str:
    """Full width, case and the traditional characters of :mod:`crm_model.names` make no difference."""
    return unicodedata.normalize("NFKC", text).casefold().translate(TO_SIMPLIFIED)


def terms(question: str) -> tuple[str, ...]:
    """What is looked for: each word of letters and digits, and of the others, such as Chinese, each pair of neighbours.

    ``terms("VPN很慢") == ("vpn", "很慢")``; ``terms("宽带慢") == ("宽带", "带慢")``. A character that stands alone is
    a term. The first 64 different ones count.
    """
    found: dict[str, None] = {}
    for kind, group in groupby(plain(question), key=_kind):
        run = "".join(group)
        if kind == "word" or (kind == "other" and len(run) == 1):
            found[run] = None
        elif kind == "other":
            found |= dict.fromkeys(run[at : at + 2] for at in range(len(run) - 1))
    return tuple(found)[:_MOST_TERMS]


def relevance(hits: Collection[Mapping[str, float]], wanted: Collection[str], total: int) -> list[float]:
    """How well each of some texts answers, 0 to 1.

    Args:
        hits: for each text the terms that it has, with a weight from 0 to 1.
        wanted: all terms looked for.
        total: how many texts there are, those that have none of them included.

    A term counts the more the fewer texts have it: by the logarithm of ``1 + total / texts that have it``, as in
    Robertson, Understanding inverse document frequency, Journal of Documentation 60 (2004). The sum of what a text has
    is divided by the sum over all terms wanted.
    """
    having = Counter(term for hit in hits for term in hit)
    rarity = {term: math.log1p(total / max(having[term], 1)) for term in wanted}
    most = math.fsum(rarity.values())
    return [math.fsum(weight * rarity[term] for term, weight in hit.items()) / most for hit in hits]


def _kind(character: str) -> str:
    if not character.isalnum():
        return "between"
    return "word" if character.isascii() else "other"
