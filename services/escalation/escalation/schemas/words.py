"""Words that several schemas use."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StrictInt, StringConstraints

from plazo.runtime.inputs import View

Reference = Annotated[UUID, Field(strict=False)]
Email = Annotated[str, StringConstraints(max_length=254, pattern=r"^[^@\s\x00]+@[^@\s\x00]+$")]
Level = Annotated[StrictInt, Field(ge=1, le=9)]
TeamName = Annotated[
    str,
    StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9_.:-]*/)?[A-Za-z0-9][A-Za-z0-9_.:-]*$", max_length=200),
    Field(examples=["support", "prodequa/support"]),
]
Teams = Annotated[tuple[TeamName, ...], Field(max_length=50, strict=False)]
Levels = Annotated[tuple[Level, ...], Field(max_length=9, strict=False)]
Languages = Annotated[
    tuple[Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")], ...], Field(max_length=20, strict=False)
]
StaffRole = Literal[
    "consultant", "team_lead", "project_manager", "executive", "manager", "administrator", "assignee", "team"
]
HeldRole = Literal["team_lead", "project_manager", "executive", "manager", "administrator"]
Roles = Annotated[tuple[HeldRole, ...], Field(max_length=5, strict=False)]
EscalationState = Literal["running", "completed", "stopped"]
MessageState = Literal["queued", "sent", "delivered", "digested", "failed", "dead"]


class Words(View):
    """The same in Spanish and English."""

    es: str
    en: str
