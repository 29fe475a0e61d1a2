"""What the record of an administrative act tells, and what it never does."""

import pytest

from plazo.runtime.acts import fields_of, subject_of


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        pytest.param(b'{"role": "agent", "label": "x"}', ["label", "role"], id="names, in order"),
        pytest.param(b'{"' + b"x" * 500 + b'": 1}', ["x" * 100], id="a long name"),
        pytest.param(b"[1]", [], id="no object"),
        pytest.param(b"{", [], id="no JSON"),
        pytest.param(b"\xff", [], id="no text"),
        pytest.param(b"[" * 100_000, [], id="deep"),
        pytest.param(b'{"a": "' + b"x" * 300_000 + b'"}', [], id="large"),
        pytest.param(b"", [], id="nothing"),
    ],
)
def test_fields(body: bytes, fields: list[str]):
    assert fields_of(body) == fields


def test_subject_has_ids_and_names_and_no_secrets():
    answer = {"key_id": "k", "api_key": "plz_k_s", "secret": "s", "role": "agent", "hook_id": 7, "nested": {"a_id": 1}}
    assert subject_of({"desk_id": 1, "key_id": "path"}, answer) == {
        "desk_id": "1",
        "key_id": "path",
        "role": "agent",
        "hook_id": 7,
    }
    assert subject_of({}, None) == {}
