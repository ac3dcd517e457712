"""Customers that are there twice: found in the sample, whose generator knows them, and by hand."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest

from crm_model import Actor, Crm, InvalidInput, NotFound, NotPermitted, RolePolicy, sample
from crm_model.entities import Customer
from crm_model.services.duplicates import CROWD, Duplicate
from platform_store import Platform
from tests.contract.crm import make

ID, PHONE, NAME = "id_hash", "phone_key", "name_key"


@pytest.fixture(scope="module")
def crm_platform(own_crm_platform: Platform) -> Platform:
    return own_crm_platform


@pytest.fixture(scope="module")
def sampled(crm_platform: Platform) -> sample.Sample:
    """The customers of the sample are in the table, beside those that tests make."""
    sample.load(crm_platform, sample.S, ["customer"])
    return sample.Sample(sample.S)


def pairs(crm: Crm, **options: Any) -> list[Duplicate]:
    """Those of the sample."""
    found = crm.find_duplicates(**options)
    return [pair for pair in found if max(pair.customer_id, pair.other_id) <= sample.S.customers]


def ids(found: list[Duplicate]) -> list[tuple[int, int]]:
    return [(pair.customer_id, pair.other_id) for pair in found]


def test_the_sample_has_them_all_and_few_others(crm: Crm, sampled: sample.Sample) -> None:
    live = {row["id"] for row in sampled.rows("customer") if not row["del_token"]}
    truth = {pair for same in sampled.same_customers() for pair in combinations(same, 2) if set(pair) <= live}
    assert len(truth) == 70
    likely, sure = pairs(crm), pairs(crm, least=51)
    assert len(set(ids(likely))) == len(likely) == 91, "each once"
    assert truth < set(ids(likely)), "a recall of 100 %; 21 people of the same name, whose documents nobody knows"
    assert len(sure) == 69
    assert truth > set(ids(sure)), "a precision of 100 %; one has neither document nor phone number"
    assert {pair.reasons for pair in sure} == {(ID, PHONE, NAME), (PHONE, NAME), (ID, NAME)}


def test_one_customer_has_the_pairs_that_all_have(crm: Crm, sampled: sample.Sample) -> None:
    everything = pairs(crm, least=0)
    assert everything == pairs(crm, least=0), "in the same order"
    firsts = [(ID, PHONE, NAME).index(pair.reasons[0]) for pair in everything]
    assert firsts == sorted(firsts)
    for number in [*range(100, 130), *{pair.customer_id for pair in everything}]:
        if (row := crm.find(Customer, {"id": number})) and not row[0].archived:
            its = [pair for pair in everything if number in (pair.customer_id, pair.other_id)]
            found = pairs(crm, customer_id=number, least=0)
            assert {(pair.other_id, pair.reasons, pair.score) for pair in found} == {
                (pair.customer_id + pair.other_id - number, pair.reasons, pair.score) for pair in its
            }


def test_reasons_and_scores(crm: Crm) -> None:
    one = make.customer(crm, name="廣東 遠達ＡＢＣ", phone="+86 177-0000-0001", id_hash="a" * 64)
    both = make.customer(crm, name="广东远达abc", phone="017700000001", id_hash="b" * 64)
    same = make.customer(crm, name="广东远达(Abc)", phone="0086 17700000001", id_hash="a" * 64)
    document = make.customer(crm, id_hash="a" * 64)
    phone = make.customer(crm, phone="１７７ ００００ ０００１")
    name = make.customer(crm, name=" 廣東远達abc ")
    make.customer(crm, phone="17700000002")
    found = list(crm.find_duplicates(one.id, least=0))
    assert found == [
        Duplicate(one.id, same.id, (ID, PHONE, NAME), 100),
        Duplicate(one.id, document.id, (ID,), 95),
        Duplicate(one.id, phone.id, (PHONE,), 70),
        Duplicate(one.id, name.id, (NAME,), 50),
        Duplicate(one.id, both.id, (PHONE, NAME), 42),
    ]
    assert list(crm.find_duplicates(one.id)) == found[:4]
    assert list(crm.find_duplicates(one.id, least=71)) == found[:2]
    assert [pair for pair in crm.find_duplicates(least=0) if pair.customer_id == one.id] == [
        found[0],
        found[1],
        found[4],
        found[2],
        found[3],
    ]


def test_what_is_archived_or_unknown_is_no_duplicate(crm: Crm) -> None:
    one = make.customer(crm, name="~", phone="无", id_hash=None)
    other = make.customer(crm, name="！", phone="", id_hash=None)
    assert list(crm.find_duplicates(one.id, least=0)) == []
    crm.edit(Customer, one.id, phone="17700000003")
    crm.edit(Customer, other.id, phone="17700000003")
    assert [pair.other_id for pair in crm.find_duplicates(one.id)] == [other.id]
    crm.archive(Customer, other.id)
    assert list(crm.find_duplicates(one.id)) == []
    assert [pair for pair in crm.find_duplicates() if one.id in (pair.customer_id, pair.other_id)] == []
    with pytest.raises(NotFound, match="is archived"):
        crm.find_duplicates(other.id)


def test_a_crowd_is_no_reason_to_look_but_counts_beside_another(crm: Crm) -> None:
    phone = "400 777 0001"
    crowd = [make.customer(crm, phone=phone) for _ in range(CROWD)]
    first, last = crowd[0], crowd[-1]
    mine = {one.id for one in crowd}
    assert len(list(crm.find_duplicates(first.id))) == CROWD - 1
    assert sum(pair.customer_id in mine for pair in crm.find_duplicates()) == CROWD * (CROWD - 1) // 2
    make.customer(crm, phone=phone)
    assert list(crm.find_duplicates(first.id)) == []
    assert [pair for pair in crm.find_duplicates() if pair.customer_id in mine] == []
    for one in (first, last):
        crm.edit(Customer, one.id, name="众人之一")
    pair = Duplicate(first.id, last.id, (PHONE, NAME), 85)
    assert list(crm.find_duplicates(first.id)) == [pair]
    assert [pair for pair in crm.find_duplicates() if pair.customer_id in mine] == [pair]


def test_the_policy_is_asked_for_both(crm: Crm) -> None:
    policy = RolePolicy({"客户经理": ["find_duplicates"], "主管": ["*"]}, own_customers=["客户经理"])
    one = make.customer(crm, phone="17700000004", owner_id=1)
    own = make.customer(crm, phone="17700000004", owner_id=1)
    other = make.customer(crm, phone="17700000004", owner_id=2)
    clerk = Crm(crm.platform, Actor(1, "客户经理"), policy=policy)
    assert [pair.other_id for pair in clerk.find_duplicates(one.id)] == [own.id]
    assert [(pair.customer_id, pair.other_id) for pair in clerk.find_duplicates() if pair.customer_id == one.id] == [
        (one.id, own.id)
    ]
    leader = clerk.acting(Actor(9, "主管"))
    assert [pair.other_id for pair in leader.find_duplicates(one.id)] == [own.id, other.id]
    with pytest.raises(NotPermitted):
        clerk.find_duplicates(other.id)
    with pytest.raises(NotPermitted):
        clerk.acting(3).find_duplicates()


def test_those_of_one_owner_are_found_among_their_customers(crm: Crm, sampled: sample.Sample) -> None:
    everything, of_one = list(crm.find_duplicates(least=0)), 0
    for owner in range(1, 41):
        own = {customer.id for customer in crm.find(Customer, {"owner_id": owner})}
        expected = [pair for pair in everything if own.issuperset((pair.customer_id, pair.other_id))]
        assert list(crm.find_duplicates(least=0, owner_id=owner)) == expected
        of_one += len(expected)
    assert 10 < of_one < len(everything), "most pairs of the sample are of two owners"
    assert list(crm.find_duplicates(owner_id=999)) == []


def test_of_one_owner_too_a_crowd_is_everybody(crm: Crm) -> None:
    phone = "400 777 0002"
    one, other = (make.customer(crm, phone=phone, owner_id=3, name=f"总机{number}") for number in range(2))
    mine = [Duplicate(one.id, other.id, (PHONE,), 70)]

    def found(**options: Any) -> list[Duplicate]:
        return [pair for pair in crm.find_duplicates(owner_id=3, **options) if pair.customer_id == one.id]

    assert found() == mine == found(customer_id=one.id)
    for _ in range(CROWD - 1):
        make.customer(crm, phone=phone, owner_id=4)
    assert found() == []
    crm.edit(Customer, other.id, name=one.name)
    assert found() == [Duplicate(one.id, other.id, (PHONE, NAME), 85)]


def test_many_pairs_take_few_requests(crm: Crm, sampled: sample.Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    for name in ("read", "read_many", "find"):
        monkeypatch.setattr(crm.platform, name, _noted(asked, name, getattr(crm.platform, name)))
    assert len(list(crm.find_duplicates())) >= 91
    assert asked.count("read_many") <= 9, "1, 2, 4 ... pairs at a time"
    asked.clear()
    mine = list(crm.find_duplicates(owner_id=1))
    assert asked.count("find") <= 2 + 3 * len(mine), "a page or two of the owner's own, and whether it is a crowd"


def _noted(asked: list[str], name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    def noted(*arguments: Any, **options: Any) -> Any:
        asked.append(name)
        return call(*arguments, **options)

    return noted


def test_what_is_asked_for_is_checked_at_once(crm: Crm) -> None:
    with pytest.raises(InvalidInput, match="least"):
        crm.find_duplicates(least=101)
    with pytest.raises(NotFound):
        crm.find_duplicates(999_999_999)
