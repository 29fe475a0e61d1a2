"""What each service's user may do on NATS, and what it may not: the rights of `plazo/local/nats.conf`, tried out."""

import asyncio
import contextlib
import importlib
import json
import re
from contextlib import AsyncExitStack
from uuid import uuid4

import nats
import pytest
from harness import eventually
from integration.runtime.annex import NOW, envelope
from nats.js.api import StreamConfig

from plazo.events.envelope import SERVICES
from plazo.events.tickets import CustomerReplied
from plazo.local.nats import CONFIGURATION, Nats
from plazo.runtime.bus import Bus, BusDown, MalformedEvent, event_headers, parse_event, require_origin, subject_of

READS = {service: sorted(importlib.import_module(f"{service}.app").SERVICE.handlers) for service in SERVICES}
OTHERS = [(service, other) for service in SERVICES for other in SERVICES if service != other]


class Person:
    """A connection to NATS as one user, which remembers what it was refused."""

    def __init__(self):
        self.refusals: list[str] = []
        self.connection = nats.NATS()

    async def connect(self, server, user):
        async def on_error(error):
            self.refusals.append(str(error))

        inbox = f"_INBOX_{user}" if user in SERVICES else "_INBOX"
        await self.connection.connect(server.url_of(user), inbox_prefix=inbox, error_cb=on_error)

    async def is_refused(self, verb, subject):
        """Wait for the refusal of what was just tried."""

        async def refusal():
            return [told for told in self.refusals if verb in told and f'"{subject.lower()}"' in told.lower()]

        await self.connection.flush()
        assert await eventually(refusal, seconds=5)
        self.refusals.clear()


@pytest.fixture(scope="module")
async def persons(tmp_path_factory):
    """Everybody, on a NATS where all streams and places are made."""
    server = Nats(tmp_path_factory.mktemp("rights"))
    await server.start()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(server.stop)
        found = {user: Person() for user in ("operator", *SERVICES)}
        for user, person in found.items():
            await person.connect(server, user)
            stack.push_async_callback(person.connection.close)
        buses = {service: Bus(server.url_of(service), name=service) for service in SERVICES}
        for service, bus in buses.items():
            await bus.connect()
            stack.push_async_callback(bus.close)
            await bus.ensure_stream(service)
        for service, bus in buses.items():
            for producer in READS[service]:
                await (await bus.subscribe(producer, consumer=service)).close()
        found["buses"] = buses
        yield found


def test_names_the_places_that_the_services_read_from():
    text = CONFIGURATION.read_text()
    for verb in (r"JS\.API\.CONSUMER\.DURABLE\.CREATE", r"JS\.API\.CONSUMER\.MSG\.NEXT", r"JS\.ACK"):
        places = set(re.findall(rf'"\${verb}\.PLAZO_([A-Z_]+)\.([a-z_]+)-([a-z_]+)', text))
        assert places == {(producer.upper(), reader, producer) for reader in SERVICES for producer in READS[reader]}


@pytest.mark.parametrize(("reader", "producer"), [(reader, one) for reader in SERVICES for one in READS[reader]])
async def test_a_service_reads_what_another_announces(persons, reader, producer):
    event = envelope(CustomerReplied(channel="email", by="x"), desk_id=uuid4(), aggregate_id=uuid4(), version=1)
    event = event.model_copy(update={"producer": producer})
    assert (await persons["buses"][producer].publish([event])).ids == [event.id]
    subscription = await persons["buses"][reader].subscribe(producer, consumer=reader)
    found = set()
    async with asyncio.timeout(10):
        while event.id not in found:
            for delivery in await subscription.fetch(at_most=100, seconds=1):
                found.add(parse_event(delivery.headers, delivery.body).id)
                await delivery.done()
    stream = persons["operator"].connection.jetstream()

    async def all_are_done():
        return (await stream.consumer_info(f"PLAZO_{producer.upper()}", f"{reader}-{producer}")).num_ack_pending == 0

    await eventually(all_are_done)
    await subscription.close()


@pytest.mark.parametrize(("asker", "answerer"), OTHERS)
async def test_a_service_asks_another(persons, asker, answerer):
    async def echo(question):
        return {"asked": question}

    for subject in (f"plazo-settlement.{answerer}", f"plazo-key-uses.{answerer}", f"plazo-missed.{answerer}"):
        if subject.startswith("plazo-missed") and answerer not in READS[asker]:
            continue
        await persons["buses"][answerer].answer(subject, group=answerer, to=echo)

        async def answer(subject=subject):
            with contextlib.suppress(BusDown):  # until the server knows who answers
                return await persons["buses"][asker].ask(subject, "how many?", seconds=5)

        assert await eventually(answer) == {"asked": "how many?"}


FORBIDDEN = [
    pytest.param("plazo.{other}.p00.ticket.opened.v1", id="announces as another"),
    pytest.param("plazo.nobody.p00.ticket.opened.v1", id="announces as nobody"),
    pytest.param("anything", id="speaks elsewhere"),
    pytest.param("_INBOX_{other}.x.y", id="answers another unasked"),
    pytest.param("$JS.API.STREAM.DELETE.PLAZO_{OTHER}", id="deletes another's stream"),
    pytest.param("$JS.API.STREAM.DELETE.PLAZO_{OWN}", id="deletes its own stream"),
    pytest.param("$JS.API.STREAM.PURGE.PLAZO_{OTHER}", id="purges another's stream"),
    pytest.param("$JS.API.STREAM.PURGE.PLAZO_{OWN}", id="purges its own stream"),
    pytest.param("$JS.API.STREAM.MSG.DELETE.PLAZO_{OWN}", id="deletes a message"),
    pytest.param("$JS.API.STREAM.UPDATE.PLAZO_{OTHER}", id="changes another's stream"),
    pytest.param("$JS.API.STREAM.UPDATE.PLAZO_{OWN}", id="changes its own stream"),
    pytest.param("$JS.API.STREAM.INFO.PLAZO_{OTHER}", id="looks at another's stream"),
    pytest.param("$JS.API.STREAM.CREATE.PLAZO_{OTHER}", id="makes another's stream"),
    pytest.param("$JS.API.STREAM.CREATE.MINE", id="makes a stream beside"),
    pytest.param("$JS.API.STREAM.RESTORE.PLAZO_{OWN}", id="restores a stream"),
    pytest.param("$JS.API.STREAM.SNAPSHOT.PLAZO_{OTHER}", id="copies a stream"),
    pytest.param("$JS.API.STREAM.MSG.GET.PLAZO_{OTHER}", id="reads a stream past its place"),
    pytest.param("$JS.API.DIRECT.GET.PLAZO_{OTHER}", id="reads a stream directly"),
    pytest.param("$JS.API.CONSUMER.DURABLE.CREATE.PLAZO_{OWN}.{other}-{own}", id="makes another's place"),
    pytest.param("$JS.API.CONSUMER.CREATE.PLAZO_{OWN}.{other}-{own}", id="makes another's place, the newer way"),
    pytest.param("$JS.API.CONSUMER.CREATE.PLAZO_{OTHER}", id="makes a place without a name"),
    pytest.param("$JS.API.CONSUMER.DURABLE.CREATE.PLAZO_{OTHER}.spy", id="makes a place with a name of its own"),
    pytest.param("$JS.API.CONSUMER.DELETE.PLAZO_{OWN}.{other}-{own}", id="deletes another's place"),
    pytest.param("$JS.API.CONSUMER.DELETE.PLAZO_{OTHER}.{own}-{other}", id="deletes its own place"),
    pytest.param("$JS.API.CONSUMER.MSG.NEXT.PLAZO_{OWN}.{other}-{own}", id="takes another's events"),
    pytest.param("$JS.ACK.PLAZO_{OWN}.{other}-{own}.1.1.1.1.0", id="acknowledges another's events"),
    pytest.param("$JS.API.INFO", id="asks about the account"),
    pytest.param("$SYS.REQ.SERVER.PING", id="asks the server"),
]


@pytest.mark.parametrize("subject", FORBIDDEN)
async def test_a_service_may_not(persons, subject):
    for service, other in OTHERS:
        tried = subject.format(own=service, OWN=service.upper(), other=other, OTHER=other.upper())
        await persons[service].connection.publish(tried, b"{}")
        await persons[service].is_refused("permissions violation for publish", tried)


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param(">", id="everything"),
        pytest.param("plazo.>", id="all events"),
        pytest.param("plazo.{other}.>", id="another's events past its place"),
        pytest.param("_INBOX_{other}.>", id="another's replies"),
        pytest.param("_INBOX.>", id="the operator's replies"),
        pytest.param("plazo-settlement.{other}", id="questions to another"),
        pytest.param("plazo-key-uses.*", id="questions to all"),
        pytest.param("plazo-missed.{other}", id="questions about another's events"),
        pytest.param("$JS.API.>", id="what is asked of JetStream"),
    ],
)
async def test_a_service_may_not_hear(persons, subject):
    for service, other in OTHERS:
        await persons[service].connection.subscribe(tried := subject.format(other=other))
        await persons[service].is_refused("permissions violation for subscription", tried)


async def test_an_operator_may_do_everything(persons):
    jetstream = persons["operator"].connection.jetstream()
    await jetstream.add_stream(name="SPARE", subjects=["spare.>"])
    await jetstream.publish("spare.x", b"1")
    await jetstream.purge_stream("SPARE")
    assert await jetstream.delete_stream("SPARE")


async def test_a_place_cannot_be_turned_to_deliver_elsewhere(persons):
    """A reader makes its own place; one that pushes would publish under any name."""
    config = {"durable_name": "billing-tickets", "ack_policy": "explicit", "deliver_subject": "plazo.escalation.p00.x"}
    answer = await persons["billing"].connection.request(
        "$JS.API.CONSUMER.DURABLE.CREATE.PLAZO_TICKETS.billing-tickets",
        json.dumps({"stream_name": "PLAZO_TICKETS", "config": config}).encode(),
        timeout=5,
    )
    assert "can not update pull consumer" in json.loads(answer.data)["error"]["description"]


async def test_what_the_server_is_made_to_send_on_is_refused_by_its_readers(persons):
    """NATS sends an answer wherever the asker says; a delivery then lies in a stream under its old subject."""
    event = envelope(CustomerReplied(channel="email", by="x"), desk_id=uuid4(), aggregate_id=uuid4(), version=1)
    await persons["buses"]["tickets"].publish([event])
    operator = persons["operator"].connection.jetstream()
    before = (await operator.stream_info("PLAZO_SLA_CLOCK")).state.last_seq
    body = json.dumps({"batch": 1000, "expires": 10**9}).encode()
    place = "$JS.API.CONSUMER.MSG.NEXT.PLAZO_TICKETS.billing-tickets"
    await persons["billing"].connection.publish(place, body, reply="plazo.sla_clock.p00.timer.fired.v1")

    async def it_was_sent_on():
        after = (await operator.stream_info("PLAZO_SLA_CLOCK")).state.last_seq
        return after if after > before else 0

    message = await operator.get_msg("PLAZO_SLA_CLOCK", await eventually(it_was_sent_on))
    forged = parse_event(message.headers, message.data)
    with pytest.raises(MalformedEvent, match=r"published on plazo\.tickets\..* in the stream of sla_clock"):
        require_origin(forged, subject=message.subject, headers=message.headers, producer="sla_clock")


async def test_what_a_stream_is_made_to_repeat_elsewhere_is_refused_by_its_readers(persons):
    """A service cannot change its stream, but made one; a stream may publish what it stores again, under any name."""
    operator = persons["operator"].connection.jetstream()
    config = (await operator.stream_info("PLAZO_BILLING")).config
    forged = envelope(CustomerReplied(channel="email", by="x"), desk_id=uuid4(), aggregate_id=uuid4(), version=1)
    changed = config.as_dict() | {"republish": {"src": "plazo.billing.p00.x", "dest": subject_of(forged)}}
    answer = await persons["billing"].connection.request(
        "$JS.API.STREAM.CREATE.PLAZO_BILLING", json.dumps(changed).encode(), timeout=5
    )
    assert "already in use with a different configuration" in json.loads(answer.data)["error"]["description"]
    try:
        await operator.update_stream(StreamConfig.from_response(changed))
        before = (await operator.stream_info("PLAZO_TICKETS")).state.last_seq
        await persons["billing"].connection.publish("plazo.billing.p00.x", b"{}", headers=event_headers(forged))

        async def it_was_repeated():
            after = (await operator.stream_info("PLAZO_TICKETS")).state.last_seq
            return after if after > before else 0

        message = await operator.get_msg("PLAZO_TICKETS", await eventually(it_was_repeated))
    finally:
        await operator.update_stream(config)
    assert message.subject == subject_of(forged)
    event = parse_event(message.headers, message.data)
    with pytest.raises(MalformedEvent, match="sent on from PLAZO_BILLING, in the stream of tickets"):
        require_origin(event, subject=message.subject, headers=message.headers, producer="tickets")


@pytest.mark.parametrize(
    ("subject", "source"),
    [
        pytest.param("plazo.billing.p00.ticket.customer_replied.v1", "/tickets", id="another's name in the headers"),
        pytest.param("plazo.tickets.p00.ticket.customer_replied.v1", "/billing", id="another's subject"),
        pytest.param("plazo.billing.p00.ticket.opened.v1", "/billing", id="another type"),
        pytest.param("plazo.billing", "/billing", id="no type"),
        pytest.param("billing", "/billing", id="no subject of ours"),
    ],
)
def test_an_event_that_is_not_what_its_subject_says_is_malformed(subject, source):
    event = envelope(
        CustomerReplied(channel="email", by="x"), desk_id=uuid4(), aggregate_id=uuid4(), version=1, occurred_at=NOW
    )
    headers = event_headers(event) | {"ce-source": source}
    told = parse_event(headers, b"{}")
    with pytest.raises(MalformedEvent, match="in the stream of billing"):
        require_origin(told, subject=subject, headers=headers, producer="billing")
    require_origin(event, subject=subject_of(event), headers=headers, producer="tickets")
