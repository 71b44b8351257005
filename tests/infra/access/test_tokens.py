"""Tokens of OpenID Connect: a company's own issuer says who acts, for its own party, and no more.

The story: growthos has an issuer. Maya of growthos sends an event with a token of it. The event's
party is growthos and its actor is Maya, without a word of hers about either.
"""

import hmac
import logging
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from httpx2 import Response
from starlette.testclient import TestClient

from domain.kernel import Refused
from domain.values import instant
from infra.access import credentials
from infra.access.attempts import MOST
from infra.access.credentials import Grant, Unauthenticated
from infra.access.roles import Role, Scope
from infra.access.tokens import (
    AGAIN,
    FRESH,
    LEEWAY,
    STALE,
    Issuer,
    IssuerUnreachable,
    Keys,
    Tokens,
    read_issuers,
)
from infra.bootstrap import Accord, bootstrap, init
from infra.deciding.pseudonyms import names
from infra.http import create_app
from infra.http.alerts import STREAM
from infra.http.server import check_open
from infra.settings import Settings, WrongSetting
from infra.workers import Workers
from tests.infra.messages import beginning, candidate

URL, AUDIENCE = "https://login.growthos.example", "https://accord.example"
GROWTHOS = Issuer(url=URL, audience=AUDIENCE, party="growthos", person_claim="email")
OURS = "growthos-brightpath"

Claims = dict[str, Any]


def now() -> int:
    return int(datetime.now(UTC).timestamp())


def claims(**more: Any) -> Claims:  # noqa: ANN401 - any claim
    usual = {
        "iss": URL,
        "aud": AUDIENCE,
        "sub": "00u1",
        "email": "maya@growthos.example",
        "iat": now(),
        "exp": now() + 600,
    }
    return {name: each for name, each in (usual | more).items() if each is not None}


@dataclass
class Made:
    """An issuer in this process: its keys, how often they were fetched, and whether it is up."""

    keys: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=dict)
    secrets: dict[str, bytes] = field(default_factory=dict)
    """Secrets that it publishes by mistake, among its public keys."""
    fetched: int = 0
    is_up: bool = True

    def __post_init__(self) -> None:
        self.rotate("k1")

    def rotate(self, kid: str) -> None:
        self.keys = {kid: ec.generate_private_key(ec.SECP256R1())}

    def fetch(self, url: str) -> Mapping[str, jwt.PyJWK]:
        self.fetched += 1
        if not self.is_up:
            raise IssuerUnreachable(f"{url} is down")
        secrets = {kid: {"kty": "oct", "k": encoded(each)} for kid, each in self.secrets.items()}
        public = {kid: self.jwk(kid) for kid in self.keys}
        return {kid: jwt.PyJWK(each) for kid, each in {**public, **secrets}.items()}

    def jwk(self, kid: str) -> dict[str, Any]:
        found: dict[str, Any] = jwt.get_algorithm_by_name("ES256").to_jwk(
            self.keys[kid].public_key(), as_dict=True
        )
        return found | {"kid": kid, "use": "sig"}

    def sign(self, given: Claims, **header: Any) -> str:  # noqa: ANN401 - as above
        return jwt.encode(given, self.keys["k1"], "ES256", {"kid": "k1", **header})


@pytest.fixture
def issuer() -> Made:
    return Made()


@pytest.fixture
def tokens(issuer: Made) -> Tokens:
    return Tokens([GROWTHOS], issuer.fetch)


@pytest.mark.parametrize(
    ("given", "is_valid"),
    [
        ({}, True),
        ({"aud": ["pages"]}, True),
        ({"aud": ["pages", "crm"], "azp": "pages"}, True),
        ({"aud": ["pages", "crm"]}, False),
        ({"aud": ["pages", "crm"], "azp": "crm"}, False),
        ({"aud": "pages", "azp": "crm"}, False),
        ({"aud": "crm"}, False),
        ({"nonce": "of another browser"}, False),
        ({"nonce": None}, False),
    ],
)
def test_an_id_token_signs_in_only_at_the_client_and_in_the_browser_that_asked_for_it(
    issuer: Made, given: Claims, *, is_valid: bool
) -> None:
    own = GROWTHOS.model_copy(update={"client_id": "pages"})
    token = issuer.sign(claims(**({"aud": "pages", "nonce": "n"} | given)))
    expected = nullcontext() if is_valid else pytest.raises(Unauthenticated)

    with expected:
        Tokens([own], issuer.fetch).signed_in(own, token, "n", None)


def part(value: object) -> str:
    return encoded(orjson.dumps(value))


def encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


# --- what a token gives ------------------------------------------------------------------------


def test_a_token_gives_the_party_of_its_issuer_and_the_person_of_its_claim(
    issuer: Made, tokens: Tokens
) -> None:
    found = tokens.identity(issuer.sign(claims()))

    assert (found.role, found.party, found.actor) == (
        Role.PARTY,
        "growthos",
        "maya@growthos.example",
    )
    assert found.scopes == {Scope.READ, Scope.EMIT, Scope.SETTLE, Scope.SIGN}
    assert found.is_person
    assert found.expires_at is not None


@pytest.mark.parametrize("audience", [AUDIENCE, ["other", AUDIENCE]])
@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "JWT"])
def test_a_token_in_any_form_of_the_standards_is_read(
    issuer: Made, tokens: Tokens, audience: object, typ: str
) -> None:
    assert tokens.identity(issuer.sign(claims(aud=audience), typ=typ)).party == "growthos"


def test_the_scopes_of_a_token_limit_it(issuer: Made, tokens: Tokens) -> None:
    found = tokens.identity(issuer.sign(claims(scope="openid accord:read email")))

    assert found.scopes == {Scope.READ}


@pytest.mark.parametrize(
    "given",
    [
        {"scope": ["openid", "accord:read"]},
        {"scp": "accord:read"},
        {"scp": ["accord:read"]},
        {"scope": "openid", "scp": ["accord:read"]},
        {"scp": ["openid accord:read"]},
    ],
)
def test_they_limit_it_wherever_an_issuer_writes_them(
    issuer: Made, tokens: Tokens, given: Claims
) -> None:
    """Entra ID has the text `scp`, and Okta the list."""
    assert tokens.identity(issuer.sign(claims(**given))).scopes == {Scope.READ}


def test_claims_can_name_the_role_and_the_partnerships(issuer: Made) -> None:
    own = Issuer(
        url=URL, audience=AUDIENCE, role_claim="role", party_claim="org", partnerships_claim="may"
    )
    read = Tokens([own], issuer.fetch).identity

    auditor = read(issuer.sign(claims(role="auditor", may=[OURS])))
    service = read(issuer.sign(claims(role="service", org="initech", may=["initech-hooli"])))

    assert (auditor.role, auditor.party, auditor.partnerships) == (
        Role.AUDITOR,
        None,
        frozenset({OURS}),
    )
    assert (service.role, service.party, service.actor) == (Role.SERVICE, "initech", "00u1")
    assert service.scopes == {Scope.READ, Scope.EMIT}


@pytest.mark.parametrize(
    "given",
    [
        {"email": None},
        {"email": ""},
        {"email": "a\nb"},
        {"email": ["maya"]},
        {"scope": "accord:operate"},
        {"scope": "accord:reed"},
        {"scope": "Accord:read"},
        {"scope": "openid,accord:read"},
        {"scope": 3},
        {"scope": {"accord:read": True}},
        {"scp": [["accord:read"]]},
        {"email_verified": False},
        {"email_verified": "false"},
    ],
)
def test_claims_that_give_no_grant_are_refused(issuer: Made, tokens: Tokens, given: Claims) -> None:
    with pytest.raises(Refused):
        tokens.identity(issuer.sign(claims(**given)))


@pytest.mark.parametrize(
    "given",
    [
        {"role": "operator", "org": "initech"},
        {"role": "party"},
        {"role": "anyone"},
        {"role": "invited"},
        {"role": "king"},
        {"role": "party", "org": "Initech"},
        {"role": "party", "org": " initech"},
        {"role": "party", "org": "initech hooli"},
        {"role": "party", "org": ["initech"]},
        {"role": "party", "org": ["initech", "growthos"]},
        {"role": "party", "org": "initech", "may": []},
        {"role": "party", "org": "initech", "may": None},
        {"role": None},
        {"sub": "account root"},
        {"sub": "Clock"},
        {"sub": "person:" + "0" * 64},
    ],
)
def test_claims_beyond_a_role_are_refused(issuer: Made, given: Claims) -> None:
    own = Issuer(
        url=URL, audience=AUDIENCE, role_claim="role", party_claim="org", partnerships_claim="may"
    )
    usual = {"role": "party", "may": [OURS]}

    with pytest.raises(Refused):
        Tokens([own], issuer.fetch).identity(issuer.sign(claims(**usual | given)))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"sub": "a\nb"}, "the claim sub has no name of a person"),
        ({"sub": "a\u200bb"}, "the claim sub has no name of a person"),
        ({"scope": "accord:reed"}, "the claim scope or scp has a scope that Accord does not know"),
        ({"scp": 3}, "the claim scp is neither a text nor a list of texts"),
        ({"role": "king"}, "the claim role has no role that Accord knows"),
        ({"org": "Initech"}, "the claim org has no name of a party"),
        ({"may": None}, "the claim may has no list of names of partnerships"),
        ({"may": []}, "the claim may names no partnership"),
    ],
)
def test_a_token_that_gives_nothing_is_refused_in_plain_words(
    issuer: Made, given: Claims, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    own = Issuer(
        url=URL, audience=AUDIENCE, role_claim="role", party_claim="org", partnerships_claim="may"
    )
    usual = {"role": "party", "org": "initech", "may": [OURS]}

    with pytest.raises(Refused) as refused:
        Tokens([own], issuer.fetch).identity(issuer.sign(claims(**usual | given)))

    assert refused.value.rule == "token-grant"
    assert why in refused.value.detail
    assert why in caplog.text


def test_the_issuer_of_a_party_makes_no_operator(issuer: Made) -> None:
    token = issuer.sign(claims(role="operator"))
    naming_roles = GROWTHOS.model_copy(update={"role_claim": "role"})

    assert Tokens([GROWTHOS], issuer.fetch).identity(token).role is Role.PARTY
    with pytest.raises(Refused):
        Tokens([naming_roles], issuer.fetch).identity(token)


# --- tokens that are not valid -----------------------------------------------------------------


def unsigned(_: Made) -> str:
    return f"{part({'alg': 'none', 'kid': 'k1'})}.{part(claims())}."


def with_public_key_as_secret(issuer: Made) -> str:
    public = issuer.keys["k1"].public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    said = f"{part({'alg': 'HS256', 'kid': 'k1'})}.{part(claims())}"
    mac = hmac.digest(pem, said.encode(), sha256)
    return f"{said}.{encoded(mac)}"


def with_a_published_secret(issuer: Made) -> str:
    """Everyone can read that secret. Only the list of algorithms refuses this one."""
    issuer.secrets["k9"] = b"s" * 32
    return jwt.encode(claims(), issuer.secrets["k9"], "HS256", {"kid": "k9"})


def of_another_key_of_the_same_name(_: Made) -> str:
    return Made().sign(claims())


def with_its_own_key_in_the_header(_: Made) -> str:
    mallory = Made()
    return mallory.sign(claims(), jwk=mallory.jwk("k1"))


def with_another_algorithm_of_its_own_key(_: Made) -> str:
    return jwt.encode(claims(), rsa.generate_private_key(65537, 2048), "RS256", {"kid": "k1"})


def tampered(issuer: Made) -> str:
    head, _, mark = issuer.sign(claims()).split(".")
    return f"{head}.{part(claims(email='ceo@growthos.example'))}.{mark}"


def of_no_text(_: Made) -> str:
    return f"{part({'alg': 'ES256', 'kid': 'k1'})}.{part(claims(iss=[URL]))}.AA"


def nested(_: Made) -> str:
    deep = encoded(b'{"iss":' + b"[" * 20_000)
    return f"{part({'alg': 'ES256'})}.{deep}.AA"


def written(header: bytes, payload: bytes) -> Callable[[Made], str]:
    """A token of these very bytes, which the issuer signed."""

    def sign(issuer: Made) -> str:
        said = f"{encoded(header)}.{encoded(payload)}"
        algorithm = jwt.get_algorithm_by_name("ES256")
        return f"{said}.{encoded(algorithm.sign(said.encode(), issuer.keys['k1']))}"

    return sign


HEADER = b'{"alg":"ES256","kid":"k1"}'


def with_more(text: str) -> bytes:
    """The usual claims, and a text behind the last one."""
    return orjson.dumps(claims())[:-1] + text.encode() + b"}"


def signed(
    header: Mapping[str, Any] | None = None,
    **given: Any,  # noqa: ANN401 - any claim
) -> Callable[[Made], str]:
    return lambda issuer: issuer.sign(claims(**given), **header or {})


WRONG: dict[str, Callable[[Made], str]] = {
    "without a signature": unsigned,
    "with the public key as a secret": with_public_key_as_secret,
    "with a secret that its issuer publishes": with_a_published_secret,
    "of another key of the same name": of_another_key_of_the_same_name,
    "with its own key in the header": with_its_own_key_in_the_header,
    "with another algorithm": with_another_algorithm_of_its_own_key,
    "whose claims were changed": tampered,
    "of another issuer": signed(iss="https://login.mallory.example"),
    "of no issuer": signed(iss=None),
    "of an issuer that is no text": of_no_text,
    "for another audience": signed(aud="https://other.example"),
    "for no audience": signed(aud=None),
    "that is expired": lambda issuer: issuer.sign(claims(exp=now() - LEEWAY - 1)),
    "that never expires": signed(exp=None),
    "that expires beyond the calendar": signed(exp=10**20),
    "that is not valid yet": lambda issuer: issuer.sign(claims(nbf=now() + LEEWAY + 30)),
    "that is of tomorrow": lambda issuer: issuer.sign(claims(iat=now() + 86_400)),
    "without the moment of its making": signed(iat=None),
    "for a logout": signed({"typ": "logout+jwt"}),
    "with an unknown extension": signed({"crit": ["x"], "x": 1}),
    "that is bound to a key": signed(cnf={"jkt": "x"}),
    "of an unknown key": signed({"kid": "k2"}),
    "without the name of its key": lambda issuer: jwt.encode(claims(), issuer.keys["k1"], "ES256"),
    "that is nested without end": nested,
    "with a person twice": written(HEADER, with_more(',"email":"ceo@growthos.example"')),
    "with an audience twice": written(HEADER, with_more(f',"aud":"{AUDIENCE}"')),
    "with a member of a claim twice": written(HEADER, with_more(',"x":{"a":1,"a":2}')),
    "with a key twice": written(b'{"kid":"k2","alg":"ES256","kid":"k1"}', orjson.dumps(claims())),
    "in another encoding": written(HEADER, orjson.dumps(claims()).decode().encode("utf-16")),
    "with padding": lambda issuer: issuer.sign(claims()) + "==",
    "that is no token": lambda _: "a.b.c",
}


@pytest.mark.parametrize("made", WRONG.values(), ids=WRONG)
def test_a_wrong_token_is_refused_in_the_words_of_any_other(
    issuer: Made, tokens: Tokens, made: Callable[[Made], str]
) -> None:
    with pytest.raises(Unauthenticated) as refused:
        tokens.identity(made(issuer))

    assert refused.value.detail == "The token is not valid here."
    assert refused.value.error == "invalid_token"


def test_a_clock_may_differ_by_a_minute(issuer: Made, tokens: Tokens) -> None:
    for given in ({"exp": now() - LEEWAY + 5}, {"nbf": now() + LEEWAY - 5}):
        assert tokens.identity(issuer.sign(claims(**given))).party == "growthos"


def test_an_issuer_speaks_for_its_own_party_alone() -> None:
    ours, theirs = Made(), Made()
    url = "https://login.initech.example"
    by_url = {URL: ours, url: theirs}
    both = Tokens(
        [GROWTHOS, Issuer(url=url, audience=AUDIENCE, party="initech")],
        lambda asked: by_url[asked].fetch(asked),
    )

    assert both.identity(theirs.sign(claims(iss=url))).party == "initech"
    assert both.identity(theirs.sign(claims(iss=url, party="growthos"))).party == "initech"
    with pytest.raises(Unauthenticated):
        both.identity(theirs.sign(claims()))


def test_the_log_has_the_reason_and_not_the_token(
    issuer: Made, tokens: Tokens, caplog: pytest.LogCaptureFixture
) -> None:
    """It is a warning, which a server that nobody configured writes too."""
    caplog.set_level(logging.WARNING)
    token = tampered(issuer)

    with pytest.raises(Unauthenticated):
        tokens.identity(token)

    assert "Signature verification failed" in caplog.text
    assert token not in caplog.text
    assert "ceo@" not in caplog.text


# --- the keys of an issuer ---------------------------------------------------------------------


@dataclass
class Time:
    """A clock that a test sets."""

    at: float = 1000.0

    def __call__(self) -> float:
        return self.at


def test_keys_are_fetched_once_while_they_are_fresh(issuer: Made) -> None:
    time = Time()
    keys = Keys(URL, issuer.fetch, time)
    for _ in range(3):
        assert keys.get("k1")
    time.at += FRESH - 1
    assert keys.get("k1")

    assert issuer.fetched == 1
    time.at += 1
    assert keys.get("k1")
    assert issuer.fetched == 2


def test_a_new_key_is_found_and_unknown_ones_cost_one_fetch_in_a_while(issuer: Made) -> None:
    time = Time()
    keys = Keys(URL, issuer.fetch, time)
    keys.get("k1")
    issuer.rotate("k2")
    time.at += AGAIN

    assert keys.get("k2")
    assert keys.get("k1") is None
    for number in range(100):
        assert keys.get(f"guess-{number}") is None
    assert issuer.fetched == 2


def test_keys_outlive_an_issuer_that_does_not_answer_for_a_while(issuer: Made) -> None:
    time = Time()
    keys = Keys(URL, issuer.fetch, time)
    keys.get("k1")
    issuer.is_up = False

    time.at += STALE - 1
    assert keys.get("k1")
    time.at += 1
    with pytest.raises(IssuerUnreachable):
        keys.get("k1")

    issuer.is_up = True
    time.at += AGAIN
    assert keys.get("k1")


def test_an_issuer_that_is_down_is_not_asked_for_each_token(issuer: Made) -> None:
    issuer.is_up = False
    keys = Keys(URL, issuer.fetch, Time())
    for _ in range(10):
        with pytest.raises(IssuerUnreachable):
            keys.get("k1")

    assert issuer.fetched == 1


def test_while_one_thread_fetches_the_others_go_on_with_the_keys_they_have(issuer: Made) -> None:
    time = Time()

    def slow(url: str) -> Mapping[str, jwt.PyJWK]:
        if issuer.fetched:
            sleep(1)
        return issuer.fetch(url)

    keys = Keys(URL, slow, time)
    keys.get("k1")
    time.at += FRESH
    fetching = Thread(target=keys.get, args=("k1",))
    fetching.start()
    sleep(0.1)

    began = monotonic()
    assert keys.get("k1")
    assert monotonic() - began < 0.5
    fetching.join()


# --- the file of issuers -----------------------------------------------------------------------


def test_the_file_lists_issuers(tmp_path: Path) -> None:
    file = tmp_path / "issuers.toml"
    file.write_text(
        f'[[issuer]]\nurl = "{URL}"\naudience = "{AUDIENCE}"\nparty = "growthos"\n'
        'person_claim = "email"\n'
    )

    assert read_issuers(file) == (GROWTHOS,)
    assert read_issuers(None) == ()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x", "cannot be used"),
        ("[[issuer]]\n", "issuer.0.url: Field required"),
        ('[[issuer]]\nurl = "http://a.example"\naudience = "x"\n', "not an https:// address"),
        (f'[[issuer]]\nurl = "{URL}"\naudience = "x"\nclients = 1\n', "issuer.0.clients"),
        (
            f'[[issuer]]\nurl = "{URL}"\naudience = "x"\nparty = "a"\nparty_claim = "b"\n',
            "exclude each other",
        ),
        (f'[[issuer]]\nurl = "{URL}"\naudience = "x"\n' * 2, "is there twice"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "issuers.toml"
    file.write_text(text)

    with pytest.raises(WrongSetting) as refused:
        read_issuers(file)

    assert why in str(refused.value)
    assert str(refused.value).startswith("ACCORD_ISSUERS: ")


def test_a_server_with_issuers_needs_no_key_and_is_not_open() -> None:
    check_open("127.0.0.1", is_open=False, has_keys=False, has_issuers=True)
    with pytest.raises(WrongSetting, match="ACCORD_ISSUERS"):
        check_open("127.0.0.1", is_open=True, has_keys=False, has_issuers=True)


# --- over HTTP ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    """A served store with a partnership of growthos and one of initech."""

    accord: Accord
    workers: Workers
    client: TestClient
    issuer: Made

    def token(self, **given: Any) -> str:  # noqa: ANN401 - any claim
        return self.issuer.sign(claims(**given))

    def send(self, token: str, event: Mapping[str, Any], path: str = "/v1/events") -> Response:
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/cloudevents+json",
        }
        found: Response = self.client.post(path, content=orjson.dumps(event), headers=headers)
        return found

    def get(self, token: str, path: str) -> Response:
        found: Response = self.client.get(path, headers={"Authorization": f"Bearer {token}"})
        return found

    def actors(self) -> list[str]:
        return list(names(self.accord.history, OURS).values())


@pytest.fixture
def world(tmp_path: Path, issuer: Made) -> Iterator[World]:
    settings = Settings(store=f"sqlite:///{tmp_path}/accord.db")
    init(settings)
    with bootstrap(settings) as accord, accord.workers() as workers:
        accord.service.handle([beginning(OURS), beginning("initech-hooli", party="initech")])
        accord.catch_up()
        tokens = Tokens([GROWTHOS], issuer.fetch)
        with TestClient(create_app(accord, workers, tokens=tokens)) as client:
            yield World(accord, workers, client, issuer)


def event(**more: object) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(candidate("north")) | more
    return {name: each for name, each in found.items() if each is not None}


def test_the_actor_of_an_event_comes_from_the_token(world: World) -> None:
    answer = world.send(world.token(), event(actor=None))

    assert answer.status_code == 200
    assert "maya@growthos.example" in world.actors()


def test_each_event_of_a_batch_has_the_actor_of_the_token(world: World) -> None:
    lines = b"\n".join(orjson.dumps(event(actor=None, id=f"b{number}")) for number in range(2))
    headers = {
        "Authorization": f"Bearer {world.token()}",
        "Content-Type": "application/x-ndjson",
    }

    answer = world.client.post("/v1/events", content=lines, headers=headers).json()

    assert [each["rule"] for each in answer["results"]][:1] == [None]
    assert "maya@growthos.example" in world.actors()


@pytest.mark.parametrize("path", ["/v1/events", "/v1/validate"])
def test_nobody_sends_an_event_in_the_name_of_another_person(world: World, path: str) -> None:
    answer = world.send(world.token(), event(actor="ceo@growthos.example"), path)

    told = answer.json()
    rule = told["rule"] if path == "/v1/events" else told["items"][0]["rule"]
    assert rule == "not-your-name"
    assert answer.status_code == (403 if path == "/v1/events" else 200)
    assert "ceo@growthos.example" not in world.actors()


def test_a_token_of_a_party_acts_for_no_other_and_sees_no_other(world: World) -> None:
    sent = world.send(world.token(), event(party="initech", subject="initech-hooli", actor=None))

    assert (sent.status_code, sent.json()["rule"]) == (403, "not-your-party")
    assert world.get(world.token(), "/v1/partnerships/initech-hooli").status_code == 403
    listed = world.get(world.token(), "/v1/partnerships").json()
    assert [each["id"] for each in listed["items"]] == [OURS]


def test_a_key_is_as_good_as_before(world: World) -> None:
    grant = Grant(role=Role.PARTY, party="growthos", actor="crm")
    key = credentials.create(world.accord.history.credentials, grant, datetime.now(UTC)).key

    assert world.get(key, "/v1/partnerships").status_code == 200
    assert world.send(key, event(actor="anna")).status_code == 200


@pytest.mark.parametrize("name", ["without a signature", "for another audience", "that is expired"])
def test_a_wrong_token_is_answered_401(world: World, name: str) -> None:
    answer = world.get(WRONG[name](world.issuer), "/v1/partnerships")

    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "The token is not valid here."


def test_a_valid_token_without_a_grant_is_answered_403(world: World) -> None:
    answer = world.get(world.token(email=None), "/v1/partnerships")

    assert (answer.status_code, answer.json()["rule"]) == (403, "token-grant")


def test_an_issuer_that_does_not_answer_is_answered_503(world: World) -> None:
    world.issuer.is_up = False

    answer = world.get(world.token(), "/v1/partnerships")

    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "does not answer" in answer.json()["detail"]


def test_who_tries_wrong_tokens_has_to_wait(world: World) -> None:
    statuses = [
        world.get(tampered(world.issuer), "/v1/partnerships").status_code for _ in range(MOST + 1)
    ]

    assert statuses == [401] * MOST + [429]


STAFF = Issuer(url="https://login.operator.example", audience=AUDIENCE, role=Role.OPERATOR)
"""The operator's own issuer."""


def test_a_key_that_a_token_makes_ends_with_the_token_at_the_latest(
    world: World, issuer: Made
) -> None:
    tokens = Tokens([STAFF], issuer.fetch)
    ends = now() + 600
    token = issuer.sign(claims(iss=STAFF.url, exp=ends))
    asked = {"role": "operations", "actor": "pager"}

    def made(**more: object) -> tuple[int, str | None]:
        with TestClient(create_app(world.accord, world.workers, tokens=tokens)) as client:
            headers = {"Authorization": f"Bearer {token}"}
            found = client.post("/v1/keys", json=asked | more, headers=headers)
        return found.status_code, found.json().get("rule")

    assert made() == (422, "beyond-maker")
    assert made(expires_at=moment(ends + 1)) == (422, "beyond-maker")
    assert made(expires_at=moment(ends)) == (200, None)


def test_who_signs_in_can_invite_a_party_whose_key_lasts(world: World, issuer: Made) -> None:
    token = issuer.sign(claims(iss=STAFF.url))
    app = create_app(world.accord, world.workers, tokens=Tokens([STAFF], issuer.fetch))

    with TestClient(app) as client:
        headers = {"Authorization": f"Bearer {token}"}
        found = client.post("/v1/invitations", json={"party": "north"}, headers=headers)

    assert found.status_code == 200


def moment(seconds: int) -> str:
    return instant(datetime.fromtimestamp(seconds, UTC))


def test_a_stream_ends_when_its_token_expires(world: World) -> None:
    token = world.token(exp=now() + 2)
    ended: list[float] = []

    def follow() -> None:
        world.get(token, STREAM)
        ended.append(monotonic())

    began = monotonic()
    reader = Thread(target=follow)
    reader.start()
    reader.join(8)

    assert not reader.is_alive()
    assert 0.5 < ended[0] - began < 6
