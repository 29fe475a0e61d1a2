"""What is new in a mail, in the ways that mail programs quote."""

import pytest

from tickets.domain.quoting import new_text, text_of_html

OUTLOOK_ES = "De: Soporte <s@example.com>\nEnviado: lunes, 2 de marzo de 2026 10:00\nPara: Ana\nAsunto: RE: x\n\nAntes"
OUTLOOK_EN = "From: Support <s@example.com>\nSent: Monday, March 2, 2026 10:00 AM\nTo: Ana\nSubject: RE: x\n\nBefore"


@pytest.mark.parametrize(
    ("text", "new"),
    [
        pytest.param("Hola\n\nEl lun, 2 mar 2026 a las 10:00, X <x@example.com> escribió:\n> a", "Hola", id="Gmail es"),
        pytest.param(
            "Hola\n\nEl lun, 2 mar 2026 a las 10:00, Soporte de la Casa\n<soporte@example.com>\nescribió:\n\n> a",
            "Hola",
            id="Gmail es, over three lines",
        ),
        pytest.param("Hi\n\nOn Mon, Mar 2, 2026 at 10:00 AM X <x@example.com> wrote:\n> a", "Hi", id="Gmail en"),
        pytest.param("Hi\n\nOn Mar 2, 2026, at 10:00, John Doe wrote:\n\n> a", "Hi", id="Apple, no address"),
        pytest.param("Hola\n\nEl lun, 4 may 2026, Soporte escribió:\n> a", "Hola", id="a day and a name"),
        pytest.param("Hola\n\nEl lunes Soporte escribió:\n\n> a", "Hola", id="a name, and a quotation follows"),
        pytest.param("Hola\n\nX <x@example.com> escribió el 2/3/26:\n> a", "Hola", id="name first"),
        pytest.param(f"Hola\n\n{OUTLOOK_ES}", "Hola", id="Outlook es"),
        pytest.param(f"Hi\n________________________________\n{OUTLOOK_EN}", "Hi", id="Outlook en, with its rule"),
        pytest.param("Hola\n\n-----Mensaje original-----\nDe: x", "Hola", id="original message es"),
        pytest.param("Hi\n\n-----Original Message-----\nFrom: x", "Hi", id="original message en"),
        pytest.param("Hola\n\nEnviado desde mi iPhone\n", "Hola", id="device es"),
        pytest.param("Hi\n\nGet Outlook for Android", "Hi", id="device en"),
        pytest.param("Hola\n-- \nAna Pérez\nEjemplo S.A.", "Hola", id="signature"),
        pytest.param("> pregunta\nrespuesta\n> otra\nsí", "respuesta\nsí", id="answers between"),
        pytest.param("> todo citado", "> todo citado", id="never to nothing"),
        pytest.param(OUTLOOK_ES, OUTLOOK_ES, id="forwarded as it is"),
        pytest.param("El servidor falla.\nEl usuario escribió:\n«no va»", None, id="a sentence that ends alike"),
        pytest.param(
            "El lunes falló\nEl lun, 2 mar 2026 10:00, X <x@y.es> escribió:\n> a", "El lunes falló", id="two beginnings"
        ),
        pytest.param("De: mi parte\nNo va nada", None, id="begins like a header"),
        pytest.param("Pasos:\n- uno\n- dos", None, id="a list"),
    ],
)
def test_new_text(text: str, new: str | None) -> None:
    assert new_text(text) == (text if new is None else new)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        pytest.param("<p>Hola&nbsp;Ana</p><p>Adi&oacute;s</p>", "Hola Ana\n\nAdiós", id="paragraphs"),
        pytest.param("<style>p{}</style><!-- x --><title>t</title>a", "a", id="nothing that is not shown"),
        pytest.param(
            'a<div class="gmail_quote">El lun<blockquote>b<br>c</blockquote></div>', "a\n> El lun\n> b\n> c", id="Gmail"
        ),
        pytest.param("a<blockquote>b<blockquote>c</blockquote>d</blockquote>e", "a\n> b\n> c\n> d\n>\ne", id="nested"),
        pytest.param("1 &lt; 2", "1 < 2", id="entities"),
        pytest.param("<ul><li>a</li><li>b</li></ul>", "a\n\nb", id="a list"),
    ],
)
def test_text_of_html(html: str, text: str) -> None:
    def tidy(lines: str) -> list[str]:
        return [line for line in lines.split("\n") if line.strip("> ")]

    assert tidy(text_of_html(html)) == tidy(text)
