"""The life of a ticket, as one table: which action is legal in which state, and where it leads."""

from enum import StrEnum

from plazo.kernel.errors import Kind, PlazoError


class State(StrEnum):
    """Where a ticket stands."""

    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    IN_PROGRESS = "in_progress"
    WAITING = "waiting"
    HELD = "held"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Action(StrEnum):
    """What can happen to a ticket."""

    ACKNOWLEDGE = "acknowledge"
    ANSWER = "answer"
    CUSTOMER_REPLY = "customer_reply"
    CHANGE_FACTS = "change_facts"
    AGREE_DATE = "agree_date"
    WAIT = "wait"
    END_WAIT = "end_wait"
    ATTEMPT = "attempt"
    HOLD = "hold"
    ADMIT = "admit"
    RESOLVE = "resolve"
    CONFIRM = "confirm"
    ABANDON = "abandon"
    WITHDRAW = "withdraw"
    MERGE = "merge"
    REOPEN = "reopen"


TRANSITIONS: dict[State, dict[Action, State]] = {
    State.NEW: {
        Action.ACKNOWLEDGE: State.ACKNOWLEDGED,
        Action.ANSWER: State.IN_PROGRESS,
        Action.CUSTOMER_REPLY: State.NEW,
        Action.CHANGE_FACTS: State.NEW,
        Action.AGREE_DATE: State.IN_PROGRESS,
        Action.WAIT: State.WAITING,
        Action.HOLD: State.HELD,
        Action.ADMIT: State.NEW,
        Action.RESOLVE: State.RESOLVED,
        Action.WITHDRAW: State.CLOSED,
        Action.MERGE: State.CLOSED,
    },
    State.ACKNOWLEDGED: {
        Action.ACKNOWLEDGE: State.ACKNOWLEDGED,
        Action.ANSWER: State.IN_PROGRESS,
        Action.CUSTOMER_REPLY: State.ACKNOWLEDGED,
        Action.CHANGE_FACTS: State.ACKNOWLEDGED,
        Action.AGREE_DATE: State.IN_PROGRESS,
        Action.WAIT: State.WAITING,
        Action.HOLD: State.HELD,
        Action.ADMIT: State.ACKNOWLEDGED,
        Action.RESOLVE: State.RESOLVED,
        Action.WITHDRAW: State.CLOSED,
        Action.MERGE: State.CLOSED,
    },
    State.IN_PROGRESS: {
        Action.ANSWER: State.IN_PROGRESS,
        Action.CUSTOMER_REPLY: State.IN_PROGRESS,
        Action.CHANGE_FACTS: State.IN_PROGRESS,
        Action.AGREE_DATE: State.IN_PROGRESS,
        Action.WAIT: State.WAITING,
        Action.RESOLVE: State.RESOLVED,
        Action.WITHDRAW: State.CLOSED,
        Action.MERGE: State.CLOSED,
    },
    State.WAITING: {
        Action.ANSWER: State.WAITING,
        Action.CUSTOMER_REPLY: State.WAITING,
        Action.CHANGE_FACTS: State.WAITING,
        Action.AGREE_DATE: State.WAITING,
        Action.WAIT: State.WAITING,
        Action.END_WAIT: State.IN_PROGRESS,
        Action.ATTEMPT: State.WAITING,
        Action.RESOLVE: State.RESOLVED,
        Action.ABANDON: State.CLOSED,
        Action.WITHDRAW: State.CLOSED,
        Action.MERGE: State.CLOSED,
    },
    State.HELD: {
        Action.ACKNOWLEDGE: State.HELD,
        Action.CUSTOMER_REPLY: State.HELD,
        Action.CHANGE_FACTS: State.HELD,
        Action.HOLD: State.HELD,
        Action.ADMIT: State.NEW,
        Action.WITHDRAW: State.CLOSED,
        Action.MERGE: State.CLOSED,
    },
    State.RESOLVED: {
        Action.ANSWER: State.RESOLVED,
        Action.CUSTOMER_REPLY: State.RESOLVED,
        Action.ATTEMPT: State.RESOLVED,
        Action.CONFIRM: State.CLOSED,
        Action.ABANDON: State.CLOSED,
        Action.MERGE: State.CLOSED,
        Action.REOPEN: State.IN_PROGRESS,
    },
    State.CLOSED: {
        Action.REOPEN: State.IN_PROGRESS,
    },
}

OVER = (State.RESOLVED, State.CLOSED)


class IllegalTransition(PlazoError):
    """The ticket's state does not allow the action; the message names what it allows, and so does `legal`."""

    kind = Kind.CONFLICT
    code = "illegal-transition"


def legal_actions(state: State) -> tuple[Action, ...]:
    """Return what may happen to a ticket in a state, by name."""
    return tuple(sorted(TRANSITIONS[state]))


def next_state(state: State, action: Action) -> State:
    """Return the state after an action. :raises IllegalTransition: naming the legal actions"""
    if action not in TRANSITIONS[state]:
        legal = legal_actions(state)
        raise IllegalTransition(
            f"a ticket that is {state} does not allow {action}; it allows {', '.join(legal)}",
            details={"state": state, "legal": list(legal)},
        )
    return TRANSITIONS[state][action]
