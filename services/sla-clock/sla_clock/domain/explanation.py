"""Why a clock is due when it is: what counted, what did not, and who ordered it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from plazo.calendar import Segment, SegmentKind, parse_target
from plazo.calendar.explanation import Language, describe_target, length_text, render
from plazo.kernel.time import LAST_YEAR, SECOND, format_instant
from plazo.policy import reading_of
from plazo.policy.rules import Reading
from sla_clock.domain.clock import Clock
from sla_clock.domain.terms import Verdict
from sla_clock.domain.words import CAUSES, DOCUMENTS, LINES, STATES, TITLES


@dataclass(frozen=True, slots=True)
class Explanation:
    """The account of one clock: every instant between where its counting begins and `until` is in a segment.

    `credited` is what counted as used before `counted_from`, by a change that carried its share over. `verdicts` say
    which document spoke about what. SKE-12
    """

    clock: Clock
    verdicts: tuple[Verdict, ...]
    reading: Reading | None
    timezone: str
    counted_from: datetime
    until: datetime
    credited: timedelta
    counted: timedelta
    paused: timedelta
    segments: tuple[Segment, ...]

    @property
    def source(self) -> str:
        """What decided the target."""
        return self.verdicts[0].source


def explain(clock: Clock, *, at: datetime) -> Explanation:
    """Account for a clock: up to its stop, its due instant, or `at` while that is open."""
    course = clock.course
    until = max(clock.stopped_at or clock.due_at or at, course.counted_from)
    segments = tuple(course.working.explain(course.counted_from, until, clock.pauses))
    return Explanation(
        clock=clock,
        verdicts=clock.terms.verdicts(clock.kind, clock.promise),
        reading=_reading(clock),
        timezone=clock.terms.policy.timezone if clock.promise.calendar is None else course.working.calendar.timezone,
        counted_from=course.counted_from,
        until=until,
        credited=timedelta(microseconds=course.credit),
        counted=_length(segments, SegmentKind.COUNTED),
        paused=_length(segments, SegmentKind.PAUSED),
        segments=segments,
    )


def _reading(clock: Clock) -> Reading | None:
    """Return the reading that the rule, or else its calendar, was given where the contract is silent."""
    if clock.promise.rule is None:
        return None
    policy = clock.terms.rules
    rule = policy.targets[clock.promise.rule]
    entry = policy.calendars.get(rule.calendar or "")
    return reading_of(policy, rule.reading) or (reading_of(policy, entry.reading) if entry else None)


def _length(segments: tuple[Segment, ...], kind: SegmentKind) -> timedelta:
    return sum((segment.length for segment in segments if segment.kind is kind), timedelta())


def explanation_text(explanation: Explanation, language: Language) -> str:
    """Write an explanation as text for people, fit to be annexed to a complaint; instants of the head are UTC."""
    words, clock = LINES[language], explanation.clock
    promise = clock.promise
    lines = [
        words["title"].format(
            title=TITLES[language][clock.kind], cycle=clock.cycle, state=STATES[language][clock.state]
        )
    ]
    if promise.target is not None:
        lines.append(words["target"].format(target=describe_target(parse_target(promise.target), language)))
    if promise.calendar is not None:
        lines.append(words["calendar"].format(calendar=promise.calendar, zone=explanation.timezone))
    lines.append(words["clauses"].format(clauses=", ".join(promise.clauses)))
    target, *others = explanation.verdicts
    lines.append(words["source"].format(document=DOCUMENTS[language][target.by], source=target.source))
    lines += [words[one.about].format(document=DOCUMENTS[language][one.by], source=one.source) for one in others]
    lines.append(words[promise.commitment])
    if explanation.reading is not None:
        lines.append(words["reading"].format(choice=explanation.reading.choice, why=explanation.reading.why))
    lines.append(words["started_at"].format(at=format_instant(clock.started_at)))
    if clock.due_at is not None:
        lines.append(words["due_at"].format(at=format_instant(clock.due_at)))
    elif clock.is_running:
        lines.append(words["unknown" if clock.state == "paused" else "never"].format(year=LAST_YEAR + 1))
    ends = {"stopped_at": clock.stopped_at, "breached_at": clock.breached_at}
    lines += [words[name].format(at=format_instant(at)) for name, at in ends.items() if at is not None]
    if explanation.credited:
        length = length_text(explanation.credited)
        lines.append(words["credited"].format(at=format_instant(explanation.counted_from), length=length))
    lines += _history_lines(clock, language)
    named = [_named(segment, language) for segment in explanation.segments]
    return (
        "\n".join(line for line in lines if line)
        + "\n\n"
        + render(named, language=language, timezone=explanation.timezone)
    )


def _history_lines(clock: Clock, language: Language) -> list[str]:
    words = LINES[language]
    if len(clock.history) < 2:
        return []
    return [words["history"]] + [
        words["change"].format(
            at=format_instant(change.at),
            due=format_instant(change.due_at) if change.due_at else words["open"],
            because=CAUSES[language][change.because],
        )
        for change in clock.history
    ]


def _named(segment: Segment, language: Language) -> Segment:
    """Return a paused segment with its causes in words."""
    if segment.kind is not SegmentKind.PAUSED or not segment.reason:
        return segment
    causes = [CAUSES[language].get(cause, cause) for cause in segment.reason.split("; ")]
    return Segment(segment.start, segment.end, segment.kind, "; ".join(causes))


def seconds_of(length: timedelta) -> int | float:
    """Return a length in seconds: whole where it is whole, exact to the microsecond otherwise."""
    return seconds_of_micros(length // timedelta(microseconds=1))


def seconds_of_micros(micros: int) -> int | float:
    """Return microseconds in seconds, as :func:`seconds_of` does."""
    return micros // SECOND if micros % SECOND == 0 else micros / SECOND
