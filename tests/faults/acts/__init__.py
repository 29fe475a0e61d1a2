"""What may be done at a desk, by name: each act draws from the seed, and sends what it comes to."""

from collections.abc import Awaitable, Callable, Mapping

from faults.acts import asked, met, paid, posted, told
from faults.offices import Office

Act = Callable[[Office], Awaitable[None]]

ACTS: Mapping[str, Act] = {
    "open": asked.open_ticket,
    "reply": asked.reply,
    "note": asked.note,
    "customer": asked.hear_customer,
    "attach": asked.attach,
    "wait": asked.wait,
    "end_wait": asked.end_wait,
    "resolve": asked.resolve,
    "close": asked.close,
    "reopen": asked.reopen,
    "facts": asked.change_facts,
    "date": asked.agree_date,
    "attempt": asked.attempt,
    "abandon": asked.abandon,
    "refused": asked.ask_in_vain,
    "meet": met.meet,
    "met": met.say_what_became,
    "work": paid.work,
    "void": paid.void,
    "grant": paid.grant,
    "standing": paid.set_standing,
    "quote": paid.quote,
    "escalate": told.escalate,
    "ask_to_escalate": told.ask_to_escalate,
    "acknowledge": told.acknowledge,
    "hand_over": told.hand_over,
    "hook": posted.post_alert,
}


async def take_step(office: Office) -> None:
    """Do one thing at a desk, or let its time pass."""
    if not office.is_live and office.draw.random() < 0.16:
        await office.move(office.stretch())
        return
    act = office.draw.choice(office.trade.acts) if len(office.cases) > 1 else "open"
    await ACTS[act](office)
