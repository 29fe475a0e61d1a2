"""Mail as people write it, and a desk that knows who writes."""

from email.message import EmailMessage
from typing import Any

from harness import Client, DeskUnderTest

MAIL = {"Content-Type": "message/rfc822"}


def write(**fields: Any) -> bytes:
    """Return a mail as it travels; `headers` are added."""
    mail = EmailMessage()
    mail["From"] = fields.pop("sender", "Ana Pérez <ana@example.com>")
    mail["To"] = fields.pop("to", "support@ireo.example.com")
    mail["Subject"] = fields.pop("subject", "No arranca")
    mail["Date"] = "Mon, 04 May 2026 15:00:00 +0200"
    if message_id := fields.pop("message_id", "one@example.com"):
        mail["Message-ID"] = f"<{message_id}>"
    for name, value in fields.pop("headers", {}).items():
        mail[name] = value
    mail.set_content(fields.pop("text", "No arranca desde hoy.\n"))
    for name, content in fields.pop("files", {}).items():
        mail.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    assert not fields
    return mail.as_bytes()


async def post(client: Client, raw: bytes) -> dict[str, Any]:
    """Hand a mail in."""
    answer: dict[str, Any] = await client.ok("POST", "/v1/intake/email", content=raw, headers=MAIL)
    return answer


async def known_contact(
    desk: DeskUnderTest, policy: str, *, plan: str | None = None, authorized: bool = True, **terms: Any
) -> dict[str, Any]:
    """Publish a policy, and register a customer under it whose contact is ana@example.com; returns the contract."""
    await desk.publish(policy)
    contract = await desk.customer(policy, plan=plan, **terms)
    contact = {"customer_id": contract["customer_id"], "name": "Ana Pérez", "emails": ["ana@example.com"]}
    await desk.admin.ok("POST", "/v1/contacts", json=contact | {"authorized": authorized})
    return contract
