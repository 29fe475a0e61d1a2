"""The pure rules of the dossier: files, secrets, forgetting, the queue's grades."""

import base64
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plazo.kernel.forgetting import Person
from plazo.policies import policy_text
from plazo.policy.load import load_policy
from tickets.domain.attachments import LONGEST_NAME, Limits, TypeRefused, clean_name, clean_type, judge_type
from tickets.domain.queue import LAST, queue_rank
from tickets.domain.secrecy import Cipher, Mark, NoKey, parse_keys

LIMITS = Limits(file_bytes=100, ticket_bytes=200)
DESK, TICKET, SECRET = UUID(int=1), UUID(int=2), UUID(int=3)
OLD, NEW = base64.b64encode(b"1" * 32).decode(), base64.b64encode(b"2" * 32).decode()


class TestFiles:
    @pytest.mark.parametrize(
        ("name", "clean"),
        [
            pytest.param("../../etc/passwd", "passwd", id="folders"),
            pytest.param("C:\\Users\\Ana\\a b.png", "a b.png", id="windows"),
            pytest.param("a\r\nSet-Cookie: x\x00.txt", "aSet-Cookie: x.txt", id="control characters"),
            pytest.param("gpj.\u202eexe", "gpj.exe", id="reversed text"),
            pytest.param("...", "attachment", id="dots"),
            pytest.param(None, "attachment", id="none"),
        ],
    )
    def test_names(self, name: str | None, clean: str):
        assert clean_name(name) == clean

    @given(st.text())
    def test_any_name_becomes_one(self, name: str):
        clean = clean_name(name)
        assert 1 <= len(clean) <= LONGEST_NAME
        assert not set(clean) & set("/\\\r\n\x00")

    @pytest.mark.parametrize(
        ("declared", "clean"),
        [
            ("Image/PNG; charset=x", "image/png"),
            ("nonsense", "application/octet-stream"),
            (None, "application/octet-stream"),
        ],
    )
    def test_types(self, declared: str | None, clean: str):
        assert clean_type(declared) == clean

    @pytest.mark.parametrize(
        ("declared", "candidates", "found", "is_suspect"),
        [
            pytest.param("image/png", ["image/png"], "image/png", False, id="true"),
            pytest.param("application/pdf", ["image/png"], "image/png", True, id="another"),
            pytest.param("image/jpg", ["image/jpeg"], "image/jpeg", False, id="another name for it"),
            pytest.param("image/png", [], None, True, id="no png at all"),
            pytest.param("text/plain", [], None, False, id="text has no signature"),
            pytest.param("text/plain", ["text/html"], "text/html", False, id="text that looks like markup"),
            pytest.param("text/plain", ["application/zip"], "application/zip", True, id="no text"),
            pytest.param("application/octet-stream", ["image/png"], "image/png", False, id="nothing said"),
        ],
    )
    def test_a_type_that_lies_is_marked(
        self, declared: str, candidates: list[str], found: str | None, is_suspect: bool
    ):
        judged = judge_type(name="a", declared=declared, start=b"a", candidates=candidates, limits=LIMITS)
        assert (judged.found, judged.is_suspect) == (found, is_suspect)

    @pytest.mark.parametrize(
        ("name", "start"),
        [("a.png", b"MZ\x90"), ("a", b"\x7fELF"), ("a.txt", b"#!/bin/sh"), ("factura.pdf.exe", b"x"), ("A.JS", b"x")],
    )
    def test_programs_are_refused(self, name: str, start: bytes):
        with pytest.raises(TypeRefused, match="program"):
            judge_type(name=name, declared="image/png", start=start, candidates=[], limits=LIMITS)

    def test_types_that_the_settings_refuse_or_alone_take(self):
        no_video = Limits(file_bytes=1, ticket_bytes=1, refused=("video/*",))
        images = Limits(file_bytes=1, ticket_bytes=1, taken=("image/*", "application/octet-stream"))
        with pytest.raises(TypeRefused, match="video"):
            judge_type(name="a", declared="image/png", start=b"x", candidates=["video/mp4"], limits=no_video)
        with pytest.raises(TypeRefused, match="only"):
            judge_type(name="a", declared="text/plain", start=b"x", candidates=[], limits=images)
        assert judge_type(name="a", declared="image/gif", start=b"x", candidates=["image/gif"], limits=images).found


class TestSecrecy:
    def seal(self, cipher: Cipher, value: str = "clave ñ") -> dict[str, Any]:
        sealed = cipher.seal(value, desk_id=DESK, ticket_id=TICKET, secret_id=SECRET)
        return {"key_id": sealed.key_id, "nonce": sealed.nonce, "ciphertext": sealed.ciphertext}

    def test_opens_in_its_place_alone(self):
        cipher = parse_keys(f"a:{OLD}")
        sealed = self.seal(cipher)
        place = {"desk_id": DESK, "ticket_id": TICKET, "secret_id": SECRET}
        assert cipher.unseal(**sealed, **place) == "clave ñ"
        for name in place:
            with pytest.raises(NoKey):
                cipher.unseal(**sealed, **place | {name: UUID(int=9)})

    def test_a_new_key_encrypts_and_the_old_one_still_opens(self):
        sealed = self.seal(parse_keys(f"a:{OLD}"))
        both = parse_keys(f"b:{NEW}, a:{OLD}")
        place = {"desk_id": DESK, "ticket_id": TICKET, "secret_id": SECRET}
        assert both.unseal(**sealed, **place) == "clave ñ"
        assert self.seal(both)["key_id"] == "b"
        with pytest.raises(NoKey, match="'a'"):
            parse_keys(f"b:{NEW}").unseal(**sealed, **place)

    @pytest.mark.parametrize("setting", [None, "", "a:short", "a:!!!", f"a:{OLD},b:", f"a:{NEW},a:{OLD}"])
    def test_a_setting_that_can_not_be_read_is_named(self, setting: str | None):
        with pytest.raises(NoKey, match="PLAZO_SECRETS_KEY"):
            parse_keys(setting)

    @given(before=st.text(max_size=20), value=st.text(min_size=4, max_size=12), after=st.text(max_size=20))
    def test_a_repeated_value_is_taken_out(self, before: str, value: str, after: str):
        cipher = parse_keys(f"a:{OLD}")
        mark = cipher.seal(value, desk_id=DESK, ticket_id=TICKET, secret_id=SECRET).mark
        assert mark is not None
        marks = [Mark(ticket_id=TICKET, mark=mark, length=len(value), shown="[∎]")]
        left = cipher.redact(before + value + after, marks=marks)
        assert value not in left
        if value not in before + after and len(before) + len(after) == 0:
            assert left == "[∎]"
        assert cipher.redact("nothing here", marks=marks) == "nothing here"


def test_forgetting_leaves_the_structure():
    ana = Person.of(contact_id=UUID(int=5), name="Ana Ruiz", addresses=["ana@example.com"], phone=None)
    document = {
        "ticket_id": "t",
        "contact_id": str(UUID(int=5)),
        "subject": "No abre",
        "notified": ["ANA@example.com", "luz@example.com"],
        "opened_at": "2026-05-04T13:00:00Z",
        "minutes": 3,
        "by": "requester: Ana Ruiz",
    }
    own = ana.forgotten(document, all_words=True)
    assert own == document | {
        "subject": "[erased]",
        "notified": ["[erased]", "luz@example.com"],
        "by": "[erased]",
    }
    assert ana.forgotten(document, all_words=False)["subject"] == "No abre"


def test_who_is_forgotten_is_known_by_marks_that_say_nothing():
    about = {"contact_id": UUID(int=5), "name": "Ana Ruiz", "addresses": ["ana@example.com"], "phone": "+34 600"}
    ana = Person.of(**about, acts_as=["requester: portal"])
    marks = ana.to_marks()
    assert all(word not in str(marks).lower() for word in ("ana", "example", "600", "portal"))

    known = Person.marked(UUID(int=5), marks)

    assert known.to_marks() == marks
    for said in ("Soy ANA RUIZ.", "mailto:ana@example.com", "tel:+34 600", "requester: portal", str(UUID(int=5))):
        assert ana.is_in({"said": [said]}), said
        assert known.is_in({"said": [said]}), said
    for said in ("", "Ana", "Ana Ruz", "luz@example.com", "portal", "requester: portal 2", "x" * 50):
        assert not ana.is_in(said), said
        assert not known.is_in(said), said
    assert Person.marked(UUID(int=6), marks).is_in("Ana Ruiz") is False


def test_nobody_is_written_to_at_a_tombstone():
    key = {"contact_id": str(UUID(int=5)), "label": "portal"}
    document = {"contact_email": "ana@example.com", "emails": ["ana@example.com"], "key": key, "label": "x"}
    ana = Person.of(contact_id=UUID(int=5), name="Ana Ruiz", addresses=["ana@example.com"], phone=None)
    assert ana.forgotten(document, all_words=False) == {
        "contact_email": None,
        "emails": ["[erased]"],
        "key": key | {"label": "[erased]"},
        "label": "x",
    }


def test_grades_give_the_queue_its_order():
    ireo, expande = load_policy(policy_text("ireo")), load_policy(policy_text("expande"))
    # IRE-03: by severity, and within it VIP before Plus before Standard
    ranks = [
        queue_rank(ireo, {"priority": f"{severity}-{plan}"})
        for severity in "1234"
        for plan in ("vip", "plus", "standard")
    ]
    assert ranks == list(range(1, 13))
    # A policy without priorities has the order of its severities.
    names = [grade.name for grade in expande.severities]
    assert [queue_rank(expande, {"severity": name}) for name in names] == list(range(1, len(names) + 1))
    assert queue_rank(expande, {}) == LAST
