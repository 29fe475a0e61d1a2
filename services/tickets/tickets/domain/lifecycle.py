"""The life of a ticket, as one table: which action is legal in which state, and where it leads."""

from enum import StrEnum

from plazo.kernel.errors import Kind, PlazoError


class State(StrEnum):
    """Where a ticket stands."""

    NEW = "new"
    IN_PROGRESS = "in_progress"
    WAITING = "waiting"
    HELD = "held"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Action(StrEnum):
    """What can happen to a ticket."""

    ANSWER = "answer"
    CUSTOMER_REPLY = "customer_reply"
    CHANGE_FACTS = "change_facts"
    AGREE_DATE = "agree_date"
    WAIT = "wait"
    END_WAIT = "end_wait"
    HOLD = "hold"
    ADMIT = "admit"
    RESOLVE = "resolve"
    CONFIRM = "confirm"
    WITHDRAW = "withdraw"
    REOPEN = "reopen"


TRANSITIONS: dict[State, dict[Action, State]] = {
    State.NEW: {
        Action.ANSWER: State.IN_PROGRESS,
        Action.CUSTOMER_REPLY: State.NEW,
        Action.CHANGE_FACTS: State.NEW,
        Action.AGREE_DATE: State.IN_PROGRESS,
        Action.WAIT: State.WAITING,
        Action.HOLD: State.HELD,
        Action.ADMIT: State.NEW,
        Action.RESOLVE: State.RESOLVED,
        Action.WITHDRAW: State.CLOSED,
    },
    State.IN_PROGRESS: {
        Action.ANSWER: State.IN_PROGRESS,
        Action.CUSTOMER_REPLY: State.IN_PROGRESS,
        Action.CHANGE_FACTS: State.IN_PROGRESS,
        Action.AGREE_DATE: State.IN_PROGRESS,
        Action.WAIT: State.WAITING,
        Action.RESOLVE: State.RESOLVED,
        Action.WITHDRAW: State.CLOSED,
    },
    State.WAITING: {
        Action.ANSWER: State.WAITING,
        Action.CUSTOMER_REPLY: State.WAITING,
        Action.CHANGE_FACTS: State.WAITING,
        Action.AGREE_DATE: State.WAITING,
        Action.WAIT: State.WAITING,
        Action.END_WAIT: State.IN_PROGRESS,
        Action.RESOLVE: State.RESOLVED,
        Action.WITHDRAW: State.CLOSED,
    },
    State.HELD: {
        Action.CUSTOMER_REPLY: State.HELD,
        Action.CHANGE_FACTS: State.HELD,
        Action.HOLD: State.HELD,
        Action.ADMIT: State.NEW,
        Action.WITHDRAW: State.CLOSED,
    },
    State.RESOLVED: {
        Action.ANSWER: State.RESOLVED,
        Action.CUSTOMER_REPLY: State.RESOLVED,
        Action.CONFIRM: State.CLOSED,
        Action.REOPEN: State.IN_PROGRESS,
    },
    State.CLOSED: {
        Action.REOPEN: State.IN_PROGRESS,
    },
}


class IllegalTransition(PlazoError):
    """The ticket's state does not allow the action; the message names what it allows."""

    kind = Kind.CONFLICT
    code = "illegal-transition"


def next_state(state: State, action: Action) -> State:
    """Return the state after an action. :raises IllegalTransition: naming the legal actions"""
    legal = TRANSITIONS[state]
    if action not in legal:
        raise IllegalTransition(
            f"a ticket that is {state} does not allow {action}; it allows {', '.join(sorted(legal))}"
        )
    return legal[action]
