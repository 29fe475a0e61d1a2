"""A message as an e-mail."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.domain.letter import Letter, numbered_subject, read_message_id, write_letter

MESSAGE = UUID("0198f0c2-7a10-7c3e-9b1d-2f6a5d3e4c14")
TICKET = UUID("0198f0c2-7a10-7c3e-9b1d-2f6a5d3e4c01")


def letter(**given: Any) -> Letter:
    ordinary = {
        "message_id": MESSAGE,
        "sender": "soporte@desk.example.com",
        "to": "ana@example.com",
        "subject": "Ticket IRE-7 registrado",
        "body": "Alta: 04/05/2026.\nDescripción: <b>año</b>\n\nGracias",
        "language": "es",
        "queued_at": datetime(2026, 5, 4, 13, 0, tzinfo=UTC),
        "ticket_id": TICKET,
        "ticket_number": "IRE-7",
    }
    return Letter(**(ordinary | given))


class TestWriteLetter:
    """Headers and parts."""

    def test_threads_by_ticket_under_an_id_of_its_own(self) -> None:
        mail = message_from_bytes(write_letter(letter()).as_bytes(), policy=default)

        assert mail["Message-ID"] == f"<{MESSAGE}@desk.example.com>"
        assert mail["In-Reply-To"] == mail["References"] == f"<ticket-{TICKET}@desk.example.com>"
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["Content-Language"] == "es"
        assert (mail["From"], mail["To"]) == ("soporte@desk.example.com", "ana@example.com")
        assert mail["Subject"] == "Ticket IRE-7 registrado"

    def test_says_the_same_as_text_and_as_markup(self) -> None:
        mail = message_from_bytes(write_letter(letter(link="https://d.example.com/a?b&c")).as_bytes(), policy=default)

        plain, markup = (part.get_content().replace("\r\n", "\n") for part in mail.iter_parts())

        assert plain == letter().body + "\n\nAcusar recibo: https://d.example.com/a?b&c\n"
        assert "<p>Alta: 04/05/2026.<br>Descripción: &lt;b&gt;año&lt;/b&gt;</p><p>Gracias</p>" in markup
        assert '<a href="https://d.example.com/a?b&amp;c">Acusar recibo</a>' in markup

    def test_is_the_same_each_time_but_for_the_boundary(self) -> None:
        once, again = write_letter(letter()), write_letter(letter())

        assert {key: value for key, value in once.items() if key != "Content-Type"} == {
            key: value for key, value in again.items() if key != "Content-Type"
        }

    @pytest.mark.parametrize("address", ["no address", "a@b@c", "x\r\nBcc: y@example.com"])
    def test_refuses_what_is_no_address(self, address: str) -> None:
        with pytest.raises(ValueError, match=r"addr|Address|newline"):
            write_letter(letter(to=address))

    @given(text=st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), max_size=300))
    def test_carries_any_text(self, text: str) -> None:
        mail = message_from_bytes(write_letter(letter(body=text, subject="s IRE-7")).as_bytes(), policy=default)

        plain = next(mail.iter_parts()).get_content()
        assert plain.replace("\r\n", "\n") == text + "\n"


@pytest.mark.parametrize(
    ("subject", "number", "shown"),
    [
        pytest.param("Ticket IRE-7 registrado", "IRE-7", "Ticket IRE-7 registrado", id="in it"),
        pytest.param("Registrado", "IRE-7", "[IRE-7] Registrado", id="not in it"),
        pytest.param("Política", None, "Política", id="about no ticket"),
    ],
)
def test_a_subject_has_the_number_of_its_ticket(subject: str, number: str | None, shown: str) -> None:
    assert numbered_subject(subject, number) == shown


@pytest.mark.parametrize(
    ("text", "is_ours"),
    [
        pytest.param(f"<{MESSAGE}@desk.example.com>", True, id="Message-ID"),
        pytest.param(f" {str(MESSAGE).upper()} ", True, id="bare"),
        pytest.param("<abc@example.com>", False, id="of others"),
        pytest.param(f"<ticket-{TICKET}@desk.example.com>", False, id="of a thread"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_a_message_is_known_by_its_message_id(text: str, is_ours: bool) -> None:
    assert read_message_id(text) == (MESSAGE if is_ours else None)
