"""The writing routes of tickets, each with a body that would do and values that would not."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

NUL = "a\x00b"


@dataclass(frozen=True)
class Route:
    """A route that takes a body. `{names}` in path and body stand for ids of the scene."""

    method: str
    path: str
    good: dict[str, Any]
    wrong: dict[str, list[Any]] = field(default_factory=dict)

    def __str__(self) -> str:
        """Name it in the test's id."""
        return f"{self.method} {self.path}"

    def at(self, scene: dict[str, str]) -> str:
        """Return the path for a scene."""
        return self.path.format(**scene)

    def body(self, scene: dict[str, str]) -> dict[str, Any]:
        """Return a body that would do."""
        return {name: value.format(**scene) if isinstance(value, str) else value for name, value in self.good.items()}

    def wrong_values(self, scene: dict[str, str]) -> Iterator[tuple[str, Any]]:
        """Return each field with each value that it must not have."""
        for name, value in self.body(scene).items():
            yield name, [value]
            yield name, {"$ne": 1} if not isinstance(value, dict) else [value]
            yield name, 1.5
            if not isinstance(value, bool):
                yield name, True
            if isinstance(value, str):
                yield name, 7
                yield name, NUL
                yield name, "x" * 200_000
        for name, values in self.wrong.items():
            for value in values:
                yield name, value


TICKETS_WRITES = [
    Route(
        "POST",
        "/v1/customers",
        {"name": "Una", "language": "es", "timezone": "Europe/Madrid", "segment": "cinema", "email": "a@example.com"},
        {"language": ["fr", ""], "email": ["", "a", "a b@example.com"], "segment": ["", "a b"]},
    ),
    Route(
        "POST",
        "/v1/contracts",
        {"customer_id": "{customer_id}", "policy": "expande", "plan": "basic", "valid_from": "2020-01-01"},
        {
            "customer_id": ["7", None],
            "valid_from": ["yesterday", "2020-01-01T00:00:00", "9999-12-31", "0001-01-01", 0, None],
            "plan": ["gold"],
            "products": ["erp", [7], [NUL], ["x"] * 201],
            "arrangement": ["free"],
            "valid_until": ["2019-12-31", "2020-01-01", "x"],
        },
    ),
    Route("POST", "/v1/policies", {"document": "policy: x"}, {"document": ["", None, "x" * 100_001]}),
    Route("POST", "/v1/keys", {"role": "agent", "label": "x"}, {"expires_at": ["x", "2026-01-01T00:00:00", 7]}),
    Route(
        "POST",
        "/v1/tickets",
        {"contract_id": "{contract_id}", "subject": "a", "description": "b", "channel": "email", "facts": {}},
        {
            "contract_id": ["7", None, ""],
            "subject": ["", " ", None],
            "facts": [{"server_down": None}, {"": 1}, {"a b": 1}, {"server_down": []}, {NUL: 1}],
            "contact_email": ["nobody"],
            "contact_name": ["", NUL],
        },
    ),
    Route(
        "PATCH",
        "/v1/tickets/{ticket_id}",
        {"facts": {"server_down": True}},
        {"facts": [{}, None, {"server_down": "x"}, {"server_down": 1}, {"unheard_of": 1}, {"server_down": 10**30}]},
    ),
    Route(
        "POST",
        "/v1/tickets/{ticket_id}/replies",
        {"text": "a", "channel": "email", "internal": False},
        {"text": [""], "internal": ["no", 0, None], "channel": ["webhook"]},
    ),
    Route("POST", "/v1/tickets/{ticket_id}/waits", {"cause": "customer", "reason": "a"}, {"cause": ["", "weather"]}),
    Route("POST", "/v1/tickets/{ticket_id}/agreed-dates", {"due_at": "2026-06-01T00:00:00Z"}),
    Route("POST", "/v1/tickets/{ticket_id}/resolutions", {"kind": "fix", "text": "a"}, {"kind": ["", "a b"]}),
    Route("POST", "/v1/tickets/{ticket_id}/reopenings", {"reason": "a"}, {"reason": ["", " "]}),
    Route("POST", "/v1/tickets/{ticket_id}/closings", {"reason": "confirmed"}, {"reason": ["forgotten", ""]}),
]
