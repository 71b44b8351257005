"""docker-compose.yml as far as it can be held without an engine: by its own words."""

import re
import shlex
import shutil
import subprocess
from typing import Any

import pytest
import typer
import yaml

from consumers import command as _  # noqa: F401 - adds its commands to those of the command line
from dev.local import kafka, production
from infra.cli.options import app
from tests.documents import REPOSITORY

COMPOSE = REPOSITORY / "docker-compose.yml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]
OURS = {name: each for name, each in SERVICES.items() if "build" in each}
EVERYWHERE = ["--host", "0.0.0.0"]  # noqa: S104 - in a container, which publishes on the loopback


def arguments(service: dict[str, Any]) -> list[str]:
    program, *given = shlex.split(service["command"])
    assert program == "accord"
    return given


def parse(given: list[str]) -> None:
    """Read a command line as `accord` would, and do nothing."""
    group = typer.main.get_command(app)
    context = group.make_context("accord", list(given))
    name, found, rest = group.resolve_command(context, list(given))  # type: ignore[attr-defined]
    found.make_context(name, rest, parent=context)


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
            role(service),
            service.get("deploy", {}).get("replicas", 1),
        )
        for name, service in OURS.items()
    }
    without = {
        each.name: (list(each.arguments), each.role, each.replicas) for each in production.SERVICES
    }
    assert in_containers == without | {"migrate": ([*production.MIGRATE], production.OWNER, 1)}


def role(service: dict[str, Any]) -> str:
    (found,) = re.findall(r"^postgresql://(\w+):", service["environment"]["ACCORD_STORE"])
    return str(found)


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
    assert all(others == {"migrate"} for others in waiting.values())


def test_every_process_is_asked_whether_it_is_ready() -> None:
    for name, service in OURS.items():
        if name == "migrate":
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
        name = f"KAFKA_{setting.upper().replace('.', '_')}"
        assert str(in_container[name]) == native[setting]


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
    subprocess.run([docker, "compose", "config", "--quiet"], cwd=REPOSITORY, check=True)
