"""What of a request's path the log tells."""

import pytest

from plazo.runtime.logs import told_path


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/v1/tickets", "/v1/tickets"),
        ("/v1/service-credits/", "/v1/service-credits/"),
        ("/v1/tickets/01a2022c-b2af-70b8-94c6-6dcdb3dcd096/replies", None),
        ("/v1/keys/0123456789ab/rotate", None),
        ("/docs/static/swagger-ui.css", None),
        ("/v1/statements/2026/5", None),
        pytest.param("/v1/acknowledgements/AZx-_9" + "k" * 70, "/v1/acknowledgements/*", id="token of a link"),
        pytest.param("/v1/desk/plz_0123456789ab_secret", "/v1/desk/*", id="key put where it does not belong"),
        pytest.param("/v1/" + "0123456789abcdef" * 2, "/v1/*", id="secret in hexadecimal"),
        pytest.param("/v1/x\ny", "/v1/*", id="two lines"),
        pytest.param("*", "*", id="no path at all"),
    ],
)
def test_words_and_ids_are_told_and_nothing_else(path: str, told: str | None):
    assert told_path(path) == (told or path)


def test_path_is_told_in_short():
    assert len(told_path("/a" * 4000)) == 500
