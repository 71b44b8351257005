"""An operator makes, lists, rotates and revokes API keys at a terminal."""

import pytest

import consumers.command  # noqa: F401 - it adds commands
from infra.cli import options
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
