"""A desk's own words for the messages of its policies."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from escalation.schemas.words import Reference, Words
from plazo.runtime.inputs import Input, Prose, View

Subject = Annotated[Prose, StringConstraints(max_length=1000)]
Body = Annotated[Prose, StringConstraints(max_length=20_000)]


class SubjectWords(Input):
    """A subject in Spanish and English, as Jinja2."""

    es: Subject
    en: Subject


class BodyWords(Input):
    """A body in Spanish and English, as Jinja2."""

    es: Body
    en: Body


class TemplateWords(Input):
    """A desk's own words, in Jinja2: text, `{{ variables }}`, `{% if %}` and a few filters.

    `html` is the body as markup, in which values are escaped; without it the markup is made from the text.
    """

    subject: SubjectWords
    body: BodyWords
    html: BodyWords | None = None


class PreviewRequest(Input):
    """What to show: words not published yet, or else those in force; filled in from a ticket, or with samples."""

    words: TemplateWords | None = None
    ticket_id: Reference | None = None


class OwnTemplateView(View):
    """The words of a template that are the desk's own."""

    subject: Words
    body: Words
    html: Words | None = None


class TemplateView(View):
    """A template by its name in the policies. Without `words` those of each policy hold."""

    name: str
    version: int | None = Field(description="of the desk's own words; null where there never were any")
    words: OwnTemplateView | None
    published_at: datetime | None
    published_by: str | None
    variables: list[str] = Field(description="what its words may fill in")


class TemplatesView(View):
    """The templates that the policies of the desk name."""

    items: list[TemplateView]


class RenderedView(View):
    """A message as it would be sent."""

    subject: str
    body: str
    html: str


class PreviewView(View):
    """A template filled in, in both languages. `note` says why words are not the desk's own."""

    name: str
    ticket_id: UUID | None
    es: RenderedView
    en: RenderedView
    note: str | None
