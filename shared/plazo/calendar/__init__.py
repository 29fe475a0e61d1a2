"""Working time: calendars of a contract, what is due when, and why. Pure: no clock, no I/O."""

from plazo.calendar.document import calendar_document, parse_calendar
from plazo.calendar.model import ELAPSED, Calendar, CalendarVersion, Holiday, HolidayLayer, Window
from plazo.calendar.pause import Pause
from plazo.calendar.segments import Segment, SegmentKind
from plazo.calendar.target import Target, TargetKind, parse_target
from plazo.calendar.working_time import NeverDue, NotInForce, WorkingTime, compile_calendar
from plazo.calendar.zone import TZ_VERSION
from plazo.kernel.time import Period

__all__ = [
    "ELAPSED",
    "TZ_VERSION",
    "Calendar",
    "CalendarVersion",
    "Holiday",
    "HolidayLayer",
    "NeverDue",
    "NotInForce",
    "Pause",
    "Period",
    "Segment",
    "SegmentKind",
    "Target",
    "TargetKind",
    "Window",
    "WorkingTime",
    "calendar_document",
    "compile_calendar",
    "parse_calendar",
    "parse_target",
]
