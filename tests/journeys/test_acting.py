"""Each act of the operator's people at the command line names a person.

The story: Olga of the operator has a key. What she looks at, exports and erases is on record in her
name. Without a key the record names an account of this machine, and says that it is no more.
"""

from collections.abc import Callable
from getpass import getuser
from pathlib import Path

import pytest

from domain.kernel import ACCOUNT
from tests.infra.messages import beginning
from tests.journeys.typed import Accord

ID = "growthos-brightpath"
ACCOUNT_NAME = ACCOUNT + getuser()

Act = Callable[[Accord, Path], None]


def looks(accord: Accord, _: Path) -> None:
    assert accord("show", ID, "--full", "Dispute 7 of the parties").code == 0


def exports(accord: Accord, folder: Path) -> None:
    ran = accord("audit", "bundle", ID, "-o", str(folder / "b.zip"), "--reason", "Dispute 7")
    assert ran.code == 0, ran.err


def erases(accord: Accord, _: Path) -> None:
    ran = accord("erase", ID, "growthos-manager", "--reason", "A person asked")
    assert ran.code == 0, ran.err


ON_RECORD: dict[Act, str] = {
    looks: "FullViewTaken",
    exports: "BundleExported",
    erases: "PersonErased",
}
"""The event of each act."""


@pytest.fixture(autouse=True)
def _demo(accord: Accord) -> None:
    accord("init")
    assert accord("ingest", "-", stdin=beginning(ID)).code == 0


@pytest.fixture
def olga(accord: Accord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return acting(accord, tmp_path / "olga.token", monkeypatch, "--role", "operator")


def acting(
    accord: Accord, file: Path, monkeypatch: pytest.MonkeyPatch, *grant: str, actor: str = "olga"
) -> Path:
    made = accord("keys", "create", *grant, "--actor", actor, "--out", str(file))
    assert made.code == 0, made.err
    monkeypatch.setenv("ACCORD_CREDENTIAL", str(file))
    return file


def actors(accord: Accord, type_: str) -> list[str]:
    """The names in which events of a type were recorded, as the history shows them."""
    items = accord("history", ID, "--json").json["items"]
    return [
        each["people"].get(each["event"]["actor"], each["event"]["actor"])
        for each in items
        if each["event"] and each["event"]["type"] == type_
    ]


@pytest.mark.parametrize("act", ON_RECORD)
def test_an_act_is_on_record_in_the_name_of_the_person_of_the_key(
    accord: Accord, olga: Path, act: Act
) -> None:
    act(accord, olga.parent)

    assert actors(accord, ON_RECORD[act])[-1] == "olga"


@pytest.mark.parametrize("act", ON_RECORD)
def test_without_a_key_the_record_names_an_account_of_this_machine(
    accord: Accord, tmp_path: Path, act: Act
) -> None:
    act(accord, tmp_path)

    assert actors(accord, ON_RECORD[act])[-1] == ACCOUNT_NAME


def test_a_refusal_is_dismissed_and_a_party_invited_in_the_name_of_the_person(
    accord: Accord, olga: Path
) -> None:
    assert olga.exists()
    accord("ingest", "-", stdin=b"{}")
    accord("dismiss", "--all")
    accord("keys", "invite", "--party", "northwind")

    dismissed = accord("refusals", "--all", "--json").json["items"][-1]
    invited = accord("keys", "list", "--json").json["items"][-1]
    assert dismissed["dismissed_by"] == "olga"
    assert (invited["role"], invited["actor"]) == ("invited", "olga")


def test_a_key_of_a_party_does_not_act_for_the_operator(
    accord: Accord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acting(accord, tmp_path / "maya.token", monkeypatch, "--party", "growthos", actor="maya")

    ran = accord("show", ID, "--full", "Curious")

    assert ran.code == 1
    assert "needs the scope operate" in ran.err
    assert actors(accord, "FullViewTaken") == []


@pytest.mark.parametrize("act", ON_RECORD)
def test_a_key_of_the_operator_acts_in_its_partnerships_alone(
    accord: Accord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: Act
) -> None:
    file = tmp_path / "olga.token"
    acting(accord, file, monkeypatch, "--role", "operator", "--partnership", "initech-hooli")

    with pytest.raises(AssertionError):
        act(accord, tmp_path)

    assert "limited to other partnerships" in accord("show", ID, "--full", "Dispute 7").err
    assert actors(accord, ON_RECORD[act]) == []


@pytest.mark.parametrize(
    ("grant", "why"),
    [
        (["--scope", "read"], "needs the scope sign"),
        (["--role", "service"], "needs the scope sign"),
        (["--event", "payment"], "does not send ErasePerson"),
        (["--partnership", "growthos-other"], "limited to other partnerships"),
    ],
)
def test_a_key_of_a_party_acts_as_far_as_it_reaches(
    accord: Accord,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    grant: list[str],
    why: str,
) -> None:
    """Over HTTP the same key is refused in the same words."""
    acting(accord, tmp_path / "m.token", monkeypatch, "--party", "growthos", *grant, actor="maya")

    ran = accord(
        "erase", ID, "growthos-manager", "--reason", "A person asked", "--party", "growthos"
    )

    assert ran.code == 1
    assert why in " ".join(ran.err.split())
    assert actors(accord, "PersonErased") == []


def test_a_key_of_a_party_that_may_erase_does(
    accord: Accord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant = ["--party", "growthos", "--event", "ErasePerson", "--partnership", ID]
    acting(accord, tmp_path / "m.token", monkeypatch, *grant, actor="maya")

    ran = accord(
        "erase", ID, "growthos-manager", "--reason", "A person asked", "--party", "growthos"
    )

    assert ran.code == 0, ran.err
    assert actors(accord, "PersonErased") == ["maya"]


def test_a_revoked_key_does_not_act(accord: Accord, olga: Path) -> None:
    assert olga.exists()
    (key,) = accord("keys", "list", "--json").json["items"]
    accord("keys", "revoke", key["id"])

    ran = accord("show", ID, "--full", "Dispute 7")

    assert ran.code == 1
    assert "The API key is revoked" in ran.err
    assert actors(accord, "FullViewTaken") == []


def test_a_file_that_is_missing_is_named(
    accord: Accord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCORD_CREDENTIAL", str(tmp_path / "none.token"))

    ran = accord("show", ID, "--full", "Dispute 7")

    assert ran.code == 1
    assert "none.token" in ran.err
