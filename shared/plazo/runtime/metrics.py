"""What operators can watch; names follow Prometheus' conventions, durations are seconds."""

from prometheus_client import Counter, Gauge, Histogram

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

HTTP_SECONDS = Histogram("plazo_http_seconds", "time to answer a request", ("method", "route", "status"), buckets=_FAST)
EVENTS_PUBLISHED = Counter("plazo_events_published_total", "events the relay brought to the bus")
RELAY_LAG = Gauge("plazo_relay_lag_seconds", "age of the oldest event not yet on the bus")
RELAY_BACKLOG = Gauge("plazo_relay_backlog", "events not yet on the bus, as of the last look")
EVENTS_HANDLED = Counter("plazo_events_handled_total", "events that came in", ("producer", "outcome"))
EVENT_SECONDS = Histogram(
    "plazo_event_seconds", "time from recording an event to its effect here", ("producer",), buckets=_FAST
)
DEAD_LETTERS = Counter("plazo_dead_letters_total", "events set aside because they could not be handled", ("producer",))
BUS_CONNECTED = Gauge("plazo_bus_connected", "1 while the service is connected to NATS")
CLOCK_OFFSET = Gauge("plazo_clock_offset_seconds", "how far the clock of this machine is ahead of the database's")
