"""The words of a message: the desk's own where it has published some, else the policy's."""

from collections.abc import Mapping
from dataclasses import dataclass

from escalation.domain.messages import Language, Words, render
from escalation.domain.templates import OwnWords, RenderFailed, fill_words
from escalation.repository.templates import TemplateVersion
from plazo.policy.handling import Template


@dataclass(frozen=True, slots=True)
class Wording:
    """A message as it is written; `note` says why the desk's own words were not used."""

    words: Words
    html: str | None = None
    note: str | None = None


def word_message(
    template: Template, values: Mapping[str, str], *, language: Language, own: TemplateVersion | None
) -> Wording:
    """Word a message. It is never lost for want of words: the policy's stand in for own words that fail."""
    note = None
    if own is not None and own.words is not None:
        try:
            words, html = fill_words(own_words(own.words, language), values)
        except RenderFailed as error:
            note = f"template {own.name} version {own.version}: {error}; the policy's words were used"
        else:
            return Wording(words, html)
    return Wording(render(template, values, language=language), note=note)


def own_words(words: Mapping[str, Mapping[str, str] | None], language: Language) -> OwnWords:
    """Return a desk's words in one language, from how they are kept."""
    subject, body, html = words["subject"], words["body"], words.get("html")
    assert subject is not None
    assert body is not None
    return OwnWords(subject=subject[language], body=body[language], html=html[language] if html else None)
