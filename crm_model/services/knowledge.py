"""The knowledge base: answers that are kept for the next time, and found again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from crm_model import checks
from crm_model.changes import Changes
from crm_model.documents import entries
from crm_model.entities import KbArticle, Ticket
from crm_model.entities.states import DRAFT, PUBLISHED
from crm_model.errors import InvalidInput, Refused
from crm_model.relevance import plain, relevance, terms
from crm_model.service import Service

MOST_AT_ONCE: Final = 100
_IN_TITLE, _IN_KEYWORDS, _IN_BODY = 1.0, 0.8, 0.4
"""What a term counts by where it stands."""


@dataclass(frozen=True)
class Found:
    """An article, and how well it answers: 1 where its title has all of the question."""

    article: KbArticle
    score: float


class Knowledge(Service):
    """Articles: drafts that are written and changed, and published ones that are found."""

    def write_article(self, title: str, category: str, body: str, *, keywords: Sequence[str] = ()) -> KbArticle:
        """Begins an article, a draft of the operator at work; returns it. Raises InvalidInput.

        It is changed with :meth:`crm_model.services.records.Records.edit`, before and after it is published.
        """
        checks.shapes({"keywords": keywords}, {"keywords": checks.is_list_of_texts})

        def work(changes: Changes) -> KbArticle:
            return changes.add(
                KbArticle(
                    title=title,
                    category=category,
                    status=DRAFT,
                    author_id=changes.actor.operator_id,
                    body=body,
                    keywords=list(keywords),
                )
            )

        return self.run("write_article", work)

    def publish_article(self, article_id: int) -> KbArticle:
        """Makes an article one that :meth:`search_articles` finds. Raises NotFound; Refused for one without a body."""

        def work(changes: Changes) -> KbArticle:
            article = changes.row(KbArticle, article_id)
            if not (article.body or "").strip():
                raise Refused(
                    "article-without-body",
                    f"kb_article {article_id} has no body; write one first",
                    article_id=article_id,
                )
            return changes.change(article, status=PUBLISHED)

        return self.run("publish_article", work)

    def withdraw_article(self, article_id: int) -> KbArticle:
        """Makes an article a draft again. Raises NotFound."""
        return self.run(
            "withdraw_article", lambda changes: changes.change(changes.row(KbArticle, article_id), status=DRAFT)
        )

    def search_articles(self, question: str, *, category: str | None = None, limit: int = 10) -> list[Found]:
        """The published articles that answer a question best, the best first; none that shares nothing with it.

        A question is taken apart by :func:`crm_model.relevance.terms`: Chinese into pairs of neighbouring characters
        (bigrams), for it has no spaces between words, other text into words. A term in the title counts most, then one
        in the keywords, then one in the body, and a rare term more than a common one. Terms are found inside longer
        words, too. Full width, case and common traditional characters make no difference.

        There is no index: every published article (of the category) is read, and memory is that of 200 of them at a
        time. So a search is always of what the articles are now, costs about 0.2 s for a thousand articles of 1,000
        characters, and beyond some ten thousand a search engine is the better place. It works on every backend.

        Args:
            question: in the words of whoever asks.
            category: of this one alone.
            limit: 1 to 100 articles.

        Raises InvalidInput for a question without a letter or digit.
        """
        self.check("search_articles")
        checks.whole("limit", limit, 1, MOST_AT_ONCE)
        wanted = terms(question)
        if not wanted:
            raise InvalidInput("question", "required", "has no letter or digit; say what is looked for")
        hits, total = self._hits(wanted, category)
        scores = relevance(hits.values(), wanted, total)
        best = sorted(zip(hits, scores, strict=True), key=lambda one: (-one[1], one[0]))[:limit]
        where = {"id": [key for key, _ in best], "status": PUBLISHED}
        articles = {article.id: article for article in self.find(KbArticle, where)}
        return [Found(articles[key], score) for key, score in best if key in articles]

    def tickets_of_article(self, article_id: int, limit: int = 50) -> list[Ticket]:
        """The tickets that were closed with an article, those opened last first; ``limit``: 1 to 100.

        Left out are those of customers that are archived, and that the policy keeps from the actor.
        """
        self.check("tickets_of_article")
        checks.whole("limit", limit, 1, MOST_AT_ONCE)
        closed = self.stream(Ticket, {"article_id": article_id}, order_by=("id DESC",))
        return [*islice(self.within_reach("tickets_of_article", closed), limit)]

    def _hits(self, wanted: Sequence[str], category: str | None) -> tuple[dict[int, dict[str, float]], int]:
        """Of each article that has any of the terms, what each counts; and how many articles there are."""
        where = {"status": PUBLISHED, **({} if category is None else {"category": category})}
        hits, total = {}, 0
        for article in self.stream(KbArticle, where):
            total += 1
            if hit := _hit(article, wanted):
                hits[article.id] = hit
        return hits, total


def _hit(article: KbArticle, wanted: Sequence[str]) -> dict[str, float]:
    keywords = "\n".join(str(one) for one in entries(article.keywords))
    parts = ((article.body or "", _IN_BODY), (keywords, _IN_KEYWORDS), (article.title, _IN_TITLE))
    found: dict[str, float] = {}
    for text, weight in parts:
        there = plain(text)
        found |= {term: weight for term in wanted if term in there}
    return found
