"""API keys: bound, limited, rotated and revoked, and nowhere in the store as they are sent."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from pathlib import Path

import pytest

from domain.kernel import Refused
from infra.access import credentials
from infra.access.credentials import Grant, NewKey, NoCredential, Unauthenticated
from infra.access.roles import Role, Scope
from infra.bootstrap import open_store
from infra.settings import Settings
from infra.store.credentials import Credentials
from infra.store.history import History

NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)
DAY = timedelta(days=1)
MAYA = Grant(role=Role.PARTY, party="growthos", actor="maya.ortiz")


@pytest.fixture
def keys(store: History) -> Credentials:
    return store.credentials


def refusal(keys: Credentials, key: str, now: datetime = NOW) -> str:
    with pytest.raises(Unauthenticated) as refused:
        credentials.authenticate(keys, key, now)
    assert refused.value.error == "invalid_token"
    return refused.value.detail


def of(keys: Credentials, id: str) -> credentials.Credential:
    return credentials.known(keys, id)


def test_a_key_is_made_once_and_says_who_uses_it(keys: Credentials) -> None:
    assert not keys.exist()

    made = credentials.create(keys, MAYA, NOW, NOW + DAY)
    found = credentials.authenticate(keys, made.key, NOW)

    assert keys.exist()
    assert found == made.credential
    assert made.key.startswith(found.prefix)
    assert (found.identity.party, found.identity.actor) == ("growthos", "maya.ortiz")
    assert found.identity.scopes == {Scope.READ, Scope.EMIT, Scope.SETTLE, Scope.SIGN}
    assert found.identity.credential == found.id


def test_the_store_has_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "accord.db"
    history, *_ = open_store(Settings(store=f"sqlite:///{file}"))
    with closing(history):
        made = credentials.create(history.credentials, MAYA, NOW)
    dumped = b"".join(each.read_bytes() for each in tmp_path.iterdir())

    assert made.credential.id.encode() in dumped
    assert made.key.removeprefix(made.credential.prefix).encode() not in dumped


def test_a_guessed_secret_opens_nothing(keys: Credentials) -> None:
    made, other = (credentials.create(keys, MAYA, NOW) for _ in range(2))
    guessed = made.credential.prefix + other.key.removeprefix(other.credential.prefix)

    assert refusal(keys, guessed) == "There is no such API key."
    assert refusal(keys, "accord_000000000000_" + "a" * 43) == "There is no such API key."


def test_how_long_a_refusal_takes_tells_neither_the_secret_nor_whether_a_key_exists(
    keys: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = credentials.create(keys, MAYA, NOW)
    compared: list[tuple[int, int]] = []

    def in_constant_time(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return compare_digest(one, other)

    monkeypatch.setattr("infra.access.credentials.compare_digest", in_constant_time)
    for prefix in (made.credential.prefix, "accord_000000000000_"):
        refusal(keys, prefix + "a" * 43)

    assert compared == [(32, 32), (32, 32)]


@pytest.mark.parametrize("text", ["", "accord", "accord_1_2", "accord_000000000000_", "Ünicode"])
def test_what_is_no_key_is_refused_as_such(keys: Credentials, text: str) -> None:
    assert refusal(keys, text) == "This is not an API key."


def test_an_expired_key_is_refused_from_its_last_moment_on(keys: Credentials) -> None:
    made = credentials.create(keys, MAYA, NOW, NOW + DAY)

    credentials.authenticate(keys, made.key, NOW + DAY - timedelta(microseconds=1))
    assert refusal(keys, made.key, NOW + DAY) == "The API key expired at 2026-11-29T09:00:00Z."


def test_a_revoked_key_is_refused_at_once_by_every_process(address: str, keys: Credentials) -> None:
    made = credentials.create(keys, MAYA, NOW)
    second, *_ = open_store(Settings(store=address))
    with closing(second):
        credentials.authenticate(second.credentials, made.key, NOW)

        revoked = credentials.revoke(keys, made.credential.id, NOW)

        assert revoked.revoked_at == NOW
        assert refusal(second.credentials, made.key) == "The API key is revoked."


def test_to_revoke_again_keeps_the_first_moment(keys: Credentials) -> None:
    name = credentials.create(keys, MAYA, NOW).credential.id
    credentials.revoke(keys, name, NOW)

    assert credentials.revoke(keys, name, NOW + DAY).revoked_at == NOW


def test_after_a_rotation_both_keys_are_valid_until_the_overlap_ends(keys: Credentials) -> None:
    old = credentials.create(keys, MAYA, NOW, NOW + 30 * DAY)

    new = credentials.rotate(keys, old.credential.id, NOW + DAY, NOW + 2 * DAY)

    assert new.credential.grant == old.credential.grant
    assert new.credential.expires_at == NOW + 31 * DAY
    assert of(keys, old.credential.id).replaced_by == new.credential.id
    for each in (old, new):
        credentials.authenticate(keys, each.key, NOW + DAY)
    credentials.authenticate(keys, new.key, NOW + 2 * DAY)
    assert refusal(keys, old.key, NOW + 2 * DAY).startswith("The API key expired")


def test_a_rotation_does_not_lengthen_the_life_of_the_old_key(keys: Credentials) -> None:
    old = credentials.create(keys, MAYA, NOW, NOW + DAY)

    credentials.rotate(keys, old.credential.id, NOW, NOW + 9 * DAY)

    assert of(keys, old.credential.id).expires_at == NOW + DAY


def rotated(keys: Credentials, made: NewKey) -> None:
    credentials.rotate(keys, made.credential.id, NOW, NOW + DAY)


def revoked(keys: Credentials, made: NewKey) -> None:
    credentials.revoke(keys, made.credential.id, NOW)


@pytest.mark.parametrize("change", [rotated, revoked])
def test_a_key_that_was_replaced_or_revoked_is_not_rotated(
    keys: Credentials, change: object
) -> None:
    made = credentials.create(keys, MAYA, NOW)
    assert callable(change)
    change(keys, made)
    before = credentials.listed(keys)

    with pytest.raises(NoCredential):
        credentials.rotate(keys, made.credential.id, NOW, NOW + DAY)
    assert credentials.listed(keys) == before


def test_the_last_use_is_saved_once_a_minute(keys: Credentials) -> None:
    used = credentials.create(keys, MAYA, NOW).credential
    for second in (0, 30, 59):
        used = credentials.note_use(keys, used, NOW + timedelta(seconds=second))
    assert of(keys, used.id).used_at == NOW

    credentials.note_use(keys, used, NOW + timedelta(seconds=60))
    assert of(keys, used.id).used_at == NOW + timedelta(seconds=60)


@pytest.mark.parametrize(
    ("grant", "rule"),
    [
        (Grant(role=Role.PARTY, actor="maya"), "key-party"),
        (Grant(role=Role.OPERATOR, actor="maya", party="growthos"), "key-party"),
        (Grant(role=Role.AUDITOR, actor="ada"), "key-mandate"),
        (Grant(role=Role.OPERATIONS, actor="pager", candidates=True), "key-mandate"),
        (Grant(role=Role.ANYONE, actor="ada"), "key-of-anyone"),
        (
            Grant(role=Role.OPERATIONS, actor="ada", scopes=frozenset({Scope.EMIT})),
            "key-scope",
        ),
        (
            Grant(role=Role.OPERATOR, actor="ada", scopes=frozenset({Scope.EMIT})),
            "key-scope",
        ),
        (MAYA.model_copy(update={"events": frozenset({"Payment"})}), "key-events"),
        (
            MAYA.model_copy(
                update={"events": frozenset({"payment"}), "scopes": frozenset({Scope.READ})}
            ),
            "key-events",
        ),
    ],
)
def test_a_grant_that_its_role_cannot_have_is_refused(
    keys: Credentials, grant: Grant, rule: str
) -> None:
    with pytest.raises(Refused) as refused:
        credentials.create(keys, grant, NOW)

    assert refused.value.rule == rule
    assert not keys.exist()
