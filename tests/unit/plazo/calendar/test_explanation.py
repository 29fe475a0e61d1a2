from plazo.calendar import Pause, compile_calendar, parse_calendar
from plazo.calendar.explanation import render
from plazo.kernel.time import parse_instant

DOCUMENT = {
    "timezone": "Europe/Madrid",
    "hours": {"mon-thu": ["09:00-13:00", "14:00-17:30"], "sun": ["01:00-04:00"]},
    "holidays": [{"date": "2026-12-08", "name": "Inmaculada"}, "2026-12-09"],
}


def explain(start, end, language, pauses=()):
    segments = compile_calendar(parse_calendar(DOCUMENT)).explain(parse_instant(start), parse_instant(end), pauses)
    return render(segments, language=language, timezone="Europe/Madrid").splitlines()


def test_spanish_lines_by_local_day():
    pause = Pause(parse_instant("2026-12-07T09:00:00Z"), parse_instant("2026-12-07T13:30:00Z"), "espera al cliente")

    assert explain("2026-12-07T08:30:00Z", "2026-12-10T08:00:07.5Z", "es", [pause]) == [
        "Hora local: Europe/Madrid",
        "lunes 7 de diciembre de 2026",
        "  09:30–10:00  cuenta (30 min)",
        "  10:00–13:00  en pausa: espera al cliente (3 h)",
        "  13:00–14:00  cerrado",
        "  14:00–14:30  en pausa: espera al cliente (30 min)",
        "  14:30–17:30  cuenta (3 h)",
        "  17:30–24:00  cerrado",
        "martes 8 de diciembre de 2026",
        "  00:00–24:00  festivo: Inmaculada",
        "miércoles 9 de diciembre de 2026",
        "  00:00–24:00  festivo",
        "jueves 10 de diciembre de 2026",
        "  00:00–09:00  cerrado",
        "  09:00–09:00:07.5  cuenta (7.5 s)",
        "Tiempo contado: 3 h 30 min 7.5 s",
        "Tiempo en pausa: 3 h 30 min",
    ]


def test_english_tells_the_hour_read_twice_apart():
    assert explain("2026-10-24T22:00:00Z", "2026-10-25T05:00:00Z", "en") == [
        "Local time: Europe/Madrid",
        "Sunday 25 October 2026",
        "  00:00–01:00 (UTC+02:00)  closed",
        "  01:00–03:00 (UTC+02:00)  counted (2 h)",
        "  02:00–04:00 (UTC+01:00)  counted (2 h)",
        "  04:00–06:00 (UTC+01:00)  closed",
        "Time counted: 4 h",
    ]


def test_nothing_to_explain_counts_nothing():
    assert explain("2026-10-24T22:00:00Z", "2026-10-24T22:00:00Z", "en") == [
        "Local time: Europe/Madrid",
        "Time counted: 0 min",
    ]
