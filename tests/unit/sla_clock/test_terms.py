"""Which document speaks: the contract, then the policy, then the defaults. SKE-12"""

from datetime import UTC, datetime

import pytest

from plazo.policies import policy_text
from plazo.policy import AgreedTerms, agreed_faults, load_policy
from sla_clock.domain.terms import Terms

NOW = datetime(2026, 5, 4, tzinfo=UTC)
SKEDU = load_policy(policy_text("skedu"))
AGREED = AgreedTerms.model_validate(
    {
        "reference": "Anexo B",
        "targets": [{"first_response": "2h", "calendar": "service", "clause": "SKE-12"}],
        "pauses": [{"when": {"waiting": "vendor"}, "kinds": ["first_response"], "clause": "SKE-12"}],
    }
)


def verdicts(contract: AgreedTerms | None) -> dict[str, tuple[str, str]]:
    terms = Terms(SKEDU, contract=contract)
    promise = terms.promise("first_response", {"level": 1})
    assert promise is not None
    return {one.about: (one.by, one.source) for one in terms.verdicts("first_response", promise)}


def test_policy_speaks_where_the_contract_is_silent():
    assert verdicts(None)["target"] == ("policy", "skedu 2021-07, targets rule 1")


def test_contract_speaks_first():
    said = verdicts(AGREED)
    assert said["target"] == ("contract", "Anexo B, targets rule 1")
    assert said["pause"] == ("contract", "Anexo B, pauses rule 1")


def test_policy_keeps_its_own_place_behind_the_contract():
    agreed = AGREED.model_copy(update={"targets": (AGREED.targets[0].model_copy(update={"when": {"plan": "gold"}}),)})
    assert verdicts(agreed)["target"] == ("policy", "skedu 2021-07, targets rule 1")


def test_defaults_speak_last():
    assert verdicts(None)["stop"][0] in {"policy", "defaults"}
    silent = Terms(SKEDU.model_copy(update={"stops": ()}))
    promise = silent.promise("first_response", {})
    assert promise is not None
    assert silent.verdicts("first_response", promise)[1].by == "defaults"
    assert silent.is_stopped_by("first_response", "reply", {})


def test_agreed_target_is_the_one_that_holds():
    promise = Terms(SKEDU, contract=AGREED).promise("first_response", {"level": 1})
    assert promise is not None
    assert promise.target == "2h"


@pytest.mark.parametrize(
    ("rule", "pointer", "said"),
    [
        pytest.param({"first_response": "2h", "calendar": "nights"}, "/targets/0/calendar", "nights", id="calendar"),
        pytest.param({"first_response": "2 moons", "calendar": "service"}, "/targets/0", "2 moons", id="target"),
        pytest.param(
            {"when": {"moon": "full"}, "first_response": "2h", "calendar": "service"}, "/targets/0", "moon", id="fact"
        ),
        # 45 h a week are 406,000 h to the year 2200
        pytest.param(
            {"resolution": "876000h", "calendar": "service"}, "/targets/0/resolution", "never due", id="never due"
        ),
    ],
)
def test_agreed_terms_are_checked_against_the_policy(rule, pointer, said):
    faults = agreed_faults(SKEDU, {"reference": "Anexo B", "targets": [{"clause": "SKE-12"} | rule]}, now=NOW)
    assert any(fault.pointer.startswith(pointer) and said in fault.message + fault.pointer for fault in faults), faults
