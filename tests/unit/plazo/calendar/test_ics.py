from datetime import date

import icalendar
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plazo.calendar import compile_calendar, parse_calendar
from plazo.calendar.ics import export_calendar, import_holidays
from plazo.kernel.errors import InvalidInput
from plazo.kernel.time import parse_instant


def feed(*events):
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Example//Festivos//ES", "X-WR-CALNAME:Festivos"]
    for event in events:
        lines += ["BEGIN:VEVENT", "UID:1", *event.split("|"), "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""])


@pytest.mark.parametrize(
    ("event", "dates"),
    [
        pytest.param("DTSTART;VALUE=DATE:20261225", ["2026-12-25"], id="one day"),
        pytest.param(
            "DTSTART;VALUE=DATE:20260402|DTEND;VALUE=DATE:20260404", ["2026-04-02", "2026-04-03"], id="exclusive end"
        ),
        pytest.param("DTSTART;VALUE=DATE:20260402|DURATION:P2D", ["2026-04-02", "2026-04-03"], id="duration"),
        pytest.param(
            "DTSTART;VALUE=DATE:20261225|RRULE:FREQ=YEARLY", ["2026-12-25", "2027-12-25", "2028-12-25"], id="yearly"
        ),
        pytest.param(
            "DTSTART;VALUE=DATE:20261225|RRULE:FREQ=YEARLY;INTERVAL=2", ["2026-12-25", "2028-12-25"], id="every other"
        ),
        pytest.param(
            "DTSTART;VALUE=DATE:20261225|RRULE:FREQ=YEARLY;COUNT=2", ["2026-12-25", "2027-12-25"], id="counted"
        ),
        pytest.param(
            "DTSTART;VALUE=DATE:20261225|RRULE:FREQ=YEARLY;UNTIL=20271225", ["2026-12-25", "2027-12-25"], id="until"
        ),
        pytest.param(
            "DTSTART;VALUE=DATE:20261126|RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH",
            ["2026-11-26", "2027-11-25", "2028-11-23"],
            id="fourth Thursday",
        ),
        pytest.param(
            "DTSTART;VALUE=DATE:20260525|RRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO",
            ["2026-05-25", "2027-05-31", "2028-05-29"],
            id="last Monday",
        ),
        pytest.param(
            "DTSTART;VALUE=DATE:20260228|RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1",
            ["2026-02-28", "2027-02-28", "2028-02-29"],
            id="last day of February",
        ),
        pytest.param(
            "DTSTART;VALUE=DATE:20261225|RRULE:FREQ=YEARLY|EXDATE;VALUE=DATE:20271225",
            ["2026-12-25", "2028-12-25"],
            id="an exception",
        ),
    ],
)
def test_all_day_events_are_holidays(event, dates):
    layer = import_holidays(feed(event + "|SUMMARY:Fiesta"), last=date(2028, 12, 31))

    assert (layer.name, layer.source) == ("Festivos", "-//Example//Festivos//ES")
    assert layer.dates == {date.fromisoformat(day): "Fiesta" for day in dates}


def test_canceled_events_are_left_out_and_the_first_summary_names_the_date():
    christmas = "DTSTART;VALUE=DATE:20261225"
    layer = import_holidays(
        feed(
            christmas,
            f"{christmas}|SUMMARY:Navidad",
            f"{christmas}|SUMMARY:Otra",
            "DTSTART;VALUE=DATE:20261224|STATUS:CANCELLED",
        )
    )

    assert layer.dates == {date(2026, 12, 25): "Navidad"}


@pytest.mark.parametrize(
    ("event", "said"),
    [
        pytest.param("DTSTART:20261225T090000Z", "all-day event", id="timed"),
        pytest.param("SUMMARY:x", "all-day event", id="no date"),
        pytest.param("DTSTART;VALUE=DATE:2026122", "DTSTART", id="broken date"),
        pytest.param("DTSTART;VALUE=DATE:19000101", "years 1970 to 2199", id="too early"),
        pytest.param("DTSTART;VALUE=DATE:20261225|DTEND;VALUE=DATE:20261225", "whole days", id="no length"),
        pytest.param("DTSTART;VALUE=DATE:20260101|DTEND;VALUE=DATE:20280101", "whole days", id="two years"),
        pytest.param("DTSTART;VALUE=DATE:20260101|DURATION:PT5H", "whole days", id="hours"),
        pytest.param("DTSTART;VALUE=DATE:20260101|RRULE:FREQ=SECONDLY", "FREQ=YEARLY", id="every second"),
        pytest.param("DTSTART;VALUE=DATE:20260101|RRULE:FREQ=YEARLY;BYHOUR=1", "no parts but", id="unknown part"),
        pytest.param("DTSTART;VALUE=DATE:20260101|RRULE:FREQ=YEARLY;INTERVAL=0", "one or more", id="no interval"),
        pytest.param("DTSTART;VALUE=DATE:20260101|RRULE:FREQ=YEARLY;BYDAY=MO", "BYMONTH", id="every Monday"),
        pytest.param("DTSTART;VALUE=DATE:20260101|RDATE;VALUE=DATE:20260102", "not supported", id="added date"),
    ],
)
def test_what_is_no_holiday_is_named(event, said):
    with pytest.raises(InvalidInput) as caught:
        import_holidays(feed("DTSTART;VALUE=DATE:20261225", event))

    (fault,) = caught.value.faults
    assert fault.pointer == "/events/1"
    assert said in fault.message


@pytest.mark.parametrize("text", ["", "x", "BEGIN:VCALENDAR", feed(), "x" * (1 << 20 | 1)], ids=range(5))
def test_what_is_no_feed_is_refused(text):
    with pytest.raises(InvalidInput):
        import_holidays(text)


def test_a_feed_is_bounded():
    with pytest.raises(InvalidInput, match="at most 1000"):
        import_holidays(feed(*["DTSTART;VALUE=DATE:20261225"] * 1001))
    with pytest.raises(InvalidInput, match="at most 10000"):
        import_holidays(feed(*["DTSTART;VALUE=DATE:19700101|DTEND;VALUE=DATE:19710101|RRULE:FREQ=YEARLY"] * 2))


properties = st.sampled_from(
    ["DTSTART", "DTSTART;VALUE=DATE", "DTEND;VALUE=DATE", "RRULE", "EXDATE", "DURATION", "SUMMARY"]
)
values = st.sampled_from(["20261225", "20261225T090000Z", "FREQ=YEARLY", "FREQ=YEARLY;BYMONTH=13", "P1D", "-P1W"])
lines = st.builds("{}:{}".format, properties, values | st.text(st.characters(codec="ascii"), max_size=12))


@settings(deadline=None)
@given(st.lists(lines, max_size=4).map(lambda drawn: feed("|".join(drawn))) | st.text())
def test_any_text_is_holidays_or_invalid(text):
    try:
        assert import_holidays(text).dates
    except InvalidInput:
        return


def test_open_windows_are_exported_the_same_every_time():
    document = {"timezone": "Europe/Madrid", "hours": {"mon-fri": ["09:00-13:00", "14:00-17:30"]}}
    compiled = compile_calendar(parse_calendar(document))
    start, until = parse_instant("2026-05-04T00:00:00Z"), parse_instant("2026-05-05T00:00:00Z")

    text = export_calendar(compiled, start, until)

    events = icalendar.Calendar.from_ical(text).walk("VEVENT")
    assert [(event["DTSTART"].dt, event["DTEND"].dt) for event in events] == [
        (window.start, window.end) for window in compiled.windows(start, until)
    ]
    assert len({str(event["UID"]) for event in events}) == 2
    assert text == export_calendar(compiled, start, until)


def test_half_a_character_is_refused():
    event = ("BEGIN:VEVENT", "DTSTART;VALUE=DATE:20261225", "SUMMARY:\udcff", "END:VEVENT")
    with pytest.raises(InvalidInput, match="not an iCalendar text"):
        import_holidays("\r\n".join(["BEGIN:VCALENDAR", *event, "END:VCALENDAR"]))
