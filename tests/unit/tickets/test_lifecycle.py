"""The life of a ticket: every state and action either leads somewhere, or is refused by name."""

from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from plazo.kernel.errors import Kind
from tickets.domain.diagram import draw_page
from tickets.domain.lifecycle import OVER, TRANSITIONS, Action, IllegalTransition, State, legal_actions, next_state

# Rows: where a ticket stands; columns: what happens; cells: where it leads, `-` where it may not.
TABLE = """
state        acknowledge  answer      customer_reply change_facts agree_date  wait    end_wait    attempt  hold admit        resolve  confirm abandon withdraw merge  reopen
new          acknowledged in_progress new            new          in_progress waiting -           -        held new          resolved -       -       closed   closed -
acknowledged acknowledged in_progress acknowledged   acknowledged in_progress waiting -           -        held acknowledged resolved -       -       closed   closed -
in_progress  -            in_progress in_progress    in_progress  in_progress waiting -           -        -    -            resolved -       -       closed   closed -
waiting      -            waiting     waiting        waiting      waiting     waiting in_progress waiting  -    -            resolved -       closed  closed   closed -
held         held         -           held           held         -           -       -           -        held new          -        -       -       closed   closed -
resolved     -            resolved    resolved       -            -           -       -           resolved -    -            -        closed  closed  -        closed in_progress
closed       -            -           -              -            -           -       -           -        -    -            -        -       -       -        -      in_progress
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
    assert refused.value.details == {"state": state, "legal": sorted(TRANSITIONS[state])}
    allowed = refused.value.message.partition("it allows ")[2].split(", ")
    assert allowed == sorted(TRANSITIONS[state])
    assert f"is {state} does not allow {action}" in refused.value.message


@pytest.mark.parametrize("state", State)
def test_every_state_is_reached_and_left(state: State):
    assert TRANSITIONS[state]
    assert state is State.NEW or any(state in targets.values() for targets in TRANSITIONS.values())


def test_page_shows_the_table_as_it_is():
    page = Path(__file__).parents[3] / "shared/docs/lifecycle.md"
    assert page.read_text("utf-8") == draw_page(), "run `python -m tickets.domain.diagram > shared/docs/lifecycle.md`"


class Life(RuleBasedStateMachine):
    """A ticket to which anything happens in any order; what is illegal is refused and changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State.NEW
        self.cycle = 1
        self.ends = 0

    @rule(action=st.sampled_from(Action))
    def happen(self, action: Action) -> None:
        """Let something happen."""
        before = self.state
        if action not in legal_actions(before):
            with pytest.raises(IllegalTransition) as refused:
                next_state(before, action)
            assert refused.value.details["legal"] == list(legal_actions(before))
            return
        self.state = next_state(before, action)
        self.cycle += action is Action.REOPEN
        self.ends += before not in OVER and self.state in OVER
        assert action is not Action.CONFIRM or before is State.RESOLVED
        assert action is not Action.ABANDON or before in (State.WAITING, State.RESOLVED)

    @precondition(lambda self: self.state is State.CLOSED)
    @rule()
    def leave_closed(self) -> None:
        """Find that what is over is over until somebody reopens it."""
        assert legal_actions(self.state) == (Action.REOPEN,)

    @invariant()
    def every_cycle_ends_once(self) -> None:
        """The next cycle begins where one ended."""
        assert self.ends == self.cycle - (0 if self.state in OVER else 1)


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
