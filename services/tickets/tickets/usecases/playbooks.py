"""The document of possible solutions that a level follows. SKE-02, SKE-03"""

from uuid import UUID

from plazo.events.ticket_life import PlaybookExhausted
from plazo.runtime import policies
from plazo.runtime.unit_of_work import UnitOfWork
from tickets.domain.lifecycle import Action
from tickets.domain.playbook import Tick, playbook_of, playbook_state, require_step
from tickets.repository import lifecycle
from tickets.schemas.lifecycle import PlaybookView, StepView, TickCreate
from tickets.schemas.tickets import TicketView
from tickets.usecases.changes import By, changing, decide_again
from tickets.usecases.reading import visible_ticket

_FACT = "playbook"


async def read_playbook(uow: UnitOfWork, *, ticket_id: UUID) -> PlaybookView:
    """Return the playbook that a ticket follows, and what was taken of it. :raises NoPlaybook:"""
    async with uow.read() as connection:
        ticket = await visible_ticket(connection, ticket_id, customer_id=None)
        policy = await policies.known_policy(connection, policy=ticket.policy, version=ticket.policy_version)
        ticks = await lifecycle.list_ticks(connection, ticket_id)
    playbook = playbook_of(policy, ticket.facts)
    taken = {tick.step: tick for tick in ticks if tick.playbook == playbook.name}
    steps = []
    for step in playbook.steps:
        view = StepView(name=step.name, text=step.text.model_dump())
        if tick := taken.get(step.name):
            done = {"result": tick.result, "note": tick.text, "ticked_by": tick.ticked_by, "ticked_at": tick.ticked_at}
            view = view.model_copy(update=done)
        steps.append(view)
    return PlaybookView(
        name=playbook.name, clauses=list(playbook.clause), state=playbook_state(playbook, ticks), steps=steps
    )


async def tick_step(uow: UnitOfWork, *, ticket_id: UUID, step: str, body: TickCreate, by: By) -> TicketView:
    """Record how a step went; taken again, the last result holds.

    When all were taken and none solved it, the fact `playbook` is `exhausted`, and what depends on it is decided again.

    :raises NoPlaybook: if the ticket follows none, or it has no such step
    """
    async with changing(uow, ticket_id, by) as change:
        change.act(Action.CHANGE_FACTS)
        policy = await change.policy()
        playbook = playbook_of(policy, change.before.facts)
        require_step(playbook, step)
        tick = Tick(
            playbook=playbook.name,
            step=step,
            result=body.result,
            text=body.text,
            ticked_by=by.actor,
            ticked_at=change.now,
        )
        before = await lifecycle.list_ticks(change.tx.connection, ticket_id)
        await lifecycle.save_tick(change.tx, ticket_id, tick)
        change.note("playbook_step", by, text=body.text, internal=True, step=step, result=body.result)
        was_exhausted = playbook_state(playbook, before) == "exhausted"
        is_exhausted = playbook_state(playbook, [*before, tick]) == "exhausted"
        if is_exhausted != was_exhausted:
            given = change.before.given | {_FACT: "exhausted" if is_exhausted else "open"}
            await decide_again(change, policy, given=given, actor=by.actor)
        if is_exhausted and not was_exhausted:
            change.note("playbook_exhausted", by, internal=True, playbook=playbook.name, clauses=list(playbook.clause))
            change.announce(
                PlaybookExhausted(playbook=playbook.name, level=change.before.level, clauses=playbook.clause)
            )
    return change.done()
