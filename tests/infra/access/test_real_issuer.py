"""Tokens of a real OpenID provider: `oidc-provider` of npm, certified by the OpenID Foundation.

It runs on this machine, with a client for Maya and one for a CRM, and issues tokens to both.
"""

import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx2
import orjson
import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from infra.access import tokens
from infra.access.credentials import Unauthenticated
from infra.access.tokens import IssuerUnreachable, Tokens, fetch_keys, read_issuers
from infra.bootstrap import bootstrap, init
from infra.http import create_app
from infra.settings import Settings
from tests.documents import REPOSITORY
from tests.infra.messages import beginning, candidate
from tests.parts import missing_part

pytestmark = pytest.mark.needs("node", "npm")

FOLDER: Final = REPOSITORY / "tests/journeys/foreign/issuer"
INSTALL_SECONDS = 240
AUDIENCE: Final = "urn:accord"
CLIENTS: Final = {
    "maya": {"accord_role": "party", "email": "maya@growthos.example"},
    "crm": {"accord_role": "service", "email": "crm"},
    "stranger": {"accord_role": "operator", "email": "mallory"},
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("issuer")
    shutil.copytree(FOLDER, folder, dirs_exist_ok=True)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        subprocess.run(
            command, cwd=folder, capture_output=True, check=True, timeout=INSTALL_SECONDS
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        missing_part("oidc-provider of npm", str(error))
    return folder


@dataclass(frozen=True)
class Provider:
    """A running provider."""

    url: str

    def token(self, client: str, scope: str = "", resource: str = AUDIENCE) -> str:
        """A new token of a client."""
        login = b64encode(f"{client}:secret".encode()).decode()
        answer = httpx2.post(
            f"{self.url}/token",
            data={"grant_type": "client_credentials", "resource": resource, "scope": scope},
            headers={"Authorization": f"Basic {login}"},
        )
        answer.raise_for_status()
        return str(answer.json()["access_token"])


@contextmanager
def running(folder: Path, port: int = 0) -> Iterator[Provider]:
    given = orjson.dumps({"port": port, "clients": CLIENTS}).decode()
    with subprocess.Popen(
        ["node", "issuer.mjs", given],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield Provider(process.stdout.readline().strip())
        finally:
            process.kill()


@pytest.fixture(scope="module")
def provider(installed: Path) -> Iterator[Provider]:
    with running(installed) as found:
        yield found


def reader(provider: Provider, folder: Path) -> Tokens:
    """What reads the tokens of the provider, from a file such as an operator writes."""
    file = folder / "issuers.toml"
    file.write_text(
        f'[[issuer]]\nurl = "{provider.url}"\naudience = "{AUDIENCE}"\nparty = "growthos"\n'
        'role_claim = "accord_role"\nperson_claim = "email"\n'
    )
    return Tokens(read_issuers(file))


@pytest.fixture
def client(provider: Provider, tmp_path: Path) -> Iterator[TestClient]:
    settings = Settings(store=f"sqlite:///{tmp_path}/accord.db")
    init(settings)
    with bootstrap(settings) as accord, accord.workers() as workers:
        accord.service.handle([beginning("growthos-brightpath")])
        accord.catch_up()
        with TestClient(create_app(accord, workers, tokens=reader(provider, tmp_path))) as found:
            yield found


def get(client: TestClient, token: str) -> Response:
    found: Response = client.get(
        "/v1/partnerships/growthos-brightpath", headers={"Authorization": f"Bearer {token}"}
    )
    return found


def test_a_token_of_a_real_provider_reads_and_sends_as_its_person(
    provider: Provider, client: TestClient
) -> None:
    token = provider.token("maya")
    event = orjson.loads(candidate("north"))
    del event["actor"]

    sent = client.post("/v1/events", json=event, headers={"Authorization": f"Bearer {token}"})

    assert sent.status_code == 200
    assert get(client, token).json()["as_of"]["party"] == "growthos"


def test_the_scopes_that_a_real_provider_grants_limit_a_token(
    provider: Provider, client: TestClient
) -> None:
    token = provider.token("crm", scope="accord:read")

    sent = client.post(
        "/v1/events",
        json=orjson.loads(candidate("north")),
        headers={"Authorization": f"Bearer {token}"},
    )

    assert get(client, token).status_code == 200
    assert (sent.status_code, sent.json()["rule"]) == (403, "not-in-scope")


def test_a_token_for_another_audience_is_refused(provider: Provider, client: TestClient) -> None:
    assert get(client, provider.token("maya", resource="urn:other")).status_code == 401


def test_a_partys_provider_makes_no_operator(provider: Provider, client: TestClient) -> None:
    assert get(client, provider.token("stranger")).status_code == 403


def test_a_provider_that_starts_anew_has_new_keys_and_its_old_tokens_are_refused(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "AGAIN", 0.0)
    with running(installed) as first:
        read = reader(first, tmp_path)
        old = first.token("maya")
        assert read.identity(old).actor == "maya@growthos.example"
    # Its keys outlive it for a while.
    assert read.identity(old).actor == "maya@growthos.example"

    with running(installed, urlsplit(first.url).port or 0) as second:
        assert read.identity(second.token("crm")).actor == "crm"
        with pytest.raises(Unauthenticated):
            read.identity(old)


def test_what_is_no_provider_gives_no_keys(provider: Provider) -> None:
    with pytest.raises(IssuerUnreachable, match="says that it is the issuer"):
        fetch_keys(provider.url.replace("127.0.0.1", "localhost"))
    with pytest.raises(IssuerUnreachable, match="did not give its keys"):
        fetch_keys("http://127.0.0.1:1")
