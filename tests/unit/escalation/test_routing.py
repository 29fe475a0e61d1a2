"""Who gets a ticket."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.domain.routing import choose_agent, choose_route, keep_level, queue_place
from escalation.domain.ticket import Agent, Ticket
from plazo.policy.document import Policy

MORNING = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


def agent(number: int, **about: Any) -> Agent:
    ordinary = {
        "agent_id": UUID(int=number),
        "name": f"agent {number}",
        "email": f"a{number}@example.com",
        "teams": ("support",),
    }
    return Agent(**(ordinary | about))


class TestChooseRoute:
    """The first provision that speaks decides."""

    @pytest.mark.parametrize(
        ("policy", "facts", "team", "level", "clause"),
        [
            pytest.param("expande", {"segment": "cinema"}, "level_1_cinema", 1, "EXP-18", id="EXP-18 cinema"),
            pytest.param("expande", {"segment": "theater"}, "level_1_shows", 1, "EXP-18", id="EXP-18 theater"),
            pytest.param("expande", {"segment": "promoter"}, "level_1_shows", 1, "EXP-18", id="EXP-18 promoter"),
            pytest.param("expande", {}, "level_1_shows", 1, "EXP-18", id="EXP-18 no segment"),
            pytest.param(
                "expande", {"segment": "cinema", "component": "cloud"}, "cloud", 1, "EXP-12", id="cloud before segment"
            ),
            pytest.param("prodequa", {"plan_in_force": True}, "support", 1, "PRO-13", id="PRO-13"),
            pytest.param("prodequa", {"plan_in_force": False}, "renewals", 1, "PRO-09", id="PRO-09"),
            pytest.param("prodequa", {"category": "business_consulting"}, "consulting", 1, "PRO-12", id="PRO-12"),
            pytest.param("ireo", {"category": "audit"}, "professional_services", 1, "IRE-16", id="IRE-16"),
            pytest.param("ireo", {"type": "feature_request"}, "vendor_liaison", 1, "IRE-17", id="IRE-17"),
            pytest.param("smartcloud", {"category": "project"}, "professional_services", 1, "SMA-01", id="SMA-01"),
            pytest.param("skedu", {"category": "payments"}, "managers", 1, "SKE-07", id="SKE-07 manager"),
            pytest.param("skedu", {"category": "prices"}, "executives", 1, "SKE-07", id="SKE-07 executive"),
            pytest.param("skedu", {"category": "login"}, "level_1", 1, "SKE-02", id="SKE-02"),
        ],
    )
    def test_sends_a_ticket_to_the_team_of_its_clause(
        self,
        policy_of: Callable[[str], Policy],
        policy: str,
        facts: dict[str, Any],
        team: str,
        level: int,
        clause: str,
    ) -> None:
        route = choose_route(policy_of(policy), facts)

        assert (route.team, route.level) == (team, level)
        assert clause in route.clauses

    def test_gives_a_held_ticket_to_the_team_of_the_gate(self, policy_of: Callable[[str], Policy]) -> None:
        policy = policy_of("prodequa")

        assert choose_route(policy, {}, held_for="no_contract").team == "renewals"
        assert choose_route(policy, {}).team == "support"

    def test_does_not_follow_the_level_it_has_itself_set(self, policy_of: Callable[[str], Policy]) -> None:
        policy = policy_of("expande")

        assert choose_route(policy, {"segment": "cinema", "level": 3}) == choose_route(policy, {"segment": "cinema"})

    def test_never_takes_a_ticket_back_down(self, policy_of: Callable[[str], Policy]) -> None:
        policy = policy_of("expande")

        route = keep_level(policy, choose_route(policy, {"segment": "cinema"}), level=2)

        assert (route.team, route.level) == ("level_2", 2)


class TestChooseAgent:
    """PRO-13: the least loaded, or whose turn it is."""

    def test_takes_the_least_loaded(self) -> None:
        busy, free = agent(1, open_tickets=2), agent(2, open_tickets=1)

        assert (
            choose_agent([busy, free], policy="prodequa", team="support", level=1, language="es", mode="least_loaded")
            == free
        )

    def test_settles_equal_load_by_whose_turn_is_longest_ago(self) -> None:
        recent = agent(1, last_assigned_at=MORNING)
        before = agent(2, last_assigned_at=MORNING - timedelta(hours=1))
        never = agent(3)

        def chosen(*agents: Agent) -> Agent | None:
            return choose_agent(agents, policy="prodequa", team="support", level=1, language="es", mode="least_loaded")

        assert chosen(recent, before) == before
        assert chosen(recent, before, never) == never

    def test_goes_round_in_a_rota_whatever_the_load(self) -> None:
        loaded = agent(1, open_tickets=9, last_assigned_at=MORNING - timedelta(hours=1))
        idle = agent(2, open_tickets=0, last_assigned_at=MORNING)

        assert (
            choose_agent([loaded, idle], policy="prodequa", team="support", level=1, language="es", mode="rota")
            == loaded
        )

    @pytest.mark.parametrize(
        "about",
        [
            pytest.param({"active": False}, id="gone"),
            pytest.param({"absent": True}, id="absent"),
            pytest.param({"teams": ("renewals",)}, id="another team"),
            pytest.param({"levels": (2, 3)}, id="another level"),
        ],
    )
    def test_passes_over_who_cannot_take_it(self, about: dict[str, Any]) -> None:
        assert (
            choose_agent(
                [agent(1, **about)], policy="prodequa", team="support", level=1, language="es", mode="least_loaded"
            )
            is None
        )

    def test_prefers_who_speaks_the_language_but_leaves_nobody_alone(self) -> None:
        spanish, english = agent(1, languages=("es",)), agent(2, languages=("en",), open_tickets=5)

        def chosen(*agents: Agent) -> Agent | None:
            return choose_agent(agents, policy="prodequa", team="support", level=1, language="en", mode="least_loaded")

        assert chosen(spanish, english) == english
        assert chosen(spanish) == spanish

    @given(loads=st.lists(st.integers(0, 5), min_size=1, max_size=8), tickets=st.integers(0, 40))
    def test_evens_out_the_load(self, loads: list[int], tickets: int) -> None:
        agents = {n: agent(n, open_tickets=load) for n, load in enumerate(loads, start=1)}

        for turn in range(tickets):
            taken = choose_agent(
                agents.values(), policy="prodequa", team="support", level=1, language="es", mode="least_loaded"
            )
            assert taken is not None
            number = taken.agent_id.int
            at = MORNING + timedelta(minutes=turn)
            agents[number] = agent(number, open_tickets=taken.open_tickets + 1, last_assigned_at=at)

        after = [one.open_tickets for one in agents.values()]
        # Whoever was given one has at most one more than anybody else.
        assert all(load == before or load <= min(after) + 1 for before, load in zip(loads, after, strict=True))

    def test_prefers_a_skill_that_is_asked_for_after_the_language(self) -> None:
        agents = [
            agent(1, languages=("es",)),
            agent(2, languages=("es",), skills=("backup",), open_tickets=5),
            agent(3, languages=("en",), skills=("backup",)),
        ]

        def chosen(**facts: str) -> UUID | None:
            taken = choose_agent(
                agents, policy="prodequa", team="support", level=1, language="es", mode="least_loaded", facts=facts
            )
            return taken.agent_id if taken else None

        assert [chosen(product="backup"), chosen(product="mail"), chosen(subject="backup")] == [
            agents[1].agent_id,
            agents[0].agent_id,
            agents[0].agent_id,
        ]


def test_the_queue_goes_by_priority_severity_and_age(
    policy_of: Callable[[str], Policy], make_ticket: Callable[..., Ticket]
) -> None:
    """IRE-03: within a severity VIP before Plus before Standard."""
    policy = policy_of("ireo")
    waiting = [
        make_ticket(number="4", facts={"priority": "2-vip", "severity": "2"}),
        make_ticket(number="3", facts={"priority": "1-standard", "severity": "1"}),
        make_ticket(number="2", facts={"priority": "1-plus", "severity": "1"}),
        make_ticket(number="1", facts={"priority": "1-vip", "severity": "1"}),
        make_ticket(number="0", facts={}),
    ]

    ordered = sorted(waiting, key=lambda ticket: queue_place(policy, ticket))

    assert [ticket.number for ticket in ordered] == ["1", "2", "3", "4", "0"]
