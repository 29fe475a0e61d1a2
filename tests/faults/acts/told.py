"""Who is told: escalations asked for, and acknowledged; tickets that others are to have."""

from faults.offices import Office


async def escalate(office: Office) -> None:
    """The desk asks for the next step."""
    if case := office.case(wanted=lambda one: one.is_open):
        await office.settle()  # what was done before has to be known where it is asked
        body = {"ticket_id": case.ticket_id, "trigger": "agent_request", "reason": "no sale"}
        await office.send("escalate", "/v1/escalations", body, not_yet=(404,))
        await office.settle()  # its level decides what may be done next


async def ask_to_escalate(office: Office) -> None:
    """The customer asks for the next step."""
    if case := office.case(wanted=lambda one: one.is_open):
        await office.settle()
        token = office.requesters[case.contract_id]
        body = {"ticket_id": case.ticket_id, "trigger": "customer_request"}
        await office.send("escalate", "/v1/escalations", body, token=token, who="customer", not_yet=(404,))


async def acknowledge(office: Office) -> None:
    """Somebody takes notice of an escalation: nobody is told again and again."""
    await office.settle()
    raised = [
        one["escalation_id"]
        for case in office.cases
        for one in await office.sender.read_all("/v1/escalations", token=office.admin, ticket=case.ticket_id)
        if one["acknowledged_at"] is None
    ]
    if raised:
        await office.send("acknowledge", f"/v1/escalations/{office.draw.choice(raised[-4:])}/acknowledge", None)


async def hand_over(office: Office) -> None:
    """A ticket is given to somebody, whoever's turn it is."""
    if case := office.case(wanted=lambda one: one.is_open):
        await office.settle()
        body = {"agent_id": office.draw.choice(office.agents), "reason": "vacaciones"}
        await office.send("hand_over", f"/v1/assignments/{case.ticket_id}/handover", body, not_yet=(404,))
