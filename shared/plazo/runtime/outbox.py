"""The outbox: events are written in the transaction of what they announce.

Rows are kept after publication: together they are the ledger of all a service ever announced.
"""

from collections.abc import Sequence

from pydantic_core import to_json

from plazo.events.envelope import SERVICES, Envelope
from plazo.kernel.errors import Kind, PlazoError
from plazo.runtime.database import Connection

# NATS carries a mebibyte, headers and all; one that it does not carry would hold up all that come behind it.
LARGEST_EVENT = 900_000  # bytes of data


# The end of a statement whose CTE `event` has the columns of events, and their order `n`. The version of an aggregate
# is taken under its row's lock, so a later event of the same ticket always has both the next version and a higher seq.
# What was taken in is read after the position of the event that is being handled has moved.
ANNOUNCE = f"""
bumped AS (
  INSERT INTO outbox_version AS v (desk_id, aggregate_id, version)
  SELECT desk_id, aggregate_id, count(*) FROM event GROUP BY 1, 2 ORDER BY 2
  ON CONFLICT (aggregate_id) DO UPDATE SET version = v.version + excluded.version
  RETURNING aggregate_id, version
), known AS (
  SELECT b.aggregate_id, jsonb_object_agg(p.producer, p.version) AS taken_in
  FROM bumped b JOIN inbox_position p
    ON p.producer = ANY ('{{{",".join(SERVICES)}}}') AND p.aggregate_id = b.aggregate_id AND p.version > 0
  GROUP BY 1
), announced AS (
  INSERT INTO outbox (id, desk_id, aggregate_id, aggregate_version, type, occurred_at, recorded_at, correlation_id,
                      causation_id, traceparent, taken_in, data)
  SELECT e.id, e.desk_id, e.aggregate_id,
         b.version - count(*) OVER (PARTITION BY e.aggregate_id)
                   + row_number() OVER (PARTITION BY e.aggregate_id ORDER BY e.n),
         e.type, e.occurred_at, e.recorded_at, e.correlation_id, e.causation_id, e.traceparent, k.taken_in, e.data
  FROM event e JOIN bumped b USING (aggregate_id) LEFT JOIN known k USING (aggregate_id) ORDER BY e.n
)
"""  # noqa: S608  # the names of services are ours
_EVENTS = """
WITH event AS (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::timestamptz[],
                       $7::uuid[], $8::uuid[], $9::text[], $10::jsonb[]) WITH ORDINALITY
    AS e (id, desk_id, aggregate_id, type, occurred_at, recorded_at, correlation_id, causation_id, traceparent, data, n)
), """
_WRITE = f"{_EVENTS} {ANNOUNCE} SELECT"


class EventTooLarge(PlazoError):
    """What was asked would have to be announced in an event that cannot be carried."""

    kind = Kind.TOO_LARGE
    code = "event-too-large"


async def write_events(connection: Connection, events: Sequence[Envelope]) -> None:
    """Write `events` in order, giving each the next version of its aggregate. :raises EventTooLarge:"""
    for event in events:
        if (size := len(to_json(event.data))) > LARGEST_EVENT:
            raise EventTooLarge(f"{event.type} would have {size} bytes; expected {LARGEST_EVENT} at most")
    await connection.execute(
        _WRITE,
        [event.id for event in events],
        [event.desk_id for event in events],
        [event.aggregate_id for event in events],
        [event.type for event in events],
        [event.occurred_at for event in events],
        [event.recorded_at for event in events],
        [event.correlation_id for event in events],
        [event.causation_id for event in events],
        [event.traceparent for event in events],
        [event.data for event in events],
    )
