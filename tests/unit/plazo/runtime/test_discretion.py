"""What a customer is shown of what people of the desk did."""

import json
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from plazo.runtime.discretion import Discretion, discreet


@pytest.mark.parametrize(
    ("shown_to_desk", "shown_to_customer"),
    [
        pytest.param({"actor": "agent: Rosa"}, {"actor": "agent"}, id="somebody of the desk"),
        pytest.param({"quoted_by": "manager: Rosa: x\ny"}, {"quoted_by": "manager"}, id="whatever the label"),
        pytest.param({"actor": "requester: Ana"}, {"actor": "requester: Ana"}, id="somebody of its own"),
        pytest.param({"actor": "policy x 1"}, {"actor": "policy x 1"}, id="a policy"),
        pytest.param({"text": "agent: Rosa"}, {"text": "agent: Rosa"}, id="what was said to it"),
        pytest.param({"assignee": "Rosa", "rate": {"minor": 9}}, {"assignee": None, "rate": None}, id="name and rate"),
        pytest.param(
            {"items": [{"data": {"agent": "Rosa"}}, 7]}, {"items": [{"data": {"agent": None}}, 7]}, id="within"
        ),
    ],
)
def test_names_and_rates_stay_at_the_desk(shown_to_desk: Any, shown_to_customer: Any):
    assert discreet(shown_to_desk) == shown_to_customer


@pytest.mark.parametrize(
    ("is_customer", "media_type", "is_discreet"),
    [
        (True, b"application/json", True),
        (True, b"application/json; charset=utf-8", True),
        (True, b"text/event-stream", False),
        (False, b"application/json", False),
    ],
)
async def test_answer_in_pieces_is_whole_and_as_long_as_it_says(
    is_customer: bool, media_type: bytes, is_discreet: bool
):
    body = json.dumps({"actor": "agent: Rosa", "text": "sí"}).encode()
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["is_customer"] = is_customer
        headers = [(b"content-type", media_type), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body[:7], "more_body": True})
        await send({"type": "http.response.body", "body": body[7:]})

    async def send(message: Message) -> None:
        sent.append(message)

    await Discretion(app)({"type": "http", "state": {}}, None, send)  # type: ignore[arg-type]
    whole = b"".join(message.get("body", b"") for message in sent)
    assert json.loads(whole) == {"actor": "agent" if is_discreet else "agent: Rosa", "text": "sí"}
    assert dict(sent[0]["headers"])[b"content-length"] == str(len(whole)).encode()
