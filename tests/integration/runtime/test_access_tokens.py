"""Access tokens over HTTP: who a token says it is, is who asks; and no more than that."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
from harness import Client, DeskUnderTest
from integration.runtime.annex import NOW, Annex
from integration.runtime.provider import AUDIENCE, STRANGER, Provider, running_provider

from plazo.runtime.clock import SystemClock
from plazo.runtime.identity import new_key
from plazo.runtime.service import Service
from plazo.runtime.web import create_app
from tickets.routes import desks as desk_routes
from tickets.routes import tickets as ticket_routes
from tickets.schemas.desks import DeskCreate
from tickets.usecases.desks import create_desk


@dataclass
class Place:
    """A service that accepts the tokens of a provider, and a desk there."""

    provider: Provider
    client: Client
    desk_id: str
    key: str

    def token(self, *args: Any, **claims: Any) -> dict[str, str]:
        """Return the header of a token for the desk."""
        return {"Authorization": f"Bearer {self.provider.token(*args, **{'plazo_desk': self.desk_id} | claims)}"}


@pytest.fixture
async def place(annex: Annex, request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """The desk of a service whose people come with tokens; a parameter has further settings."""
    async with running_provider() as provider:
        provider.now = SystemClock().now()
        further = getattr(request, "param", {})
        accepted = {"oidc_issuer": provider.issuer, "oidc_audience": AUDIENCE}
        settings = annex.settings.model_copy(update=accepted | further)
        routers = (desk_routes.router, ticket_routes.router)
        service = Service(name="tickets", title="x", description="", routers=routers, handlers={})
        app = create_app(service, settings=settings)
        async with app.router.lifespan_context(app):
            key, desk_id = new_key(), uuid4()
            uow = app.state.runtime.unit_of_work(desk_id=desk_id, now=NOW)
            await create_desk(uow, body=DeskCreate(name="Mesa", sandbox=True), key=key)
            client = Client(transport=httpx.ASGITransport(app=app), base_url="http://annex")
            yield Place(provider, client, str(desk_id), key.token)


async def test_token_is_accepted_beside_keys(place: Place):
    assert (await place.client.ok("GET", "/v1/desk", headers=place.token()))["desk_id"] == place.desk_id
    await place.client.ok("GET", "/v1/desk", headers={"Authorization": f"Bearer {place.key}"})
    await place.client.refused(403, "GET", "/v1/keys", headers=place.token())


async def test_what_an_administrator_does_by_token_is_on_record(place: Place):
    boss = place.token(plazo_role="administrator", name="Ana", sub="ana-7")
    await place.client.ok("POST", "/v1/keys", json={"role": "agent", "label": "x"}, headers=boss)
    [act] = (await place.client.ok("GET", "/v1/audit", headers=boss))["items"]
    assert (act["role"], act["label"], act["key_id"]) == ("administrator", "Ana", "oidc:ana-7")


@pytest.mark.parametrize("place", [{"oidc_name_claim": "upn, email"}], indirect=True)
async def test_a_setting_says_which_claim_names_a_person(place: Place):
    for claims in ({"upn": "ana@house"}, {"email": "ana@example.com"}, {}):
        boss = place.token(plazo_role="administrator", name="Marta", sub="ana-7", **claims)
        await place.client.ok("POST", "/v1/keys", json={"role": "agent", "label": "x"}, headers=boss)
    acts = (await place.client.ok("GET", "/v1/audit", headers=boss))["items"]
    assert {act["label"] for act in acts} == {"ana@house", "ana@example.com", "ana-7"}


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        pytest.param({"aud": "https://other.example.com"}, "aud", id="for others"),
        pytest.param({"plazo_desk": str(uuid4())}, "no desk", id="of no desk here"),
        pytest.param({"plazo_role": "king"}, "one of the roles", id="of no role"),
        pytest.param({"plazo_role": ["agent", "administrator"]}, "one of the roles", id="of two roles"),
        pytest.param({"plazo_role": None}, "one of the roles", id="that says no role"),
        pytest.param({"plazo_role": 7}, "one of the roles", id="of a role that is a number"),
        pytest.param({"plazo_role": {"agent": 1}}, "one of the roles", id="of a role that is no word"),
        pytest.param({"plazo_role": "requester"}, "customer", id="of a requester of no customer"),
        pytest.param({"exp": 1}, "expired", id="that is over"),
        pytest.param({"name": "Ana\nagent: Eva"}, "control characters", id="that is called by two lines"),
    ],
)
async def test_token_that_does_not_say_enough_is_refused(place: Place, claims: dict[str, Any], said: str):
    problem = await place.client.refused(401, "GET", "/v1/desk", headers=place.token(**claims))
    assert said in problem["detail"]


async def test_token_of_somebody_else_s_making_is_refused(place: Place):
    await place.client.refused(401, "GET", "/v1/desk", headers=place.token(STRANGER))


async def test_requester_s_token_sees_its_customer_only(place: Place):
    requester = place.token(plazo_role="requester", plazo_customer=str(uuid4()))
    await place.client.refused(404, "GET", f"/v1/tickets/{uuid4()}", headers=requester)
    await place.client.refused(403, "GET", "/v1/keys", headers=requester)


async def test_while_the_provider_was_never_there_tokens_wait_and_keys_do_not(place: Place):
    place.provider.status = "503 Away"
    problem = await place.client.refused(503, "GET", "/v1/desk", headers=place.token())
    assert problem["type"] == "urn:plazo:problem:identity-provider-away"
    await place.client.ok("GET", "/v1/desk", headers={"Authorization": f"Bearer {place.key}"})


async def test_where_no_provider_is_set_a_token_is_no_key(desk: DeskUnderTest):
    headers = {"Authorization": f"Bearer {Provider(issuer='https://id.example.com').token()}"}
    problem = await desk.admin.refused(401, "GET", "/v1/desk", headers=headers)
    assert "plz_" in problem["detail"]
