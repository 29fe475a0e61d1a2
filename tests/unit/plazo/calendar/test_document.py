from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plazo.calendar import Holiday, HolidayLayer, calendar_document, compile_calendar, parse_calendar
from plazo.calendar.model import WHOLE_DAY, Window
from plazo.calendar.zone import zone_names
from plazo.kernel.errors import InvalidInput
from plazo.kernel.time import parse_instant

WEEK = {"timezone": "Europe/Madrid", "hours": {"mon-fri": ["09:00-17:30"]}}
LAYERS = {"es-md": HolidayLayer("es-md", "Madrid 2026", {date(2026, 5, 2): "Comunidad", date(2026, 12, 25): "Navidad"})}


def faults_of(document, layers=LAYERS):
    with pytest.raises(InvalidInput) as caught:
        parse_calendar(document, layers=layers)
    return [(fault.pointer, fault.message) for fault in caught.value.faults]


def test_days_are_named_alone_in_ranges_and_in_lists():
    hours = {"mon-tue,sun": ["09:00-13:00"], "wed": ["00:00-24:00"], "fri": ["22:00-06:00", "10:00-12:00"], "sat": []}

    (version,) = parse_calendar({"timezone": "UTC", "hours": hours}).versions

    morning = (Window(540, 780),)
    assert version.hours == (morning, morning, WHOLE_DAY, (), (Window(600, 720), Window(1320, 1800)), (), morning)


def test_a_range_may_run_over_the_end_of_the_week():
    (version,) = parse_calendar({"timezone": "UTC", "hours": {"sat-mon": ["09:00-13:00"]}}).versions

    assert [bool(windows) for windows in version.hours] == [True, False, False, False, False, True, True]


def test_holidays_come_from_dates_objects_and_layers_and_one_added_twice_is_one():
    holidays = [
        "2026-12-25",
        {"date": "2026-05-15", "name": "San Isidro", "source": "local"},
        {"layer": "es-md"},
        "2026-05-15",
    ]

    (version,) = parse_calendar({**WEEK, "holidays": holidays}, layers=LAYERS).versions

    assert version.holidays == (
        Holiday(date(2026, 5, 2), "Comunidad", "Madrid 2026"),
        Holiday(date(2026, 5, 15), "San Isidro", "local"),
        Holiday(date(2026, 12, 25), "Navidad", "Madrid 2026"),  # the first that has a name
    )


def test_dates_may_be_dates_as_yaml_reads_them():
    spelled = parse_calendar({**WEEK, "holidays": ["2026-12-25"], "days": {"2026-12-24": ["09:00-12:00"]}})

    assert (
        parse_calendar({**WEEK, "holidays": [date(2026, 12, 25)], "days": {date(2026, 12, 24): ["09:00-12:00"]}})
        == spelled
    )


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(WEEK, id="plain"),
        pytest.param({"timezone": "-04:00", "hours": "24x7"}, id="24x7, fixed offset"),
        pytest.param(
            {**WEEK, "holidays": [{"layer": "es-md"}, "2026-01-01"], "effective_from": "2024-01-01"}, id="layer"
        ),
        pytest.param({**WEEK, "days": {"2026-12-24": ["09:00-12:00"], "2026-12-25": []}}, id="days"),
        pytest.param(
            {"timezone": "UTC", "hours": {"fri": ["22:00-06:00", "18:00-20:00"], "sun": ["18:00-24:00"]}}, id="night"
        ),
        pytest.param(
            {
                "timezone": "Europe/Madrid",
                "versions": [{"hours": "24x7"}, {"hours": {"mon": ["09:00-10:00"]}, "effective_from": "2026-07-01"}],
            },
            id="versions",
        ),
    ],
)
def test_the_canonical_document_reads_back_without_the_layers(document):
    calendar = parse_calendar(document, layers=LAYERS)

    written = calendar_document(calendar)

    assert parse_calendar(written) == calendar
    assert calendar_document(parse_calendar(written)) == written
    assert hash(parse_calendar(written)) == hash(calendar)


@pytest.mark.parametrize(
    ("change", "pointer", "said"),
    [
        pytest.param({"timezone": "Europe/Madird"}, "/timezone", "unknown time zone", id="unknown zone"),
        pytest.param({"timezone": "../../etc/passwd"}, "/timezone", "unknown time zone", id="a path for a zone"),
        pytest.param({"timezone": "Europe"}, "/timezone", "unknown time zone", id="a folder for a zone"),
        pytest.param({"timezone": "-24:00"}, "/timezone", "unknown time zone", id="impossible offset"),
        pytest.param({"timezone": None}, "/timezone", "not nothing", id="no zone"),
        pytest.param({"hours": None}, "/hours", "not nothing", id="no hours"),
        pytest.param({"hours": "8x5"}, "/hours", "24x7", id="unknown shorthand"),
        pytest.param({"hours": {"lun": ["09:00-13:00"]}}, "/hours/lun", "unknown day 'lun'", id="unknown day"),
        pytest.param({"hours": {"mon-": ["09:00-13:00"]}}, "/hours/mon-", "unknown day", id="half a range"),
        pytest.param({"hours": {"mon": "09:00-13:00"}}, "/hours/mon", "list of windows", id="a text for a list"),
        pytest.param(
            {"hours": {"mon": [f"{hour:02}:00-{hour:02}:30" for hour in range(13)]}},
            "/hours/mon",
            "at most 12 windows a day, not 13",
            id="more windows than a day has use for",
        ),
        pytest.param({"hours": {"mon": ["9-13"]}}, "/hours/mon/0", "expected a window", id="no window"),
        pytest.param({"hours": {"mon": ["24:00-06:00"]}}, "/hours/mon/0", "expected a window", id="opens at 24:00"),
        pytest.param({"hours": {"mon": ["09:00-25:00"]}}, "/hours/mon/0", "expected a window", id="closes at 25:00"),
        pytest.param({"hours": {"mon": ["09:00-09:00"]}}, "/hours/mon/0", "no length", id="no length"),
        pytest.param(
            {"hours": {"mon": ["09:00-13:00", "12:00-14:00"]}}, "/hours/mon/1", "overlaps 09:00", id="overlap"
        ),
        pytest.param(
            {"hours": {"mon": ["22:00-06:00"], "tue": ["05:00-09:00"]}}, "/hours/tue", "overlaps 22:00", id="overnight"
        ),
        pytest.param(
            {"hours": {"sun": ["22:00-06:00"], "mon": ["05:00-09:00"]}}, "/hours/mon", "of sun", id="over the week"
        ),
        pytest.param(
            {"hours": {"mon-wed": ["09:00-10:00"], "tue": []}}, "/hours/tue", "more than once", id="a day twice"
        ),
        pytest.param({"hours": {}}, "/hours", "never opens", id="never opens"),
        pytest.param(
            {"hours": {"mon": []}, "days": {"2026-05-04": []}}, "/hours", "never opens", id="no windows at all"
        ),
        pytest.param({"holidays": ["2026-02-30"]}, "/holidays/0", "does not exist", id="30 February"),
        pytest.param({"holidays": ["25/12/2026"]}, "/holidays/0", "expected a date", id="another form of date"),
        pytest.param({"holidays": ["2200-01-01"]}, "/holidays/0", "years 1970 to 2199", id="far date"),
        pytest.param({"holidays": [{"name": "x"}]}, "/holidays/0/date", "not nothing", id="no date"),
        pytest.param({"holidays": [{"date": "2026-01-01", "name": 1}]}, "/holidays/0/name", "expected text", id="name"),
        pytest.param({"holidays": [{"layer": "es-vc"}]}, "/holidays/0/layer", "one of them: es-md", id="unknown layer"),
        pytest.param({"holidays": {}}, "/holidays", "list of holidays", id="no list"),
        pytest.param({"days": []}, "/days", "object from dates", id="days as a list"),
        pytest.param({"days": {"soon": []}}, "/days/soon", "expected a date", id="bad day"),
        pytest.param(
            {"hours": {"thu": ["22:00-06:00"]}, "days": {"2026-05-15": ["05:00-09:00"]}},
            "/days/2026-05-15",
            "over midnight of 2026-05-14",
            id="a day overlaps the night before",
        ),
        pytest.param(
            {"days": {"2026-05-14": ["22:00-10:00"]}}, "/days/2026-05-14", "overlaps the next", id="a night too long"
        ),
        pytest.param({"effective_from": "x"}, "/effective_from", "expected a date", id="bad start"),
        pytest.param({"a/b~c": 1}, "/a~1b~0c", "unknown field", id="unknown field"),
    ],
)
def test_a_fault_is_named_where_it_is(change, pointer, said):
    ((at, message),) = faults_of({**WEEK, **change})

    assert at == pointer
    assert said in message


@pytest.mark.parametrize(
    ("versions", "pointer", "said"),
    [
        pytest.param([], "/versions", "at least one", id="none"),
        pytest.param([1], "/versions/0", "version object", id="no object"),
        pytest.param(
            [{"hours": "24x7"}, {"hours": "24x7"}], "/versions/1/effective_from", "only the first", id="no date"
        ),
        pytest.param(
            [{"hours": "24x7", "effective_from": "2026-07-01"}, {"hours": "24x7", "effective_from": "2026-07-01"}],
            "/versions/1/effective_from",
            "later than",
            id="the same date",
        ),
        pytest.param(
            [{"hours": "24x7", "timezone": "UTC"}], "/versions/0/timezone", "unknown field", id="a zone of its own"
        ),
        pytest.param([{"hours": {}}], "/versions/0/hours", "never opens", id="a version that never opens"),
    ],
)
def test_a_fault_of_a_version_is_named_where_it_is(versions, pointer, said):
    faults = faults_of({"timezone": "UTC", "versions": versions})

    assert faults[0][0] == pointer
    assert said in faults[0][1]


def test_all_faults_come_at_once():
    document = {
        "timezone": "Mars/Olympus",
        "hours": {"mon": ["09:00-09:00", "x"], "foo": []},
        "holidays": ["x", {"layer": "y"}],
        "days": {"2026-01-01": [3]},
        "surprise": 1,
    }

    assert sorted(pointer for pointer, _ in faults_of(document)) == [
        "/days/2026-01-01/0", "/holidays/0", "/holidays/1/layer", "/hours/foo", "/hours/mon/0", "/hours/mon/1",
        "/surprise", "/timezone",
    ]  # fmt: skip


def test_a_date_both_holiday_and_day_follows_the_day():
    day = "2026-12-24"
    both = compile_calendar(parse_calendar({**WEEK, "holidays": [day], "days": {day: ["09:00-12:00"]}}))
    start = parse_instant(f"{day}T00:00:00Z")

    segments = both.explain(start, start + timedelta(hours=22))

    assert both.working_time(start, start + timedelta(hours=22)) == timedelta(hours=3)
    assert {segment.reason for segment in segments} == {None}


json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["09:00-17:00", "2026-12-25", "24x7"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["mon", "tue-fri", "2026-12-25", "date", "layer"]) | st.text(max_size=5), inner, max_size=3
        )
    ),
    max_leaves=12,
)
fields = st.sampled_from(["timezone", "hours", "holidays", "days", "effective_from", "versions"])


@settings(deadline=None, max_examples=120)
@given(st.dictionaries(fields, json | st.just("Europe/Madrid"), max_size=6) | json)
def test_any_document_is_a_calendar_that_reads_back_or_invalid(document):
    try:
        calendar = parse_calendar(document)
    except InvalidInput:
        return
    assert parse_calendar(calendar_document(calendar)) == calendar


def test_every_zone_name_can_be_a_calendar():
    assert len(zone_names()) > 400
    for name in sorted(zone_names())[::40]:
        assert compile_calendar(parse_calendar({"timezone": name, "hours": "24x7"})).zone
