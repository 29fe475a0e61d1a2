"""No secret is in a log, an error, a help text or a process list, nor in the environment of who has it from a file."""

import asyncio
import base64
import json
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from harness import environment_of, eventually
from integration.runtime.provider import AUDIENCE, running_provider
from typer.testing import CliRunner

from plazo.cli import app
from plazo.local.ports import choose_port
from plazo.runtime.clock import SystemClock
from plazo.runtime.signatures import sign

OPERATOR_KEY = "unheard-operator-key"
SECRETS_KEY = base64.b64encode(b"unheard key that is 32 bytes ok!").decode()
MAPPING = {"thread": "{id}", "action": [{"template": "open", "values": {}}], "subject": "{id}", "description": "{id}"}
SERVE = (sys.executable, "-m", "plazo.cli", "serve", "tickets")


def secrets_of(annex):
    """The secret settings of a service, by variable."""
    told = environment_of(annex.settings)
    urls = {name: told[name] for name in told if name.endswith("_URL")}
    return urls | {"PLAZO_OPERATOR_KEY": OPERATOR_KEY, "PLAZO_SECRETS_KEY": f"k1:{SECRETS_KEY}"}


@asynccontextmanager
async def serving(told, log):
    """Run tickets as a process of its own with its log in a file; yields its process id."""
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(*SERVE, env={**os.environ, **told}, stdout=file, stderr=file)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def test_a_service_that_has_its_secrets_from_files_says_none(annex, tmp_path):
    given = secrets_of(annex)
    told = {"PLAZO_LISTEN": f"127.0.0.1:{choose_port()}", "PLAZO_LOG_LEVEL": "debug"}
    for name, secret in given.items():
        (tmp_path / name).write_text(f"{secret}\n")
        told |= {name: "", f"{name}_FILE": str(tmp_path / name)}
    secret = [urlsplit(given[name]).password for name in given if name.endswith("_URL")]
    secret += [OPERATOR_KEY, SECRETS_KEY]
    async with running_provider() as provider:
        provider.now = SystemClock().now()
        told |= {"PLAZO_OIDC_ISSUER": provider.issuer, "PLAZO_OIDC_AUDIENCE": AUDIENCE}
        async with (
            serving(told, tmp_path / "log") as process,
            httpx.AsyncClient(base_url=f"http://{told['PLAZO_LISTEN']}", timeout=20) as client,
        ):

            async def is_ready():
                assert process.returncode is None, (tmp_path / "log").read_text()
                try:
                    return (await client.get("/readyz")).json()["checks"]["bus"] == "ok"
                except httpx.TransportError:
                    return False

            await eventually(is_ready, seconds=80)
            secret += await ask_with_secrets(client, provider)
            here = Path(f"/proc/{process.pid}")
            secret_settings = [urlsplit(one).password or one for one in given.values()]
            for place in (here / "cmdline", here / "environ"):
                assert not [one for one in secret_settings if one.encode() in place.read_bytes()], place
    log = (tmp_path / "log").read_text()
    assert '"level": "debug"' in log, "the log was not asked for all"
    assert len(secret) > 10
    assert [one for one in secret if one in log] == []


async def ask_with_secrets(client, provider):
    """Ask with every kind of secret, right and wrong; returns all that must not be heard."""

    async def ask(status, method, path, token, **options):
        answer = await client.request(method, path, headers={"Authorization": f"Bearer {token}"}, **options)
        assert answer.status_code == status, (path, answer.text)
        return answer.json()

    desk = await ask(201, "POST", "/v1/desks", OPERATOR_KEY, json={"name": "Mesa", "sandbox": True})
    admin = desk["api_key"]
    issued = await ask(201, "POST", "/v1/keys", admin, json={"role": "manager", "label": "x"})
    wrong = [admin[:-4] + "wrng", "plz_unheard_unheardunheard", "unheard-token"]
    for one in wrong:
        await ask(401, "GET", "/v1/desk", one)
    good = provider.token(plazo_desk=desk["desk_id"], plazo_role="agent")
    await ask(200, "GET", "/v1/desk", good)
    forged = good[:-8] + "unheard0"
    await ask(401, "GET", "/v1/desk", forged)

    customer = await ask(201, "POST", "/v1/customers", admin, json={"name": "Una", "email": "una@example.com"})
    hook = await ask(201, "POST", "/v1/hooks", admin, json={"name": "h", "mapping": MAPPING})
    heard = [admin.split("_", 2)[2], issued["api_key"].split("_", 2)[2], *wrong, good, forged, hook["secret"]]
    for key, status in ((hook["secret"], {200, 202, 422}), ("whsec_dW5oZWFyZHVuaGVhcmQ=", {401})):
        body = json.dumps({"id": "7", "customer": customer["customer_id"]}).encode()
        headers = sign(body, secret=key, message_id="d1", at=SystemClock().now())
        answer = await client.post(hook["path"], content=body, headers=headers)
        assert answer.status_code in status, answer.text
        heard += [headers["webhook-signature"], key]
    # A fault of the input is told without it.
    await ask(422, "POST", "/v1/keys", admin, json={"role": "unheard-role", "label": 7, "api_key": admin})
    return heard


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        pytest.param("PLAZO_NATS_URL", "nats://tickets:unheard@127.0.0.1:{nats}", "authorization violation", id="NATS"),
        pytest.param(
            "PLAZO_SYSTEM_DATABASE_URL",
            "postgresql://tickets_system:unheard@127.0.0.1:{postgres}/plazo_tickets",
            "password authentication failed",
            id="PostgreSQL",
        ),
    ],
)
async def test_a_service_that_is_told_a_wrong_password_says_what_is_in_the_way(annex, tmp_path, name, value, said):
    given = secrets_of(annex)
    right = {"nats": urlsplit(given["PLAZO_NATS_URL"]).port, "postgres": urlsplit(given["PLAZO_DATABASE_URL"]).port}
    told = given | {name: value.format(**right), "PLAZO_LISTEN": f"127.0.0.1:{choose_port()}"}
    async with serving(told, tmp_path / "log") as process:

        async def says_it():
            assert process.returncode is None, (tmp_path / "log").read_text()
            return said in (tmp_path / "log").read_text().lower()

        await eventually(says_it, seconds=80)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0, "whoever waits is told to stop, and does"
    log = (tmp_path / "log").read_text()
    secret = ["unheard", *(urlsplit(one).password or one for key, one in given.items() if key != name)]
    assert [one for one in secret if one in log] == []


WRONG = {
    "PLAZO_DATABASE_URL": "postgresql://u:unheard/unheard@h/d",
    "PLAZO_SYSTEM_DATABASE_URL": "unheard",
    "PLAZO_NATS_URL": "unheard://u:unheard@h",
    "PLAZO_OPERATOR_KEY": "unheard",
    "PLAZO_SECRETS_KEY": "k:unheard",
    "PLAZO_LINK_KEY": "unheard",
    "PLAZO_SMTP_URL": "http://u:unheard@h",
}


def test_wrong_settings_are_named_and_not_repeated(monkeypatch):
    for name, value in WRONG.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(app, ["serve", "tickets"], terminal_width=10_000)
    assert done.exit_code == 3
    assert all(f"{name}:" in done.output for name in WRONG), done.output
    assert "unheard" not in done.output
    monkeypatch.setenv("PLAZO_OWNER_DATABASE_URL", "postgresql://u:unheard@h/d?sslmode=prefer")
    done = CliRunner().invoke(app, ["migrate", "tickets"])
    assert done.exit_code == 3
    assert "expected sslmode=verify-full" in done.output
    assert "unheard" not in done.output


def test_help_shows_no_secret(monkeypatch):
    for name in (*WRONG, "PLAZO_OWNER_DATABASE_URL", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "unheard")
    for command in ((), ("serve",), ("migrate",), ("up",), ("story",), ("backup",), ("restore",), ("doctor",)):
        done = CliRunner().invoke(app, [*command, "--help"])
        assert done.exit_code == 0
        assert "unheard" not in done.output
