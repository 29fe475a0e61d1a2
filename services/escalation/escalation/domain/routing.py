"""Who handles a ticket: the team and level by the policy's rules, the agent by load or by turns."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from escalation.domain.ticket import Agent, FactValue, Ticket
from plazo.policy.decide import first_match
from plazo.policy.document import Policy
from plazo.policy.rules import text_of

Mode = Literal["least_loaded", "rota"]

# What a ticket is about, which an agent may be skilled in.
_SKILL_FACTS = ("product", "component", "category")
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Route:
    """A team and a level, and the provision that chose them; `key` tells one provision from another."""

    key: str | None
    team: str | None
    level: int
    clauses: tuple[str, ...]


def choose_route(policy: Policy, facts: Mapping[str, FactValue], *, held_for: str | None = None) -> Route:
    """Choose who gets a ticket with these facts.

    What holds a ticket may name who has it meanwhile (PRO-09); what lies out of coverage goes where its rule sends it
    (IRE-16, SMA-01); the rest by the routing rules, first match (EXP-18). The level is left out of the facts: it
    follows from the route, not the other way round.
    """
    facts = {name: value for name, value in facts.items() if name != "level"}
    if held_for is not None:
        for index, gate in enumerate(policy.billing.gates):
            if gate.held == held_for and gate.route is not None:
                return Route(f"gate:{index}", gate.route, _level_of(policy, gate.route), gate.clause)
    covered = first_match(policy.coverage, facts)
    if covered is not None and covered.rule.route is not None:
        team = covered.rule.route
        return Route(f"coverage:{covered.index}", team, _level_of(policy, team), covered.rule.clause)
    routed = first_match(policy.routing.rules, facts)
    if routed is None:
        return Route(None, None, 1, ())
    return Route(f"routing:{routed.index}", routed.rule.team, routed.rule.level, routed.rule.clause)


def team_at_level(policy: Policy, level: int) -> str | None:
    """Return the team that serves a level, where the policy names one."""
    return next((entry.team for entry in policy.escalation.levels if entry.level == level), None)


def keep_level(policy: Policy, route: Route, *, level: int) -> Route:
    """Return `route` at the level a ticket has already reached: changed facts never take it back down."""
    if level <= route.level:
        return route
    return Route(route.key, team_at_level(policy, level) or route.team, level, route.clauses)


def sharing_of(policy: Policy, team: str) -> Mode:
    """Return how a team shares out its tickets."""
    entry = policy.routing.teams.get(team)
    return (entry.assignment if entry else None) or policy.routing.assignment


def choose_agent(
    agents: Iterable[Agent],
    *,
    policy: str,
    team: str,
    level: int,
    language: str,
    mode: Mode,
    facts: Mapping[str, FactValue] | None = None,
) -> Agent | None:
    """Choose the agent of a team for a ticket among those present, None where nobody can take it. PRO-13

    Those who speak the customer's language come first, then those with a skill that `facts` ask for. `least_loaded`
    takes the one with the fewest open tickets, `rota` the one whose last turn is longest ago; each settles the ties of
    the other, and the id what is left.
    """
    able = [agent for agent in agents if can_take(agent, policy=policy, team=team, level=level) and agent.has_room]
    if speakers := [agent for agent in able if not agent.languages or language in agent.languages]:
        able = speakers
    asked = {text_of(value) for name, value in (facts or {}).items() if name in _SKILL_FACTS}
    if skilled := [agent for agent in able if asked & {*agent.skills}]:
        able = skilled

    def order(agent: Agent) -> tuple[object, ...]:
        last = agent.last_assigned_at or _NEVER
        weights = (agent.open_tickets, last) if mode == "least_loaded" else (last, agent.open_tickets)
        return (*weights, agent.agent_id)

    return min(able, key=order, default=None)


def is_fit(agent: Agent, ticket: Ticket, *, team: str | None, level: int) -> bool:
    """Whether the agent who has the ticket may keep it in that team at that level."""
    is_theirs = agent.agent_id == ticket.agent_id
    return is_theirs and team is not None and can_take(agent, policy=ticket.policy, team=team, level=level)


def can_take(agent: Agent, *, policy: str, team: str, level: int) -> bool:
    """Whether tickets of a team at a level are an agent's, at some time."""
    return agent.is_available and agent.serves(policy, team) and (not agent.levels or level in agent.levels)


def queue_place(policy: Policy, ticket: Ticket) -> tuple[int, int, datetime, str]:
    """Return what orders tickets that wait: priority, severity, age. IRE-03"""
    ranks = []
    for name, grades in (("priority", policy.priorities), ("severity", policy.severities)):
        names = [text_of(grade.name) for grade in grades]
        value = text_of(ticket.facts.get(name, ""))
        ranks.append(names.index(value) if value in names else len(names))
    return (ranks[0], ranks[1], ticket.opened_at, ticket.number)


def _level_of(policy: Policy, team: str) -> int:
    entry = policy.routing.teams.get(team)
    return (entry.level if entry else None) or 1
