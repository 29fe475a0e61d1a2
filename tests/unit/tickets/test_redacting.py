"""Every way to say something of a ticket takes its credentials out (PRO-22)."""

import inspect
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from tickets.app import SERVICE
from tickets.domain.erasure import Value
from tickets.domain.secrecy import Mark, parse_keys
from tickets.schemas.lifecycle import ClosingCreate, MergeCreate, ReplyCreate
from tickets.schemas.requests import AnswersCreate
from tickets.usecases.redacting import _is_text

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def endpoints() -> dict[str, Any]:
    """Return the path operations about a ticket that take something in."""
    routes = [route for router in SERVICE.routers for route in router.routes]
    return {
        f"{min(route.methods)} {route.path}": route.endpoint  # type: ignore[attr-defined]
        for route in routes
        if {"ticket_id", "body"} <= inspect.signature(route.endpoint).parameters.keys()  # type: ignore[attr-defined]
    }


def test_of_a_ticket_take_credentials_out():
    found = endpoints()
    entrusting = found.pop("POST /v1/tickets/{ticket_id}/secrets")
    assert not hasattr(entrusting, "__wrapped__")
    assert len(found) > 15
    assert [name for name, endpoint in found.items() if not hasattr(endpoint, "__wrapped__")] == []


@pytest.mark.parametrize(
    ("model", "field", "expected"),
    [
        pytest.param(ReplyCreate, "text", True, id="prose"),
        pytest.param(ReplyCreate, "channel", False, id="a choice"),
        pytest.param(ReplyCreate, "internal", False, id="yes or no"),
        pytest.param(ClosingCreate, "confirmed_by", True, id="a line that may be absent"),
        pytest.param(ClosingCreate, "channel", False, id="a choice that may be absent"),
        pytest.param(MergeCreate, "into", False, id="a ticket"),
        pytest.param(AnswersCreate, "parts", True, id="texts by name"),
    ],
)
def test_only_what_is_free_to_say_is_text(model: type[BaseModel], field: str, expected: bool):
    assert _is_text(model.model_fields[field].annotation) is expected


def test_several_secrets_of_several_lengths_are_found_wherever_they_are():
    cipher = parse_keys(f"a:{KEY}")
    ticket, desk = UUID(int=1), UUID(int=2)
    sealed = {
        label: cipher.seal(value, desk_id=desk, ticket_id=ticket, secret_id=UUID(int=3))
        for label, value in (("VPN", "abcd"), ("RDP", "abcdef"), ("SSH", "wxyz"))
    }
    marks = [Mark(mark=one.mark, length=one.length, label=label) for label, one in sealed.items() if one.mark]
    # The longer one first: "abcdef" has "abcd" in it.
    assert cipher.redact("abcdef abcd xabcdx wxyz", ticket_id=ticket, marks=marks) == "[RDP] [VPN] x[VPN]x [SSH]"


def test_a_value_goes_and_the_rest_stays():
    value = Value("s3cret", label="VPN")
    document = {"text": "con s3cret", "parts": ["s3crets", 1, None], "deep": {"a": "b"}}
    assert value.is_in(document)
    assert value.forgotten(document) == {"text": "con [VPN]", "parts": ["[VPN]s", 1, None], "deep": {"a": "b"}}
    assert not value.is_in(value.forgotten(document))
    assert not Value("abc", label="x").is_searchable
