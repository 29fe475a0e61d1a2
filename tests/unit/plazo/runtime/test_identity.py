"""API keys: made, shown once, recognized."""

import pytest

from plazo.runtime.identity import Unauthenticated, derived_key, new_key, parse_token, secret_hash


def test_token_gives_back_id_and_secret():
    key = new_key()
    key_id, secret = parse_token(f"Bearer {key.token}")
    assert key_id == key.key_id
    assert secret_hash(secret) == key.secret_hash
    assert secret not in key.secret_hash


def test_secret_may_contain_the_separator():
    assert parse_token("Bearer plz_abc_s_e_c") == ("abc", "s_e_c")


def test_keys_differ():
    assert len({new_key().token for _ in range(50)}) == 50


def test_derived_key_is_the_same_for_the_same_purpose_only():
    one = derived_key(from_secret="the operator's", purpose="desk 1")
    assert derived_key(from_secret="the operator's", purpose="desk 1") == one
    assert derived_key(from_secret="the operator's", purpose="desk 2") != one
    assert derived_key(from_secret="another", purpose="desk 1") != one


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic plz_a_b",
        "plz_a_b",
        "Bearer plz_a",
        "Bearer plz_\x00_x",
        "Bearer plz__x",
        "Bearer xyz_a_b",
        "Bearer a b c",
    ],
)
def test_refuses_what_is_no_key(header: str | None):
    with pytest.raises(Unauthenticated):
        parse_token(header)
