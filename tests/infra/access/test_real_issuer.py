"""Tokens of a real OpenID provider: `oidc-provider` of npm, certified by the OpenID Foundation.

It runs on this machine, with a client for Maya and one for a CRM, and issues tokens to both. Maya
also signs in to the pages there.
"""

import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from re import findall
from typing import Final
from urllib.parse import parse_qs, quote, urljoin, urlsplit

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
HERE: Final = "http://127.0.0.1:8000"
REDIRECT: Final = f"{HERE}/sign-in/callback"
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
    given = orjson.dumps({"port": port, "clients": CLIENTS, "redirect": REDIRECT}).decode()
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
        f'client_id = "pages"\nclient_secret = "secret"\nredirect_uri = "{REDIRECT}"\n'
    )
    return Tokens(read_issuers(file))


@pytest.fixture
def client(provider: Provider, tmp_path: Path) -> Iterator[TestClient]:
    settings = Settings(store=f"sqlite:///{tmp_path}/accord.db")
    init(settings)
    with bootstrap(settings) as accord, accord.workers() as workers:
        accord.service.handle([beginning("growthos-brightpath")])
        accord.catch_up()
        app = create_app(accord, workers, tokens=reader(provider, tmp_path))
        with TestClient(app, HERE, headers={"Accept": "text/html"}) as found:
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


# --- signing in to the pages -------------------------------------------------------------------


def at_provider(address: str) -> str:
    """Follow the provider's pages as a browser does; return where it leads back to."""
    with httpx2.Client() as browser:
        while not address.startswith(HERE):
            found = browser.get(address)
            assert found.status_code in {302, 303}, found.text
            address = urljoin(address, found.headers["location"])
    return address


def begun(client: TestClient, to: str = "/") -> str:
    """Begin to sign in; return the provider's address to which that leads."""
    page = client.get("/sign-in", params={"to": to}).text
    (link,) = findall(r'href="(/sign-in/with/[^"]+)"', page)
    found = client.get(unescape(link), follow_redirects=False)
    assert found.status_code == 303
    return str(found.headers["location"])


def test_a_person_signs_in_at_a_real_provider_and_sees_their_party(client: TestClient) -> None:
    asked = begun(client, "/alerts?at=2026-03-01")
    query = parse_qs(urlsplit(asked).query)

    found = client.get(at_provider(asked), follow_redirects=False)
    page = client.get("/portfolio")

    assert query["code_challenge_method"] == ["S256"]
    assert found.headers["location"] == "/alerts?at=2026-03-01"
    assert "Viewing as <strong>GrowthOS</strong>" in page.text
    assert "<strong>maya@growthos.example</strong>" in page.text


def test_a_sign_in_ends_only_in_the_browser_that_began_it(client: TestClient) -> None:
    back = at_provider(begun(client))
    client.cookies.clear()

    found = client.get(back)

    assert found.status_code == 400
    assert "begun in another browser" in found.text
    assert "accord_session" not in client.cookies


def test_a_code_is_taken_once(client: TestClient) -> None:
    back = at_provider(begun(client))
    client.get(back, follow_redirects=False)
    # Without the session it is the same browser as before.
    client.cookies.delete("accord_session")

    assert client.get(back).status_code == 401


def test_the_answer_of_another_issuer_is_refused(client: TestClient, provider: Provider) -> None:
    back = at_provider(begun(client)).replace(quote(provider.url, safe=""), "https%3A%2F%2Fevil")

    found = client.get(back)

    assert found.status_code == 401
    assert "Another issuer answered." in found.text


def test_a_person_who_declines_at_the_provider_is_told_so(client: TestClient) -> None:
    state = parse_qs(urlsplit(begun(client)).query)["state"][0]

    found = client.get(
        "/sign-in/callback", params={"state": state, "error": "access_denied", "any": "thing"}
    )

    assert found.status_code == 401
    assert "access_denied" in found.text


def test_a_session_ends_when_its_issuer_does_not_count_any_more(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.get(at_provider(begun(client)), follow_redirects=False)
    assert client.get("/portfolio", follow_redirects=False).status_code == 200

    monkeypatch.setattr(Tokens, "issuers", {})

    assert client.get("/portfolio", follow_redirects=False).status_code == 303
