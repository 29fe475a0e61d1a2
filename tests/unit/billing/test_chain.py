"""The hash chain of the ledger."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.chain import GENESIS, _first_hash, seal_faults, seal_hash


def transaction(number, *amounts, at="2026-05-04"):
    return {
        "transaction_id": f"t{number}",
        "effective_at": at,
        "entries": [
            {"seq": 10 * number + place, "counted_in": "minute", "amount": amount, "effective_at": at}
            for place, amount in enumerate(amounts)
        ],
    }


BATCH = [transaction(1, 5, -5), transaction(2, 7, -7), transaction(3, 1, -1)]
HASH, LINKS = seal_hash(GENESIS, BATCH)


def faults(batch=BATCH, links=LINKS, *, expected=GENESIS, previous=GENESIS, sealed=HASH):
    return list(
        seal_faults(
            number=1,
            expected_previous=expected,
            previous_hash=previous,
            sealed=sealed,
            transactions=batch,
            links=links,
        )
    )


def test_a_true_seal():
    assert faults() == []
    assert LINKS[-1][-32:].hex() == HASH
    assert [len(one) for one in LINKS] == [96, 96, 96]  # its own link, and two entries'


def changed(what):
    return f"{what} is not what stands at its place under seal 1: it was changed or moved"


@pytest.mark.parametrize(
    ("batch", "named"),
    [
        pytest.param(
            [BATCH[0], transaction(2, 8, -7), BATCH[2]], [changed("entry 20 of transaction t2")], id="an amount"
        ),
        pytest.param(
            [BATCH[0], transaction(2, 7, -7, at="2026-05-05"), BATCH[2]],
            [changed(f"{what}transaction t2") for what in ("", "entry 20 of ", "entry 21 of ")],
            id="an instant, everywhere",
        ),
        pytest.param(
            [BATCH[0], {**BATCH[1], "entries": BATCH[1]["entries"][::-1]}, BATCH[2]],
            [changed("entry 21 of transaction t2"), changed("entry 20 of transaction t2")],
            id="the order of entries",
        ),
        pytest.param(
            [BATCH[0], {**BATCH[1], "entries": BATCH[1]["entries"][:1]}, BATCH[2]],
            ["transaction t2 has 1 entries, and was sealed with 2 under seal 1"],
            id="an entry that is gone",
        ),
    ],
)
def test_what_was_changed_afterwards_is_named_and_nothing_else(batch, named):
    assert faults(batch) == named


def test_the_order_of_transactions():
    found = faults([BATCH[1], BATCH[0], BATCH[2]], [LINKS[1], LINKS[0], LINKS[2]])
    assert found[0] == changed("transaction t2")


def test_a_transaction_that_is_gone():
    assert faults(BATCH[:2], LINKS[:2]) == ["seal 1 does not end with the 2 transactions found under it"]


def test_links_that_were_made_anew_end_otherwise():
    forged = [BATCH[0], transaction(2, 9, -9), BATCH[2]]
    _, links = seal_hash(GENESIS, forged)
    assert faults(forged, links) == ["seal 1 does not end with the 3 transactions found under it"]


def test_a_chain_that_was_cut():
    assert faults(expected="f" * 64) == ["seal 1 does not follow the seal before it"]


def test_seals_that_were_made_without_links():
    first = _first_hash(GENESIS, BATCH)
    assert faults(links=[None] * 3, sealed=first) == []
    forged = [BATCH[0], transaction(2, 9, -9), BATCH[2]]
    told = faults(forged, [None] * 3, sealed=first)
    assert told == ["seal 1 was not made over the 3 transactions found under it"]


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_other_content_other_hash(one, other):
    hashes = [seal_hash(GENESIS, [{"reason": text, "entries": []} for text in texts])[0] for texts in (one, other)]
    assert (hashes[0] == hashes[1]) == (one == other)
