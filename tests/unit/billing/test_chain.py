"""The hash chain of the ledger."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.chain import GENESIS, seal_faults, seal_hash


def transaction(number, *amounts):
    return {
        "transaction_id": f"t{number}",
        "entries": [{"counted_in": "minute", "amount": amount} for amount in amounts],
    }


BATCH = [transaction(1, 5, -5), transaction(2, 7, -7)]


def faults(batch=BATCH, *, expected=GENESIS, previous=GENESIS, sealed=None):
    sealed = sealed or seal_hash(GENESIS, BATCH)
    return list(
        seal_faults(number=1, expected_previous=expected, previous_hash=previous, sealed=sealed, transactions=batch)
    )


def test_a_true_seal():
    assert faults() == []


@pytest.mark.parametrize(
    "batch",
    [
        pytest.param(BATCH[:1], id="one is missing"),
        pytest.param([*BATCH, transaction(3, 1, -1)], id="one more"),
        pytest.param(BATCH[::-1], id="another order"),
        pytest.param([transaction(1, 6, -6), BATCH[1]], id="another amount"),
    ],
)
def test_what_was_changed_afterwards(batch):
    assert faults(batch) == [f"seal 1 was not made over the {len(batch)} transactions found under it"]


def test_a_chain_that_was_cut():
    assert faults(expected="f" * 64) == ["seal 1 does not follow the seal before it"]


def test_a_transaction_that_does_not_add_up():
    batch = [transaction(1, 5, -4)]
    assert faults(batch, sealed=seal_hash(GENESIS, batch)) == ["transaction t1 is off by {'minute': 1}"]


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_other_content_other_hash(one, other):
    hashes = [seal_hash(GENESIS, [{"reason": text} for text in texts]) for texts in (one, other)]
    assert (hashes[0] == hashes[1]) == (one == other)
