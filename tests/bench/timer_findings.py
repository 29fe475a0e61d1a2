"""What the timers part finds, and how it is told."""

from dataclasses import dataclass, field

import numpy as np

from bench.figures import Bar, Chart, Goal, Report, Spread, Table, ratio, show, times

ARMED = 1_000_000
FEW = 10_000
BURST = 20_000
STEADY, BUSY, AT_ONCE = "100 a second", "1,000 a second", f"{BURST:,} at one instant"


@dataclass
class Course:
    """What happened to timers that fell due: milliseconds from due to committed, sorted, in each round."""

    service: list[list[float]] = field(default_factory=list)
    bare: list[list[float]] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)  # µs of the service's process a timer

    def service_at(self, percent: float) -> Spread:
        """Return a percentile of the service's lag over the rounds."""
        return _percentile(self.service, percent)

    def bare_at(self, percent: float) -> Spread:
        """Return a percentile of the bare loop's lag over the rounds."""
        return _percentile(self.bare, percent)


@dataclass
class Found:
    """All that is measured on one stage."""

    looks: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    courses: dict[str, Course] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    arming: dict[str, list[float]] = field(default_factory=dict)
    sizes: dict[str, float] = field(default_factory=dict)


def _percentile(rounds: list[list[float]], percent: float) -> Spread:
    return Spread.of([float(np.percentile(lags, percent)) for lags in rounds])


def write_report(found: Found) -> Report:
    """Tell what was found."""
    return Report(
        part="timers",
        goals=tuple(_goals(found)),
        tables=(_lag_table(found), _cost_table(found), _memory_table(found)),
        charts=(_chart(found),),
    )


def _goals(found: Found) -> list[Goal]:
    many, few = f"{ARMED:,} armed", f"{FEW:,} armed"
    steady, busy, burst = (found.courses[name] for name in (STEADY, BUSY, AT_ONCE))
    half, most = steady.service_at(50), steady.service_at(99)
    flat = ratio(found.looks[many]["service"], found.looks[few]["service"])
    last = burst.service_at(100)
    growth = found.memory[many] - found.memory["at rest"]
    return [
        Goal("G8", "1,000,000 armed, 100 due a second: lag p50", f"{half} ms", "<= 3 ms", half.middle <= 3),
        Goal("G8", "the same, p99", f"{most} ms", "<= 15 ms", most.middle <= 15),
        Goal("G8", "ten times as many: 1,000 due a second: lag p50", f"{busy.service_at(50)} ms", "<= 3 ms",
             busy.service_at(50).middle <= 3),
        Goal("G8", "the same, p99", f"{busy.service_at(99)} ms", "<= 15 ms", busy.service_at(99).middle <= 15),
        Goal("G9", "20,000 due at one instant: last breach committed", f"{last} ms", "<= 800 ms", last.middle <= 800),
        Goal("G12", "idle look, 1,000,000 against 10,000 armed", times(flat), "<= 1.3x", flat.middle <= 1.3),
        Goal("G14", "memory of the process at rest", f"{found.memory['at rest']:.0f} MiB", "<= 120 MiB",
             found.memory["at rest"] <= 120),
        Goal("G14", "memory gained by 1,000,000 armed clocks", f"{growth:.1f} MiB", "<= 5 MiB", growth <= 5),
    ]  # fmt: skip


def _lag_table(found: Found) -> Table:
    rows = []
    for name, course in found.courses.items():
        lag = ratio([float(np.percentile(one, 50)) for one in course.service],
                    [float(np.percentile(one, 50)) for one in course.bare])  # fmt: skip
        rows += [
            (f"{name}: service", *(str(course.service_at(percent)) for percent in (50, 99, 100)), times(lag)),
            (f"{name}: bare loop", *(str(course.bare_at(percent)) for percent in (50, 99, 100)), "1"),
        ]
    columns = ("due", "p50 ms", "p99 ms", "last ms", "p50 to the bare loop's")
    return Table("Lag from the due instant to the commit of the breach with its event, ms", columns, tuple(rows))


def _cost_table(found: Found) -> Table:
    burst = found.courses[AT_ONCE]
    rates = {name: Spread.of([BURST / max(one) * 1000 for one in getattr(burst, name)]) for name in ("service", "bare")}
    looks = {name: found.looks[f"{ARMED:,} armed"][name] for name in ("service", "bare")}
    arming = found.arming
    rows = [
        ("idle look at 1,000,000 armed, ms", Spread.of(looks["service"]), Spread.of(looks["bare"]),
         ratio(looks["service"], looks["bare"])),
        ("idle look at 10,000 armed, ms", *_pair(found.looks[f"{FEW:,} armed"])),
        ("armed one by one, a second", *_pair(arming)),
        ("armed by COPY, a second", *_pair({name: arming[f"{name} by COPY"] for name in ("service", "bare")})),
        ("fired in the burst, a second", rates["service"], rates["bare"],
         ratio([BURST / max(one) for one in burst.service], [BURST / max(one) for one in burst.bare])),
    ]  # fmt: skip
    text = tuple((name, str(service), str(bare), times(lead)) for name, service, bare, lead in rows)
    return Table("What it costs", ("step", "service", "bare", "ratio"), text)


def _pair(taken: dict[str, list[float]]) -> tuple[Spread, Spread, Spread]:
    service, bare = taken["service"], taken["bare"]
    return Spread.of(service), Spread.of(bare), ratio(service, bare)


def _memory_table(found: Found) -> Table:
    rows = [(f"the service's process, {when}", f"{mib:.0f} MiB") for when, mib in found.memory.items()]
    rows += [(f"{name}: tables and indexes of 1,000,000 armed", f"{mib:,.0f} MiB") for name, mib in found.sizes.items()]
    rows += [
        (f"processor time of the process a breach, {name}", f"{show(Spread.of(course.processor).middle)} µs")
        for name, course in found.courses.items()
    ]
    return Table("Memory and processor", ("what", "how much"), tuple(rows))


def _chart(found: Found) -> Chart:
    groups = tuple(
        (
            name,
            tuple(
                Bar(f"{who}, {label}", at(percent), who == "service")
                for label, percent in (("p50", 50), ("p99", 99), ("last", 100))
                for who, at in (("service", course.service_at), ("bare loop", course.bare_at))
            ),
        )
        for name, course in found.courses.items()
    )
    return Chart("timers-lag", "From the due instant to the committed breach", "ms", groups)
