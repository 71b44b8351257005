"""docker-compose.yml as far as it can be held without an engine: by its own words."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from consumers import command as _  # noqa: F401 - adds its commands to those of the command line
from dev.local import kafka, production
from infra.cli.options import app
from infra.kafka import grants
from infra.kafka.topics import Topics
from infra.store.postgres_datastore import LOGINS, login_of
from tests.documents import REPOSITORY

COMPOSE = REPOSITORY / "docker-compose.yml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]
OURS = {name: each for name, each in SERVICES.items() if "build" in each}
EVERYWHERE = ["--host", "0.0.0.0"]  # noqa: S104 - in a container, which publishes on the loopback


def arguments(service: dict[str, Any]) -> list[str]:
    program, *given = shlex.split(service["command"])
    if program == "sh":  # One that is run unless its file is there.
        program, *given = shlex.split(given[-1].partition("||")[2])
    assert program == "accord"
    return given


def parse(given: list[str]) -> None:
    """Read a command line as `accord` would, and do nothing."""
    group = typer.main.get_command(app)
    context = group.make_context("accord", list(given))
    name, found, rest = group.resolve_command(context, list(given))  # type: ignore[attr-defined]
    within = found.make_context(name, rest, parent=context)
    if hasattr(found, "resolve_command"):  # A group, such as `accord keys`.
        name, found, rest = found.resolve_command(within, rest)
        found.make_context(name, rest, parent=within)


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one_that_accord_has(name: str) -> None:
    parse(arguments(OURS[name]))


def test_a_command_that_accord_does_not_have_would_be_noticed() -> None:
    for wrong in (["rum"], ["run", "nobody"], ["up", "--hots", "here"]):
        with pytest.raises(Exception, match=r"rum|nobody|hots"):
            parse(wrong)


def test_what_runs_without_containers_is_what_runs_in_them() -> None:
    in_containers = {
        name: (
            [each for each in arguments(service) if each not in EVERYWHERE],
            service.get("deploy", {}).get("replicas", 1),
        )
        for name, service in OURS.items()
    }
    without = {each.name: (list(each.arguments), each.replicas) for each in production.SERVICES}
    command = in_containers["keys"][0]
    assert command[:-1] == [*production.KEYS]
    assert in_containers == without | {
        "migrate": ([*production.MIGRATE], 1),
        "keys": (command, 1),
    }


# --- who each service is -------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in OURS if name != "migrate"])
def test_each_service_is_a_user_of_its_own_to_the_database_and_to_the_broker(name: str) -> None:
    given = OURS[name]["environment"]
    word = f"${{ACCORD_PASSWORD_{name.upper()}}}"

    assert given["ACCORD_STORE"] == f"postgresql://{login_of(name)}:{word}@postgres/accord"
    login = {each: given.get(each) for each in LOGIN}
    if name in grants.SERVICES:
        assert login == dict(zip(LOGIN, (grants.MECHANISM, Topics().user(name), word), strict=True))
    else:
        assert set(login.values()) == {None}


LOGIN = ("ACCORD_KAFKA_SASL", "ACCORD_KAFKA_USER", "ACCORD_KAFKA_PASSWORD")


def test_only_the_migration_logs_in_as_the_owner_of_the_database() -> None:
    users = {
        name: re.findall(r"://(\w+):", each["environment"]["ACCORD_STORE"])
        for name, each in OURS.items()
    }

    assert users.pop("migrate") == ["accord"]
    assert sorted(users.values()) == sorted([login_of(name)] for name in users)


def test_each_secret_file_is_mounted_where_it_is_needed_and_nowhere_else() -> None:
    signs = {
        name: each["environment"]["ACCORD_KEY"]
        for name, each in OURS.items()
        if "ACCORD_KEY" in each["environment"]
    }

    (token,) = re.findall(r"--out (\S+)'", OURS["keys"]["command"])
    assert Path(token).parent == Path(OF_SECRETS)
    assert signs == dict.fromkeys(
        ("migrate", "api", "intake", "notary"), f"{OF_SECRETS}/accord.key"
    )
    assert {name: each["volumes"] for name, each in OURS.items() if "volumes" in each} == {
        "migrate": [f"key:{OF_SECRETS}"],
        "keys": [f"operator:{OF_SECRETS}"],
        "api": [f"key:{OF_SECRETS}:ro"],
        "intake": [f"key:{OF_SECRETS}:ro"],
        "notary": [f"key:{OF_SECRETS}:ro"],
    }


OF_SECRETS = "/var/lib/accord"


def test_the_migration_knows_the_password_of_every_service_that_logs_in() -> None:
    given = OURS["migrate"]["environment"]

    assert {name for name in given if name.startswith("ACCORD_PASSWORD_")} == {
        f"ACCORD_PASSWORD_{name.upper()}" for name in LOGINS
    }


def test_every_password_is_one_that_make_secrets_writes_and_none_has_a_default(
    tmp_path: Path,
) -> None:
    (tmp_path / "Makefile").write_bytes((REPOSITORY / "Makefile").read_bytes())
    make = [str(shutil.which("make")), "-s", "secrets"]
    subprocess.run(make, cwd=tmp_path, check=True)
    written = (tmp_path / ".env").read_text("utf-8")
    subprocess.run(make, cwd=tmp_path, check=True)

    words = dict(line.split("=") for line in written.splitlines())
    asked = re.findall(r"\$\{(ACCORD_PASSWORD\w*)([^}]*)\}", COMPOSE.read_text("utf-8"))
    assert (tmp_path / ".env").read_text("utf-8") == written
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert words.keys() == {name for name, otherwise in asked}
    assert len(set(words.values())) == len(words)
    assert all(re.fullmatch(r"[0-9a-f]{32}", each) for each in words.values())
    assert {otherwise for name, otherwise in asked} == {"", ":?run make secrets"}


def test_every_service_waits_for_what_there_is_and_can_be_waited_for() -> None:
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            condition = how["condition"]
            assert other in SERVICES, name
            assert condition in {"service_healthy", "service_completed_successfully"}, name
            assert (condition == "service_healthy") == ("healthcheck" in SERVICES[other]), name


def test_everything_starts_after_the_migration_and_that_after_what_it_migrates() -> None:
    waiting = {name: set(each["depends_on"]) for name, each in OURS.items()}
    assert waiting.pop("migrate") == {"postgres", "kafka"}
    assert waiting.pop("api") == {"keys"}
    assert all(others == {"migrate"} for others in waiting.values())


def test_every_process_is_asked_whether_it_is_ready() -> None:
    for name, service in OURS.items():
        if name in {"migrate", "keys"}:
            continue
        (port,) = re.findall(r"127\.0\.0\.1:(\d+)/readyz", service["healthcheck"]["test"][-1])
        health = service["environment"]["ACCORD_HEALTH"]
        assert (name, port) == ("api", "8000") or health == f"0.0.0.0:{port}"


def test_every_port_is_published_on_the_loopback_only() -> None:
    published = [port for each in SERVICES.values() for port in each.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_every_image_has_a_version() -> None:
    dockerfile = (REPOSITORY / "Dockerfile").read_text("utf-8")
    images = {each["image"] for each in SERVICES.values()}
    images |= set(re.findall(r"(?m)^FROM (\S+)", dockerfile))
    assert [image for image in images if not re.fullmatch(r"[\w/-]+:v?\d[\w.-]*", image)] == []


def test_the_broker_in_a_container_is_the_one_that_tests_run_against() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{kafka.version()}"
    in_container = SERVICES["kafka"]["environment"]
    native = kafka.settings("host", 1, 2, "address", "folder")
    for setting in ("message.max.bytes", "auto.create.topics.enable", "min.insync.replicas"):
        assert str(in_container[variable(setting)]) == native[setting]


def variable(setting: str) -> str:
    """The variable of a setting of Kafka in its image."""
    return f"KAFKA_{setting.replace('-', '___').replace('.', '_').upper()}"


def test_the_broker_in_a_container_lets_in_who_the_local_one_lets_in() -> None:
    in_container = SERVICES["kafka"]["environment"]
    native = kafka.secured("${ACCORD_PASSWORD_KAFKA}")
    del native["listener.security.protocol.map"]

    found = {name: str(in_container[variable(name)]) for name in native}
    assert {name: each.replace(":?run make secrets", "") for name, each in found.items()} == native
    listeners = in_container["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")
    assert {each.partition(":")[2] for each in listeners} == {"SASL_PLAINTEXT"}


def test_the_image_is_built_from_what_is_sent_to_the_engine() -> None:
    sent = {
        line.removeprefix("!")
        for line in (REPOSITORY / ".dockerignore").read_text("utf-8").splitlines()
        if line.startswith("!")
    }
    dockerfile = (REPOSITORY / "Dockerfile").read_text("utf-8")
    copied = re.findall(r"(?m)^COPY (?!--from)(.+) \S+$", dockerfile)
    assert {source for each in copied for source in each.split()} == sent
    assert all((REPOSITORY / source).exists() for source in sent)


def test_docker_itself_accepts_the_file() -> None:
    docker = shutil.which("docker")
    asked = [str(docker), "compose", "version"]
    if docker is None or subprocess.run(asked, capture_output=True, check=False).returncode:
        # No missing part: that needs an engine, and all that is told above holds without one.
        pytest.skip("docker compose is not installed")
    words = dict.fromkeys(re.findall(r"ACCORD_PASSWORD_\w+", COMPOSE.read_text("utf-8")), "x")
    check = [docker, "compose", "config", "--quiet"]
    subprocess.run(check, cwd=REPOSITORY, env=os.environ | words, check=True)
