"""Events travel as CloudEvents 1.0 in binary mode: what is written as headers is read back the same."""

import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker
from pydantic_core import to_json

from plazo.events import export
from plazo.events.envelope import SERVICES, Envelope
from plazo.events.registry import EVENTS
from plazo.runtime.bus import PARTITIONS, MalformedEvent, event_headers, parse_event, subject_of

ENVELOPE = Envelope(
    id=UUID("0198f0c2-7a10-7c3e-9b1d-2f6a5d3e4c30"),
    producer="tickets",
    type="ticket.admitted.v1",
    desk_id=UUID("0198f0c2-7a10-7c3e-9b1d-2f6a5d3e4c31"),
    aggregate_id=UUID("0198f0c2-7a10-7c3e-9b1d-2f6a5d3e4c01"),
    aggregate_version=2,
    occurred_at=datetime(2026, 5, 4, 13, tzinfo=UTC),
    recorded_at=datetime(2026, 5, 4, 13, 0, 0, 250_000, tzinfo=UTC),
    correlation_id=UUID("0198f0c2-7a10-7c3e-9b1d-2f6a5d3e4c32"),
    causation_id=UUID("0198f0c2-7a10-7c3e-9b1d-2f6a5d3e4c33"),
    traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    data={"counts_from": "2026-05-04T13:00:00Z"},
)
# What any version of ours has ever put on the wire; never edited.
GOLDEN_HEADERS = {
    "Nats-Msg-Id": "0198f0c2-7a10-7c3e-9b1d-2f6a5d3e4c30",
    "ce-specversion": "1.0",
    "ce-id": "0198f0c2-7a10-7c3e-9b1d-2f6a5d3e4c30",
    "ce-source": "/tickets",
    "ce-type": "ticket.admitted.v1",
    "ce-subject": "0198f0c2-7a10-7c3e-9b1d-2f6a5d3e4c01",
    "ce-time": "2026-05-04T13:00:00+00:00",
    "ce-datacontenttype": "application/json",
    "ce-recordedtime": "2026-05-04T13:00:00.250000+00:00",
    "ce-desk": "0198f0c2-7a10-7c3e-9b1d-2f6a5d3e4c31",
    "ce-aggregateversion": "2",
    "ce-correlationid": "0198f0c2-7a10-7c3e-9b1d-2f6a5d3e4c32",
    "ce-causationid": "0198f0c2-7a10-7c3e-9b1d-2f6a5d3e4c33",
    "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
}

INSTANTS = st.datetimes(
    min_value=datetime(1970, 1, 2),
    max_value=datetime(2199, 12, 30),
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))  # what PostgreSQL keeps
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
ENVELOPES = st.builds(
    Envelope,
    id=st.uuids(),
    producer=st.sampled_from(SERVICES),
    type=st.sampled_from([type_ for _, type_ in EVENTS]),
    desk_id=st.uuids(),
    aggregate_id=st.uuids(),
    aggregate_version=st.integers(1, 2**63 - 1),
    occurred_at=INSTANTS,
    recorded_at=INSTANTS,
    correlation_id=st.uuids(),
    causation_id=st.none() | st.uuids(),
    traceparent=st.none() | st.just(ENVELOPE.traceparent),
    data=st.dictionaries(TEXT, JSON, max_size=4),
)
DOCUMENT = json.loads(export.ASYNCAPI.read_text("utf-8"))
HEADERS = Draft202012Validator(DOCUMENT["components"]["schemas"]["Headers"], format_checker=FormatChecker())


def test_writes_the_golden_headers():
    assert event_headers(ENVELOPE) == GOLDEN_HEADERS


def test_reads_the_golden_headers():
    assert parse_event(GOLDEN_HEADERS, to_json(ENVELOPE.data)) == ENVELOPE


@settings(max_examples=100, deadline=None)
@given(ENVELOPES)
def test_what_is_written_is_read_back(event: Envelope):
    headers = event_headers(event)
    assert parse_event(headers, to_json(event.data)) == event
    HEADERS.validate(headers)


@pytest.mark.parametrize("missing", sorted(set(GOLDEN_HEADERS) - {"ce-causationid", "traceparent"}))
def test_document_requires_what_is_always_written(missing: str):
    assert not HEADERS.is_valid({name: value for name, value in GOLDEN_HEADERS.items() if name != missing})


@pytest.mark.parametrize(
    ("headers", "body", "complaint"),
    [
        pytest.param({"ce-id": None}, b"{}", "ce-id", id="no id"),
        pytest.param({"ce-desk": None}, b"{}", "ce-desk", id="no desk"),
        pytest.param({"ce-id": "7"}, b"{}", "UUID", id="an id that is none"),
        pytest.param({"ce-time": "yesterday"}, b"{}", "yesterday", id="a time that is none"),
        pytest.param({"ce-aggregateversion": "first"}, b"{}", "first", id="a version that is none"),
        pytest.param({}, b"{", "EOF", id="a body that is no JSON"),
        pytest.param({}, b"[]", "dictionary", id="a body that is no object"),
        pytest.param({}, b"", "EOF", id="no body"),
    ],
)
def test_names_what_is_wrong_with_a_message(headers: dict[str, str | None], body: bytes, complaint: str):
    changed = {name: value for name, value in (GOLDEN_HEADERS | headers).items() if value is not None}
    with pytest.raises(MalformedEvent, match=complaint):
        parse_event(changed, body)


@given(st.uuids())
def test_all_events_of_an_aggregate_share_a_partition(aggregate_id: UUID):
    one = ENVELOPE.model_copy(update={"aggregate_id": aggregate_id})
    other = one.model_copy(update={"type": "ticket.closed.v1", "aggregate_version": 9})
    assert subject_of(one).split(".")[:3] == subject_of(other).split(".")[:3]
    assert int(subject_of(one).split(".")[2].removeprefix("p")) in range(PARTITIONS)


@pytest.mark.parametrize(("producer", "type_"), [pytest.param(*key, id=key[1]) for key in EVENTS])
def test_every_subject_is_in_the_stream_of_its_producer(producer: str, type_: str):
    event = ENVELOPE.model_copy(update={"producer": producer, "type": type_})
    assert subject_of(event).startswith(f"plazo.{producer}.p")
    assert subject_of(event).endswith(f".{type_}")
