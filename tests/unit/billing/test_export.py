"""A ledger as a file, verified without anything else."""

import json

import pytest

from billing.domain import export
from billing.domain.audit import Seal
from billing.domain.chain import GENESIS, seal_hash

UNIT = "credit_unit"


def transaction(number, amount, *, lot="l1", key=None):
    at = {"effective_at": str(1000 + number), "recorded_at": "2000"}
    sides = [("main", lot, amount), ("income", None, -amount)]
    return {
        "transaction_id": f"t{number}",
        "idempotency_key": key or f"k{number}",
        **at,
        "entries": [
            {"seq": 2 * number + place, "account_id": account, "lot_id": lot, "counted_in": UNIT, "amount": one, **at}
            for place, (account, lot, one) in enumerate(sides)
        ],
    }


def exported(*, sealed=(10, -3), waiting=(-2,), holds=5, seal_count=None):
    """Return the lines of a ledger: 10 - 3 - 2 = 5 units are left."""
    file = export.Manifest()
    lines = [file.write(export.header_line(desk_id="d", exported_at="2026-05-04T13:00:00Z"))]
    batch = [transaction(number, amount) for number, amount in enumerate(sealed, start=1)]
    last, links = seal_hash(GENESIS, batch)
    lines.append(file.write(export.seal_line(Seal(1, GENESIS, last, seal_count or len(batch)))))
    lines += [file.write(export.transaction_line(one, link)) for one, link in zip(batch, links, strict=True)]
    rest = [transaction(number, amount) for number, amount in enumerate(waiting, start=len(sealed) + 1)]
    lines.append(file.write(export.unsealed_line(len(rest))))
    lines += [file.write(export.transaction_line(one, None)) for one in rest]
    for kind, told in (("account", [("main", holds), ("income", -holds)]), ("lot", [("l1", holds)])):
        lines += [file.write(line) for line in export.holding_lines(kind, told)]
    return [*lines, file.close(last_hash=last)]


def test_a_whole_ledger_verifies():
    audit = export.verify_lines(exported())
    assert audit.faults == []
    assert (audit.transactions, audit.entries, audit.sealed) == (3, 6, 2)


def edited(lines, place, **changes):
    """Change the first entry of the transaction at a line, as an editor would."""
    line = json.loads(lines[place])
    line["transaction"]["entries"][0] |= changes
    return [*lines[:place], json.dumps(line) + "\n", *lines[place + 1 :]]


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        pytest.param(lambda lines: edited(lines, 3, amount=-4), "entry 4 of transaction t2", id="an amount"),
        pytest.param(lambda lines: edited(lines, 3, effective_at="5"), "entry 4 of transaction t2", id="an instant"),
        pytest.param(lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], "transaction t2 is not", id="order"),
        pytest.param(lambda lines: edited(lines, 5, amount=-3), "transaction t3 is off by -1", id="not sealed yet"),
        pytest.param(lambda lines: [*lines[:3], *lines[4:]], "made over 2 transactions, not 1", id="one is gone"),
        pytest.param(lambda lines: [*lines[:4], lines[3], *lines[4:]], "stands in the ledger twice", id="one twice"),
        pytest.param(lambda _: exported(holds=6), "account main says 6, its entries 5", id="a balance"),
        pytest.param(lambda lines: [lines[0].replace("2026", "2027"), *lines[1:]], "sha256", id="the header"),
    ],
)
def test_tampering_is_found_and_named(tamper, named):
    audit = export.verify_lines(tamper(exported()))
    assert not audit.agrees
    assert any(named in fault for fault in audit.faults), audit.faults


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        pytest.param([], "without its manifest", id="nothing"),
        pytest.param(exported()[:-1], "without its manifest", id="cut off"),
        pytest.param([*exported(), "{}\n"], "nothing after the manifest", id="something behind it"),
        pytest.param(["hello\n"], "line 1", id="no JSON"),
        pytest.param(exported()[1:], "header as the first line", id="no header"),
        pytest.param(['{"ledger": {"format": "other/1"}}\n'], "expected the format", id="another format"),
        pytest.param([exported()[0], '{"transaction": {}}\n'], "not those of a ledger", id="half a transaction"),
    ],
)
def test_what_is_no_export(lines, said):
    with pytest.raises(export.NotAnExport, match=said):
        export.verify_lines(lines)
