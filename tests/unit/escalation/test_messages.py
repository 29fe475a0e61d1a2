"""What people are told, and who they are."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.domain.addressees import Addressee, find_addressees
from escalation.domain.messages import held_reason, render, ticket_values
from escalation.domain.ticket import Agent, Ticket
from plazo.policy.document import Policy
from plazo.policy.handling import PLACEHOLDERS, Template
from plazo.policy.rules import Text

Policies = Callable[[str], Policy]
Tickets = Callable[..., Ticket]


def agent(number: int, **about: Any) -> Agent:
    return Agent(**({"agent_id": UUID(int=number), "name": "n", "email": f"a{number}@example.com"} | about))


def template(subject: str, body: str) -> Template:
    return Template(subject=Text(es=subject, en=subject), body=Text(es=body, en=body))


class TestRender:
    """A template with what is known."""

    def test_confirms_date_first_description_and_number(self, policy_of: Policies, make_ticket: Tickets) -> None:
        """IRE-10."""
        policy, ticket = policy_of("ireo"), make_ticket(number="IRE-7", facts={"severity": 2})

        words = render(policy.templates["receipt"], ticket_values(ticket, policy, language="es"), language="es")

        assert words.subject == "Ticket IRE-7 registrado"
        # 13:00 UTC is 15:00 in Madrid in May.
        assert words.body == (
            "Alta: 04/05/2026 15:00 (Europe/Madrid). Descripción inicial: La taquilla no cobra desde las nueve"
        )

    def test_speaks_the_language_of_the_customer(self, policy_of: Policies, make_ticket: Tickets) -> None:
        policy, ticket = policy_of("ireo"), make_ticket(number="IRE-7")

        words = render(policy.templates["receipt"], ticket_values(ticket, policy, language="en"), language="en")

        assert words.subject == "Ticket IRE-7 registered"

    def test_shows_a_dash_for_what_is_not_known(self) -> None:
        assert render(template("{due_at}", "{number}"), {}, language="es").subject == "—"

    def test_never_reads_a_value_as_a_placeholder(self) -> None:
        values = {"subject": "{number} {reason}", "number": "7", "reason": "secret"}

        assert render(template("{number}", "{subject}"), values, language="es").body == "{number} {reason}"

    def test_keeps_a_subject_on_one_line(self) -> None:
        words = render(template("{subject}", "{subject}"), {"subject": "a\r\nBcc: x@example.com"}, language="es")

        assert words.subject == "a Bcc: x@example.com"
        assert words.body == "a \nBcc: x@example.com"

    @given(value=st.text(max_size=200))
    def test_takes_any_value(self, value: str) -> None:
        words = render(template("{subject}", "{subject}"), {"subject": value}, language="en")

        assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in words.subject)
        assert "\r" not in words.body

    @pytest.mark.parametrize("name", ["expande", "ireo", "prodequa", "skedu", "smartcloud"])
    def test_fills_every_template_of_the_contracts(self, policy_of: Policies, name: str) -> None:
        values = dict.fromkeys(PLACEHOLDERS, "something")

        for one in policy_of(name).templates.values():
            for language in ("es", "en"):
                words = render(one, values, language=language)
                assert "{" not in words.subject + words.body
                assert "—" not in words.subject + words.body

    def test_says_why_a_ticket_is_held_in_the_words_of_the_gate(self, policy_of: Policies) -> None:
        policy = policy_of("smartcloud")

        assert "unidades de crédito" in held_reason(policy, "awaiting_credit", language="es")
        assert "credit units" in held_reason(policy, "awaiting_credit", language="en")
        assert held_reason(policy, "another", language="en") == "another"


class TestFindAddressees:
    """Nobody who must know is passed over in silence."""

    def found(self, role: str, ticket: Ticket, policy: Policy, *staff: Agent, email: str | None = None) -> list[str]:
        people = find_addressees(role, ticket=ticket, policy=policy, staff=staff, customer_email=email)
        return [person.address or "nobody" for person in people]

    def test_is_the_contact_for_the_requester(self, policy_of: Policies, make_ticket: Tickets) -> None:
        ticket = make_ticket()

        assert self.found("requester", ticket, policy_of("ireo"), email="c@example.com") == ["ana@example.com"]
        assert self.found("customer_administrator", ticket, policy_of("ireo"), email="c@example.com") == [
            "c@example.com"
        ]

    def test_keeps_a_requester_without_an_address(self, policy_of: Policies, make_ticket: Tickets) -> None:
        people = find_addressees(
            "requester",
            ticket=make_ticket(contact_email=None, language="en"),
            policy=policy_of("ireo"),
            staff=(),
            customer_email=None,
        )

        assert people == (Addressee("requester", "customer", None, "en"),)

    def test_is_whoever_has_the_ticket_for_the_consultant(self, policy_of: Policies, make_ticket: Tickets) -> None:
        ticket = make_ticket(agent_id=UUID(int=2), team="support")

        assert self.found("consultant", ticket, policy_of("prodequa"), agent(1), agent(2)) == ["a2@example.com"]

    def test_prefers_a_lead_of_the_ticket_s_own_team(self, policy_of: Policies, make_ticket: Tickets) -> None:
        ticket = make_ticket(team="level_2")
        other = agent(1, roles=("team_lead",), teams=("level_3",))
        own = agent(2, roles=("team_lead",), teams=("level_2",))

        assert self.found("team_lead", ticket, policy_of("expande"), other, own) == ["a2@example.com"]
        assert self.found("team_lead", ticket, policy_of("expande"), other) == ["a1@example.com"]

    def test_falls_back_on_the_address_of_team_or_provider(self, policy_of: Policies, make_ticket: Tickets) -> None:
        policy = policy_of("expande")
        away = agent(1, roles=("manager",), absent=True)

        assert self.found("manager", make_ticket(team="cloud"), policy, away) == ["cloud@expande.example.com"]
        assert self.found("manager", make_ticket(team="level_2"), policy, away) == ["support@expande.example.com"]
