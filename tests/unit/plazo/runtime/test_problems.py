"""What a problem says has an end."""

from typing import Any

import pytest

from plazo.kernel.errors import Fault
from plazo.runtime import problems
from plazo.runtime.problems import FaultModel, listed


def test_first_faults_are_listed_and_the_rest_counted():
    shown = listed([Fault(f"/{number}", "m" * 5000, line=number) for number in range(4_321)])
    assert shown is not None
    assert [one.line for one in shown] == [*range(100), None]
    assert {len(one.message) for one in shown[:-1]} == {1000}
    assert shown[-1].message == "and 4221 more faults"


def test_few_faults_are_listed_as_they_are():
    fault = FaultModel(parameter="limit", message="expected 1 to 100")
    assert listed([fault]) == [fault]
    assert listed([]) is None


def test_heap_of_complaints_is_not_put_into_words_as_a_whole(monkeypatch: pytest.MonkeyPatch):
    worded: list[Any] = []

    def put_into_words(complaint: dict[str, Any]) -> FaultModel:
        worded.append(complaint)
        return FaultModel(message="m")

    monkeypatch.setattr(problems, "validation_fault", put_into_words)
    shown = listed([{"type": "extra_forbidden", "loc": ("body", "x"), "msg": "m", "input": 1}] * 60_000)
    assert shown is not None
    assert (len(shown), shown[-1].message, len(worded)) == (101, "and 59900 more faults", 100)
