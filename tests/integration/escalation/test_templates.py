"""A desk's own words: checked when published, tried out before, and never a reason to lose a message."""

from uuid import UUID

from integration.escalation.alone import Desk

OWN = {
    "subject": {"es": "Recibido: {{ number }}", "en": "Received: {{ number }}"},
    "body": {
        "es": "Hola {{ contact }}, {% if severity == '1' %}es urgente{% else %}ya va{% endif %}: {{ description }}",
        "en": "Hello {{ contact }}: {{ description }}",
    },
}


async def receipt(desk: Desk, **given: object) -> dict:
    ticket: UUID = await desk.ticket("ireo", {"severity": "1"}, number="IRE-7", **given)
    (message,) = await desk.messages(ticket)
    return message


async def test_own_words_take_the_place_of_the_policy_s(own_desk: Desk) -> None:
    await own_desk.publish("ireo")
    html = {"es": "<p>Hola <b>{{ contact }}</b></p>", "en": "<p>{{ contact }}</p>"}
    await own_desk.admin.ok("PUT", "/v1/templates/receipt", json=OWN | {"html": html})

    message = await receipt(own_desk, contact_name="Ana & Eva")

    assert message["subject"] == "Recibido: IRE-7"
    assert message["body"] == "Hola Ana & Eva, es urgente: La taquilla no cobra"
    assert message["html"] == "<p>Hola <b>Ana &amp; Eva</b></p>"
    assert message["clauses"] == ["IRE-10"]


async def test_versions_count_and_can_be_given_back(own_desk: Desk) -> None:
    await own_desk.publish("ireo")

    first = await own_desk.admin.ok("PUT", "/v1/templates/receipt", json=OWN)
    same = await own_desk.admin.ok("PUT", "/v1/templates/receipt", json=OWN)
    other = OWN | {"subject": {"es": "Otro", "en": "Other"}}
    second = await own_desk.admin.ok("PUT", "/v1/templates/receipt", json=other)
    back = await own_desk.admin.ok("DELETE", "/v1/templates/receipt")

    assert [one["version"] for one in (first, same, second, back)] == [1, 1, 2, 3]
    assert back["words"] is None
    assert (await receipt(own_desk))["subject"] == "Ticket IRE-7 registrado"
    listed = (await own_desk.admin.ok("GET", "/v1/templates"))["items"]
    versions = {one["name"]: one["version"] for one in listed}
    assert (versions["receipt"], versions["closed"], versions["step"]) == (3, None, None)
    await own_desk.admin.refused(404, "DELETE", "/v1/templates/receipt")


async def test_faults_are_told_all_at_once_with_their_lines(own_desk: Desk) -> None:
    await own_desk.publish("ireo")
    wrong = {
        "subject": {"es": "{{ numero }}", "en": "ok"},
        "body": {"es": "a\nb {% for x in y %}{% endfor %}", "en": "a\n\n{{ open"},
    }

    problem = await own_desk.admin.refused(422, "PUT", "/v1/templates/receipt", json=wrong)

    assert [(one["pointer"], one["line"]) for one in problem["errors"]] == [
        ("/subject/es", 1),
        ("/body/es", 2),
        ("/body/en", 3),
    ]
    await own_desk.admin.refused(422, "POST", "/v1/templates/receipt/preview", json={"words": wrong})
    unknown = await own_desk.admin.refused(404, "PUT", "/v1/templates/recibo", json=OWN)
    assert "receipt" in unknown["detail"]
    await own_desk.clients["agent"].refused(403, "PUT", "/v1/templates/receipt", json=OWN)


async def test_a_preview_shows_a_ticket_or_a_sample_and_sends_nothing(own_desk: Desk) -> None:
    ticket = await own_desk.ticket("ireo", {"severity": "2"}, number="IRE-8")

    words = await own_desk.admin.ok(
        "POST", "/v1/templates/receipt/preview", json={"words": OWN, "ticket_id": str(ticket)}
    )
    sample = await own_desk.admin.ok("POST", "/v1/templates/receipt/preview")

    assert words["es"]["subject"] == "Recibido: IRE-8"
    assert words["es"]["body"] == "Hola Ana, ya va: La taquilla no cobra"
    assert words["en"]["body"] == "Hello Ana: La taquilla no cobra"
    assert sample["es"]["subject"] == "Ticket EXP-1042 registrado"
    assert sample["es"]["html"].startswith("<p>Alta: ")
    assert len(await own_desk.messages(ticket)) == 1


async def test_words_that_fail_when_used_never_lose_the_message(own_desk: Desk) -> None:
    await own_desk.publish("ireo")
    huge = OWN | {"body": {"es": "{{ description }}" * 400, "en": "x"}}
    await own_desk.admin.ok("PUT", "/v1/templates/receipt", json=huge)

    message = await receipt(own_desk, description="x" * 1000)

    assert message["subject"] == "Ticket IRE-7 registrado"
    assert message["state"] == "delivered"
    assert message["note"] == (
        "template receipt version 1: the result is longer than 200,000 characters; the policy's words were used"
    )
