"""Customers that are there twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, groupby, islice
from operator import attrgetter
from typing import Any, Final, NamedTuple

from crm_model import checks
from crm_model.entities import Customer
from crm_model.service import BATCH, FACTS, Service
from platform_store import Range

ID_HASH: Final = "id_hash"
PHONE: Final = "phone_key"
NAME: Final = "name_key"
DOUBT: Final = {ID_HASH: 5, PHONE: 30, NAME: 50}
"""Columns that the same customer has in common, and the doubt, in percent, that each leaves whether it is the same."""
CROWD: Final = 20
"""What more customers than so many have in common, such as a switchboard's number, finds none of them."""

_PAGE = 1000


@dataclass(frozen=True)
class Duplicate:
    """Two live customers that seem to be the same.

    ``reasons``: the columns that they have in common, of ``id_hash``, ``phone_key`` and ``name_key``. ``score``: how
    sure that makes it, 0 to 100: what remains when each reason leaves only its part of the doubt before (5 %, 30 % and
    50 %); half of that where both have an ``id_hash``, and not the same.
    """

    customer_id: int
    other_id: int
    reasons: tuple[str, ...]
    score: int


class _Keys(NamedTuple):
    """What a customer is compared by."""

    id: int
    id_hash: str | None
    phone_key: str | None
    name_key: str


class Duplicates(Service):
    """Finding customers that are there twice, however they were typed in. Merging them is somebody's decision."""

    def find_duplicates(
        self, customer_id: int | None = None, *, least: int = 50, owner_id: int | None = None
    ) -> Iterator[Duplicate]:
        """The live customers that seem to be the same as one, or all pairs of such customers.

        They have the hash of an identity document in common, or a phone number or name, in whatever way these are
        written (:mod:`crm_model.names`); see :class:`Duplicate` for the score. What more than 20 customers have in
        common finds no pair. Customers that the policy does not permit are left out.

        Args:
            customer_id: the one to look for; they come with the highest score first, then in the order of their ids.
                None: every pair once, the lower id first; those with a document in common come first, then those with
                a phone number, then those with a name, each in the order of what they have in common. It reads three
                indexes from end to end, a page at a time, and holds no more than a page in memory.
            least: pairs with a lower score are left out.
            owner_id: only pairs of which both are customers of this operator. Of all pairs, these are found among
                their customers alone, what they are compared by held in memory (some 300 bytes each).

        Raises NotFound where the customer is not there, archived or merged; NotPermitted, InvalidInput.
        """
        checks.whole("least", least, 0, 100)
        if customer_id is None:
            self.check("find_duplicates")
            pairs = self._all_pairs(owner_id)
        else:
            customer = self.customer("find_duplicates", customer_id)
            pairs = iter(
                sorted(self._pairs_of(_keys(customer.values())), key=lambda pair: (-pair.score, pair.other_id))
            )
        return self._permitted((pair for pair in pairs if pair.score >= least), owner_id)

    def _pairs_of(self, one: _Keys) -> list[Duplicate]:
        others: dict[int, _Keys] = {}
        for column in DOUBT:
            if key := getattr(one, column):
                found = self._page_of_keys(key, column, limit=CROWD + 1)
                if len(found) <= CROWD:
                    others.update((other.id, other) for other in found if other.id != one.id)
        return [_duplicate(one, other) for other in others.values()]

    def _all_pairs(self, owner_id: int | None) -> Iterator[Duplicate]:
        owned = None if owner_id is None else self._owned_keys(owner_id)
        crowds: set[tuple[str, str]] = set()
        for column in DOUBT:
            for group in self._groups(column) if owned is None else self._groups_of(owned, column):
                if len(group) > CROWD or (owned is not None and self._is_crowd(column, getattr(group[0], column))):
                    crowds.add((column, getattr(group[0], column)))
                    continue
                for one, other in combinations(group, 2):
                    pair = _duplicate(one, other)
                    # Once: where the first of what they have in common leads to it.
                    if column == next(name for name in pair.reasons if (name, getattr(one, name)) not in crowds):
                        yield pair

    def _groups(self, column: str) -> Iterator[list[_Keys]]:
        """The live customers that have the same in a column, of each group one more than a crowd at most."""
        group: list[_Keys] = []
        after: _Keys | None = None
        while page := self._page_of_keys(Range(gt=""), column, after=after, limit=_PAGE):
            for one in page:
                if group and getattr(group[0], column) != getattr(one, column):
                    yield group
                    group = []
                if len(group) <= CROWD:
                    group.append(one)
            after = page[-1]
        yield group

    def _owned_keys(self, owner_id: int) -> list[_Keys]:
        owned: list[_Keys] = []
        while True:
            page = self.platform.find(
                Customer.table,
                {"owner_id": owner_id, "del_token": 0},
                after={"id": owned[-1].id} if owned else None,
                limit=_PAGE,
                columns=_Keys._fields,
            )
            owned += map(_keys, page)
            if len(page) < _PAGE:
                return owned

    def _groups_of(self, owned: Iterable[_Keys], column: str) -> Iterator[list[_Keys]]:
        """Of some customers, those that have the same in a column, as :meth:`_groups` has them; no single ones."""
        value = attrgetter(column)
        having = sorted((one for one in owned if value(one)), key=lambda one: (value(one), one.id))
        groups = (list(same) for _, same in groupby(having, key=value))
        return (group for group in groups if len(group) > 1)

    def _is_crowd(self, column: str, key: str) -> bool:
        return len(self._page_of_keys(key, column, limit=CROWD + 1)) > CROWD

    def _page_of_keys(self, key: object, column: str, *, limit: int, after: _Keys | None = None) -> list[_Keys]:
        rows = self.platform.find(
            Customer.table,
            {"del_token": 0, column: key},
            order_by=[column],
            after=None if after is None else after._asdict(),
            limit=limit,
            columns=_Keys._fields,
        )
        return [_keys(row) for row in rows]

    def _permitted(self, pairs: Iterable[Duplicate], owner_id: int | None) -> Iterator[Duplicate]:
        remaining, at_once = iter(pairs), 1
        while some := list(islice(remaining, at_once)):
            ids = sorted({key for pair in some for key in (pair.customer_id, pair.other_id)})
            found = self.platform.read_many(Customer.table, ids, columns=FACTS)
            customers = [Customer.of(row) for row in found if row is not None]
            reached = {one.id for one in customers if self._reaches(one, owner_id)}
            yield from (pair for pair in some if reached.issuperset((pair.customer_id, pair.other_id)))
            at_once = min(2 * at_once, BATCH)  # the first pair comes soon, and many in few requests

    def _reaches(self, customer: Customer, owner_id: int | None) -> bool:
        own = owner_id is None or customer.owner_id == owner_id
        return own and self.policy.permits(self.actor, "find_duplicates", customer)


def _keys(row: Any) -> _Keys:
    return _Keys(*(row[name] for name in _Keys._fields))


def _duplicate(one: _Keys, other: _Keys) -> Duplicate:
    reasons = tuple(name for name in DOUBT if getattr(one, name) and getattr(one, name) == getattr(other, name))
    doubt = 100
    for name in reasons:
        doubt = doubt * DOUBT[name] // 100
    score = 100 - doubt
    if one.id_hash and other.id_hash and one.id_hash != other.id_hash:
        score //= 2
    return Duplicate(one.id, other.id, reasons, score)
