"""What is new in a mail: quoted text and signatures cut, in Spanish and English. The whole is kept elsewhere."""

import re
from collections.abc import Sequence
from html import unescape

_LONGEST_HTML = 400_000  # characters; beyond, nobody wrote it by hand
_LONGEST_LINE = 600  # looked at; an attribution is shorter
_MOST_WRAPPED = 4

_ATTRIBUTION_START = re.compile(r"\s*(?:(?:El|On)\b|\S.{0,80}<[^<>\s]+@[^<>\s]+>)")
_ATTRIBUTION_OPENING = re.compile(r"\s*(?:El|On)\s+\S")
_ATTRIBUTION = re.compile(r"\s*\S.{5,500}?\b(?:escribi[oó]|wrote|ha escrito)\b[^:]{0,80}:\s*")
_WHEN_OR_WHO = re.compile(r"@|\b\d{1,2}[:.h]\d{2}\b|\b(?:19|20)\d{2}\b|\b\d{1,2}[/.-]\d{1,2}[/.-]\d{2}\b")
_ORIGINAL = re.compile(
    r"\s*[-_*\s]{2,}(?:mensaje original|original message|mensaje original de)[-_*\s]{2,}\s*", re.IGNORECASE
)
_BLOCK_FROM = re.compile(r"\s*\*?(?:De|From)\s*:\*?\s+\S", re.IGNORECASE)
_BLOCK_SENT = re.compile(r"\s*\*?(?:Enviado(?: el)?|Fecha|Sent|Date)\s*:\*?\s+\S", re.IGNORECASE)
_BLOCK_TO = re.compile(r"\s*\*?(?:Para|To|Asunto|Subject)\s*:\*?\s*\S", re.IGNORECASE)
_DEVICE = re.compile(
    r"\s*(?:Enviado (?:desde|con) (?:mi|el|un|Outlook|Yahoo|Proton|Gmail)|"
    r"Sent (?:from|with) (?:my|Outlook|Yahoo|Proton)|Obtener Outlook|Descargar Outlook|Get Outlook for)\b.{0,80}\s*",
    re.IGNORECASE,
)
_RULE = re.compile(r"\s*_{10,}\s*")
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9:]{0,30})([^<>]{0,4000})>")
_UNSEEN = re.compile(r"<(?:!--|(script|style|head|title|template)\b)", re.IGNORECASE)
_DECLARATION = re.compile(r"<[!?][^<>]{0,500}>")
_BLOCKS = frozenset(
    ("br", "p", "div", "li", "tr", "table", "ul", "ol", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "blockquote")
)


def new_text(text: str) -> str:
    """Return what the writer added: without the quoted mail, signature and device lines.

    Never cuts everything: a mail that is all quotation is returned whole.
    """
    lines = text.split("\n")
    end = next((place for place in range(len(lines)) if _begins_quotation(lines, place)), len(lines))
    said = [
        line
        for line in lines[:end]
        if not line.lstrip().startswith(">") and not _DEVICE.fullmatch(line[:_LONGEST_LINE])
    ]
    while said and (not said[-1].strip() or _RULE.fullmatch(said[-1][:_LONGEST_LINE])):
        said.pop()
    return "\n".join(said).strip() or text.strip()


def _begins_quotation(lines: Sequence[str], place: int) -> bool:
    line = lines[place][:_LONGEST_LINE]
    if line.rstrip() == "--" or _ORIGINAL.fullmatch(line):
        return True
    if _BLOCK_FROM.match(line):
        following = [one[:_LONGEST_LINE] for one in lines[place + 1 : place + 7]]
        return any(map(_BLOCK_SENT.match, following)) and any(map(_BLOCK_TO.match, following))
    return bool(_ATTRIBUTION_START.match(line)) and _is_attribution(lines, place)


def _is_attribution(lines: Sequence[str], place: int) -> bool:
    """Tell an attribution, which may be wrapped over a few lines, from a sentence that ends with «escribió:»."""
    joined = ""
    for number, line in enumerate(lines[place : place + _MOST_WRAPPED], place):
        if not line.strip() or (joined and _ATTRIBUTION_OPENING.match(line)):
            return False
        joined = f"{joined} {line[:_LONGEST_LINE].strip()}".strip()
        if _ATTRIBUTION.fullmatch(joined):
            following = next((one for one in lines[number + 1 : number + 3] if one.strip()), "")
            return following.lstrip().startswith(">") or bool(_WHEN_OR_WHO.search(joined))
    return False


def text_of_html(html: str) -> str:
    """Return the text of an HTML mail; what it quotes is marked with `>` at the beginning of its lines.

    Read tag by tag in one pass: the parsers at hand take minutes over tags that are never closed.
    """
    said: list[str] = []
    open_tags: list[str] = []  # those within a quotation
    place = 0
    html = _DECLARATION.sub("", _without_unseen(html[:_LONGEST_HTML]))
    for tag in _TAG.finditer(html):
        said.append(_marked(html[place : tag.start()], is_quoted=bool(open_tags)))
        place = tag.end()
        is_end, name, attributes = tag[1] == "/", tag[2].lower(), tag[3]
        if name in _BLOCKS:
            said.append(_marked("\n", is_quoted=bool(open_tags)))
        if is_end:
            if open_tags and open_tags[-1] == name:
                open_tags.pop()
                said.append("" if open_tags else "\n")
        elif (open_tags and name == open_tags[0]) or name == "blockquote" or "gmail_quote" in attributes:
            if not open_tags:
                said.append("\n> ")
            open_tags.append(name)
    said.append(_marked(html[place:], is_quoted=bool(open_tags)))
    return "\n".join(_lines("".join(said)))


def _without_unseen(html: str) -> str:
    """Return HTML without comments, scripts and styles; one that never ends hides the rest, as in a browser."""
    small = html.lower()
    seen: list[str] = []
    place = 0
    for opening in _UNSEEN.finditer(html):
        if opening.start() < place:
            continue
        seen.append(html[place : opening.start()])
        end = small.find(f"</{opening[1].lower()}" if opening[1] else "-->", opening.end())
        place = html.find(">", end) + 1 if end != -1 else 0
        if place == 0:
            return "".join(seen)
    return "".join([*seen, html[place:]])


def _marked(text: str, *, is_quoted: bool) -> str:
    try:
        text = unescape(text)
    except ValueError:  # a character's number of thousands of digits
        text = text.replace("&", " ")
    return text.replace("\n", "\n> ") if is_quoted else text


def _lines(text: str) -> list[str]:
    lines = (" ".join(line.split()) for line in text.replace("\xa0", " ").split("\n"))
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    return kept
