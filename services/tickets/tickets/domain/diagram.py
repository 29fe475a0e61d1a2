"""Draws the life of a ticket. `python -m tickets.domain.diagram` writes the page that the documentation shows."""

import sys

from tickets.domain.lifecycle import TRANSITIONS, Action, State

_HEAD = """# The life of a ticket

Drawn from the table in `tickets/domain/lifecycle.py`, the only one that decides; a test holds this page to it. What a
state does not name is refused with 409, and the refusal lists what is `legal`. Actions that leave a ticket where it
stands are in the table below.

```mermaid
stateDiagram-v2
    [*] --> new
"""


def draw_page() -> str:
    """Return the page: the changes of state as a Mermaid diagram, and what else each state allows."""
    arrows = [
        f"    {state} --> {target}: {', '.join(actions)}"
        for state in State
        for target, actions in _targets(state).items()
        if target is not state
    ]
    rows = [f"| {state} | {', '.join(_targets(state).get(state, ())) or '-'} |" for state in State]
    return "\n".join(
        [_HEAD + "\n".join(arrows), "    closed --> [*]", "```", "", "| state | stays so by |", "|---|---|", *rows, ""]
    )


def _targets(state: State) -> dict[State, list[Action]]:
    targets: dict[State, list[Action]] = {}
    for action, target in TRANSITIONS[state].items():
        targets.setdefault(target, []).append(action)
    return targets


if __name__ == "__main__":
    sys.stdout.write(draw_page())
