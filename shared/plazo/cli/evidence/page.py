"""The evidence as a page to be read: one file, no script, nothing loaded from elsewhere."""

import base64
import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment
from markupsafe import Markup

from plazo.kernel.time import parse_instant

_WORDS: dict[str, dict[str, str]] = {
    "es": {
        "evidence": "Evidencia del ticket",
        "customer": "Cliente",
        "contract": "Contrato y versión",
        "state": "Estado",
        "opened": "Abierto",
        "closed": "Cerrado",
        "made": "Emitida",
        "clauses": "Cláusulas",
        "decisions": "Decisiones",
        "about": "Sobre",
        "value": "Decisión",
        "clocks": "Plazos",
        "due": "Vence",
        "timeline": "Cronología",
        "when": "Cuándo",
        "who": "Quién",
        "what": "Qué",
        "internal": "interno",
        "erased": "palabras suprimidas a petición de una persona",
        "charges": "Cargos",
        "quantity": "Cantidad",
        "escalations": "Escalamientos",
        "attachments": "Adjuntos",
        "policy": "Texto de la política aplicada",
        "none": "Ninguno",
        "times": "Horas locales de",
        "verify": "Para verificar este documento sin conexión, con el fichero JSON que lo acompaña",
    },
    "en": {
        "evidence": "Evidence of ticket",
        "customer": "Customer",
        "contract": "Contract and version",
        "state": "State",
        "opened": "Opened",
        "closed": "Closed",
        "made": "Issued",
        "clauses": "Clauses",
        "decisions": "Decisions",
        "about": "About",
        "value": "Decision",
        "clocks": "Deadlines",
        "due": "Due",
        "timeline": "Timeline",
        "when": "When",
        "who": "Who",
        "what": "What",
        "internal": "internal",
        "erased": "words erased at a person's request",
        "charges": "Charges",
        "quantity": "Quantity",
        "escalations": "Escalations",
        "attachments": "Attachments",
        "policy": "Text of the policy that was applied",
        "none": "None",
        "times": "Local times of",
        "verify": "To verify this document offline, with the JSON file beside it",
    },
}


def render_page(pack: Mapping[str, Any]) -> str:
    """Return a pack as a page in the contract's language, all times local to the policy's zone."""
    sections = pack["sections"]
    language = sections["policy"].get("language", "es")
    zone = ZoneInfo(sections["policy"].get("timezone", "UTC"))
    folder = files("plazo.cli.evidence")
    style = folder.joinpath("page.css").read_text("utf-8")

    def local(instant: str | None) -> str:
        return parse_instant(instant).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z") if instant else "—"

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["local"] = local
    template = environment.from_string(folder.joinpath("page.html.jinja").read_text("utf-8"))
    return template.render(
        pack=pack,
        sections=sections,
        language=language,
        words=_WORDS[language],
        zone=str(zone),
        policy_text=json.dumps(sections["policy"], indent=1, ensure_ascii=False),
        style=Markup(style),  # noqa: S704  # our own file
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )
