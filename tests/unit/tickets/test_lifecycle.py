"""The life of a ticket: every state and action either leads somewhere, or is refused by name."""

import pytest

from plazo.kernel.errors import Kind
from tickets.domain.lifecycle import TRANSITIONS, Action, IllegalTransition, State, next_state

# Rows: where a ticket stands; columns: what happens; cells: where it leads, `-` where it may not.
TABLE = """
state        answer       customer_reply change_facts agree_date   wait    end_wait    hold admit resolve  confirm withdraw reopen
new          in_progress  new            new          in_progress  waiting -           held new   resolved -       closed   -
in_progress  in_progress  in_progress    in_progress  in_progress  waiting -           -    -     resolved -       closed   -
waiting      waiting      waiting        waiting      waiting      waiting in_progress -    -     resolved -       closed   -
held         -            held           held         -            -       -           held new   -        -       closed   -
resolved     resolved     resolved       -            -            -       -           -    -     -        closed  -        in_progress
closed       -            -              -            -            -       -           -    -     -        -       -        in_progress
"""  # noqa: E501  # a table is read as one

_HEAD, *_ROWS = (line.split() for line in TABLE.strip().splitlines())
CELLS = [
    pytest.param(State(row[0]), Action(action), target, id=f"{row[0]}-{action}")
    for row in _ROWS
    for action, target in zip(_HEAD[1:], row[1:], strict=True)
]


def test_table_is_complete():
    assert {(case.values[0], case.values[1]) for case in CELLS} == {(s, a) for s in State for a in Action}


@pytest.mark.parametrize(("state", "action", "target"), CELLS)
def test_action_leads_where_the_table_says(state: State, action: Action, target: str):
    if target != "-":
        assert next_state(state, action) is State(target)
        return

    with pytest.raises(IllegalTransition) as refused:
        next_state(state, action)

    assert refused.value.kind is Kind.CONFLICT
    allowed = refused.value.message.partition("it allows ")[2].split(", ")
    assert allowed == sorted(TRANSITIONS[state])
    assert f"is {state} does not allow {action}" in refused.value.message


@pytest.mark.parametrize("state", State)
def test_every_state_is_reached_and_left(state: State):
    assert TRANSITIONS[state]
    assert state is State.NEW or any(state in targets.values() for targets in TRANSITIONS.values())
