"""An operator makes, lists, rotates and revokes API keys at a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

import consumers.command  # noqa: F401 - it adds commands
from infra.bootstrap import bootstrap
from infra.cli import options
from infra.http import create_app
from infra.http.server import Server
from infra.running.listening import listening
from infra.settings import Settings
from tests.journeys.typed import Accord


@pytest.fixture(autouse=True)
def _store(accord: Accord) -> None:
    accord("init")


def test_a_new_key_alone_is_on_stdout_and_is_never_shown_again(accord: Accord) -> None:
    made = accord("keys", "create", "--party", "growthos", "--actor", "maya.ortiz")
    prefix = made.out[: len("accord_0123456789ab_")]

    assert made.out.count("\n") == 1
    assert "It is not shown again" in made.err
    listed = accord("keys", "list", "--json")
    assert listed.json["items"][0]["prefix"] == prefix
    assert made.out.strip() not in listed.out
    assert made.out.strip() not in accord("keys", "list").out


def test_a_key_says_whose_it_is_and_what_it_may_do(accord: Accord) -> None:
    accord(
        *("keys", "create", "--role", "service", "--party", "growthos", "--actor", "billing"),
        *("--event", "payment", "--partnership", "growthos-brightpath", "--expires", "90d"),
    )

    (key,) = accord("keys", "list", "--json").json["items"]
    assert (key["party"], key["role"], key["actor"]) == ("growthos", "service", "billing")
    assert key["scopes"] == ["emit", "read"]
    assert key["events"] == ["payment"]
    assert key["partnerships"] == ["growthos-brightpath"]
    assert key["expires_at"] is not None
    assert "emit, read, payment, growthos-brightpath" in accord("keys", "list").out


def test_a_rotated_key_has_a_successor_and_an_end(accord: Accord) -> None:
    accord("keys", "create", "--role", "operator")
    (old,) = accord("keys", "list", "--json").json["items"]

    new = accord("keys", "rotate", old["id"], "--until", "2h", "--json").json

    assert new["about"]["role"] == "operator"
    assert new["replaces"]["id"] == old["id"]
    assert new["replaces"]["replaced_by"] == new["about"]["id"]
    assert new["replaces"]["expires_at"] is not None


def test_a_key_goes_to_a_new_file_for_its_owner_alone(accord: Accord, tmp_path: Path) -> None:
    accord("keys", "create", "--role", "operator", "--out", "first.token")
    (old,) = accord("keys", "list", "--json").json["items"]

    rotated = accord("keys", "rotate", old["id"], "--out", "second.token")
    taken = [
        accord("keys", "create", "--role", "operator", "--out", "first.token"),
        accord("keys", "rotate", old["id"], "--out", "first.token"),
        accord("keys", "invite", "--party", "northwind", "--out", "first.token"),
    ]

    assert rotated.out == ""
    assert "The old key" in rotated.err
    assert {
        (tmp_path / each).stat().st_mode & 0o777 for each in ("first.token", "second.token")
    } == {0o600}
    assert [each.code for each in taken] == [2, 2, 2]
    assert all("first.token exists already, so nothing was made." in each.err for each in taken)
    assert len(accord("keys", "list", "--json").json["items"]) == 2


def test_a_key_that_has_expired_already_is_not_made(accord: Accord) -> None:
    made = accord("keys", "create", "--role", "operator", "--expires", "2020-01-01")

    assert made.code == 1
    assert "A key that is made now cannot have expired at 2020-01-01" in made.err
    assert accord("keys", "list", "--json").json["items"] == []


def test_a_partnership_that_does_not_exist_is_warned_of(accord: Accord) -> None:
    accord("keys", "create", "--party", "acme", "--partnership", "acme-nroth", "--out", "a.token")

    assert (
        "There is no partnership acme-nroth yet."
        in accord(*("keys", "create", "--party", "acme", "--partnership", "acme-nroth")).err
    )


def test_a_party_is_listed_the_keys_that_act_for_it(accord: Accord) -> None:
    for party in ("acme", "north"):
        accord("keys", "create", "--party", party, "--actor", f"{party}-boss")

    shown = accord("keys", "list", "--party", "acme", "--json").json["items"]

    assert [each["actor"] for each in shown] == ["acme-boss"]


def test_a_revoked_key_is_listed_as_such(accord: Accord) -> None:
    accord("keys", "create", "--role", "operator")
    (key,) = accord("keys", "list", "--json").json["items"]

    assert f"{key['id']} of" in accord("keys", "revoke", key["id"]).out
    assert "revoked since" in accord("keys", "list").out


def test_an_invitation_alone_is_on_stdout_and_is_listed_without_its_secret(accord: Accord) -> None:
    made = accord("keys", "invite", "--party", "northwind", "--expires", "14d")

    assert made.out.startswith("accord_")
    assert made.out.count("\n") == 1
    assert "Invited northwind. The invitation is valid once until" in made.err
    (listed,) = accord("keys", "list", "--json").json["items"]
    assert (listed["role"], listed["party"]) == ("invited", "northwind")
    assert made.out.strip() not in accord("keys", "list").out


def test_an_invitation_to_a_file_warns_of_a_name_that_is_close_to_a_known_one(
    accord: Accord,
) -> None:
    accord("keys", "create", "--party", "growthos")

    made = accord("keys", "invite", "--party", "growth0s", "--out", "invitation")

    assert "The name growth0s is close to growthos" in made.err
    assert made.out == ""


@contextmanager
def serving() -> Iterator[str]:
    """Serve the store of this folder; yield the server's address."""
    settings = Settings(store="sqlite:///accord.db")
    with (
        bootstrap(settings) as found,
        found.workers() as workers,
        listening("127.0.0.1", 0) as sock,
    ):
        server = Server(create_app(found, workers))
        thread = Thread(target=server.run, args=([sock],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


def test_a_party_enrols_at_its_own_terminal_once(accord: Accord, tmp_path: Path) -> None:
    accord("keys", "invite", "--party", "northwind", "--out", "invitation")
    enrol = ("--invitation", "invitation", "--actor", "nora", "--out")

    with serving() as url:
        made = accord("keys", "enrol", url, *enrol, "nora.token")
        again = accord("keys", "enrol", url, *enrol, "mallory.token")

    assert made.code == 0, made.err
    assert "Made the first API key of northwind, for nora" in made.err
    assert (tmp_path / "nora.token").stat().st_mode & 0o777 == 0o600
    key = (tmp_path / "nora.token").read_text().strip()
    assert key.startswith("accord_")
    assert key not in made.out + made.err
    assert again.code == 1
    assert "The invitation has been used." in again.err
    assert not (tmp_path / "mallory.token").exists()


def test_an_invitation_is_not_sent_without_encryption_or_for_nothing(accord: Accord) -> None:
    accord("keys", "invite", "--party", "northwind", "--out", "invitation")
    enrol = ("--invitation", "invitation", "--out")

    plain = accord("keys", "enrol", "http://accord.example", *enrol, "nora.token")
    taken = accord("keys", "enrol", "https://accord.example", *enrol, "invitation")

    assert (plain.code, taken.code) == (2, 2)
    assert "is not encrypted" in plain.err
    assert "exists already" in taken.err


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        (("revoke", "0123456789ab"), "accord keys list"),
        (("rotate", "0123456789ab"), "accord keys list"),
        (("create",), "Give the party"),
        (("invite", "--party", "accord"), "another name"),
        (("invite", "--party", "acme", "--expires", "91d"), "such as 7d"),
        (("create", "--role", "auditor"), "Give each partnership"),
    ],
)
def test_what_cannot_be_done_is_one_line_with_a_hint(
    accord: Accord, typed: tuple[str, ...], hint: str
) -> None:
    ran = accord("keys", *typed)

    assert ran.code == 1
    assert hint in ran.err
    assert ran.err.count("\n") == 1


def test_the_help_shows_every_command_in_its_place(accord: Accord) -> None:
    told = accord("keys", "--help", columns=200).out

    assert [each for each in options.KEYS if f"│ {each} " in told] == list(options.KEYS)
