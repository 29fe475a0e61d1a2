"""What a text states of the facts and parts that a policy asks for. SMA-04"""

import pytest

from plazo.policies import policy_text
from plazo.policy.load import load_policy
from tickets.domain.stated import stated_in

SMARTCLOUD = load_policy(policy_text("smartcloud"))


@pytest.mark.parametrize(
    ("text", "facts", "parts"),
    [
        pytest.param("Prioridad sugerida: P2", {"suggested_priority": "P2"}, {}, id="the fact, in Spanish"),
        pytest.param("suggested priority = p2", {"suggested_priority": "P2"}, {}, id="in English, small"),
        pytest.param("- La prioridad sugerida: Prioridad 1, crítica", {}, {}, id="no such label"),
        pytest.param("Prioridad: Prioridad 1, crítica", {"suggested_priority": "P1"}, {}, id="the grade's text"),
        pytest.param("IMPACTO PARA EL NEGOCIO: material", {"business_impact": "material"}, {}, id="capitals"),
        pytest.param(
            "¿Qué impacto tiene en el negocio?: Important", {"business_impact": "important"}, {}, id="the question"
        ),
        pytest.param("Impacto: enorme", {}, {}, id="a value that is none"),
        pytest.param("Is solving it a shared responsibility?: sí", {"shared_responsibility": True}, {}, id="yes"),
        pytest.param("Resultados esperados: que salga", {}, {"expected_result": "que salga"}, id="a part"),
        pytest.param("Categoría: correo", {"category": "correo"}, {}, id="open text"),
        pytest.param("Prioridad: P1\nPrioridad: P2", {"suggested_priority": "P1"}, {}, id="the first counts"),
        pytest.param("El error es: P1\nhttp://x: y", {}, {}, id="nothing"),
        pytest.param("\n" * 100 + "Prioridad: P1", {}, {}, id="far below"),
    ],
)
def test_stated_in(text: str, facts: dict[str, object], parts: dict[str, str]) -> None:
    stated = stated_in(text, SMARTCLOUD)
    assert (stated.facts, stated.parts) == (facts, parts)
