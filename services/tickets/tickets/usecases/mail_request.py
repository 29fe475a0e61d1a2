"""A mail as a request: what it states, and the contract that its address means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from plazo.runtime.unit_of_work import Transaction
from tickets.domain.acceptance import Request, takes_mail_at
from tickets.domain.email import Mail, display_subject
from tickets.domain.secrecy import Cipher
from tickets.domain.stated import stated_in
from tickets.repository import intake, parties
from tickets.repository.contacts import Contact
from tickets.usecases.attaching import MailFiles
from tickets.usecases.opening import policy_for

LONGEST_DESCRIPTION = 90_000
_LONGEST_ORIGINAL = 200_000
_MOST_RECIPIENTS = 10


@dataclass(frozen=True, slots=True)
class Post:
    """A mail on its way in: `recipients` are whom the envelope names, else the headers; `files` are stored already.

    `cipher` knows the credentials that were entrusted with tickets, where this installation keeps any. `known_as` is
    the id of the mail here, once it is claimed.
    """

    mail: Mail
    recipients: tuple[str, ...]
    files: MailFiles
    cipher: Cipher | None = None
    known_as: str = ""

    @property
    def names(self) -> list[str]:
        """The names of its files, each once: as the sender gave them, and as they are kept."""
        given = [one.name for one in self.mail.attachments]
        kept = [one.name for one in self.files.stored]
        return list(dict.fromkeys([*given, *kept, *(name for name, _ in self.files.refused)]))

    def renamed(self, names: Mapping[str, str]) -> "Post":
        """Return it with its files under new names, given by the old ones."""
        attachments = tuple(replace(one, name=names[one.name]) for one in self.mail.attachments)
        stored = tuple(replace(one, name=names[one.name]) for one in self.files.stored)
        refused = tuple((names[name], reason.replace(name, names[name])) for name, reason in self.files.refused)
        files = replace(self.files, stored=stored, refused=refused)
        return replace(self, mail=replace(self.mail, attachments=attachments), files=files)


async def request_of(tx: Transaction, post: Post, contact: Contact | None) -> Request:
    """Return the mail as a request: its facts stated in the text, its address, and the contract that this means."""
    mail = post.mail
    request = Request(
        subject=display_subject(mail.subject),
        description=(mail.text or mail.subject or "—")[:LONGEST_DESCRIPTION],
        channel="email",
        contact_name=mail.sender_name,
        contact_email=mail.sender,
        is_vouched_for=False,
        sent_to=next(iter(post.recipients), None),
        contract_id=await _dedicated(tx, post.recipients, contact),
        source={"kind": "email", "message_id": mail.message_id}
        | ({"subject": mail.subject} if display_subject(mail.subject) != mail.subject else {}),
        original={
            "from": mail.sender,
            "to": list(post.recipients),
            "subject": mail.subject,
            "text": mail.whole_text[:_LONGEST_ORIGINAL],
            "message_id": mail.message_id,
            "attachments": [one.name for one in mail.attachments],
            "files": post.files.listed(),
        },
    )
    for address in post.recipients[:_MOST_RECIPIENTS]:
        policy = await policy_for(tx, request=replace(request, sent_to=address))
        if policy is not None and takes_mail_at(policy, address):
            request = replace(request, sent_to=address)
            break
    policy = await policy_for(tx, request=request)
    if policy is None:
        return request
    stated = stated_in(mail.text, policy)
    parts = stated.parts | _part_of_files(mail, [part.name for part in policy.intake.parts])
    return replace(request, facts=stated.facts, parts=parts)


async def _dedicated(tx: Transaction, recipients: Sequence[str], contact: Contact | None) -> UUID | None:
    """Return the contract that an address of the desk is for, unless the sender is another customer's."""
    for address in await intake.find_addresses(tx.connection, recipients):
        if address.contract_id is None:
            continue
        contract = await parties.find_contract(tx.connection, address.contract_id)
        if contract is not None and (contact is None or contact.customer_id == contract.customer_id):
            return contract.contract_id
    return None


def _part_of_files(mail: Mail, asked: Sequence[str]) -> dict[str, str]:
    """Return the parts that attached files are. PRO-22"""
    images = [one.name for one in mail.attachments if one.declared_type.startswith("image/")]
    return {"images": ", ".join(images)[:500]} if images and "images" in asked else {}
