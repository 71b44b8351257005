"""Either party watches over the log: it makes a key, cosigns what grew, and proves a fork."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.audit import cosigning
from infra.tlog.keys import Signer
from infra.tlog.notes import Note, Verifier, written_proof
from infra.tlog.policy import Policy
from tests.audit.logs import LOG, NAME, OPERATOR, ORIGIN, Log
from tests.journeys.typed import PROGRAM, Accord

BRIGHTPATH = ("--name", "brightpath.example", "--key", "key", "--state", "seen.db")


@pytest.fixture
def party(accord: Accord) -> Verifier:
    """A party with a key, as others know it."""
    told = accord("keygen", "key", "--name", "brightpath.example", "--json").json
    return Verifier.read(told["cosigns"])


def given(name: str, text: object) -> str:
    Path(name).write_text(str(text))
    return name


def test_a_key_is_made_once_and_its_public_part_printed(accord: Accord) -> None:
    made = accord("keygen", "key", "--name", NAME)
    again = accord("keygen", "key", "--name", NAME, "--json")

    assert "Made a key: key." in made.err
    assert "exists already" in accord("keygen", "key").err
    public = Signer.load(Path("key")).public
    assert Verifier.read(again.json["signs"]).public == public
    assert list(again.json) == ["file", "made", "public", "signs", "cosigns"]
    for text in (again.json["public"], again.json["signs"], again.json["cosigns"]):
        assert f" {text}\n" in made.out
    assert "PRIVATE" not in made.out
    assert Path("key").read_text().strip().partition(":")[2] not in made.out


def test_a_name_that_cannot_be_written_makes_no_key(accord: Accord) -> None:
    ran = accord("keygen", "key", "--name", "two words")
    assert ran.code == 1
    assert "is not a key name" in ran.err
    assert not Path("key").exists()


def test_a_party_cosigns_by_hand_what_grew(accord: Accord, party: Verifier) -> None:
    log = Log([b"one", b"two", b"three"])
    asked = ("audit", "cosign", "note", *BRIGHTPATH, "--log", str(LOG))
    given("note", log.checkpoint())
    first = accord(*asked)
    assert first.code == 0
    assert Note.read(first.out).by(party)
    assert Note.read(first.out).by(LOG)

    given("note", log.grow(b"four", b"five"))
    without = accord(*asked)
    assert without.code == 3
    assert "The last cosigned one has 3 events." in without.err
    given("proof", "\n".join(written_proof(log.proof(3))))
    assert Note.read(accord(*asked, "--proof", "proof").out).by(party)


def test_a_fork_is_refused_and_shown_with_both_signatures(accord: Accord, party: Verifier) -> None:
    asked = ("audit", "cosign", "note", *BRIGHTPATH, "--log", str(LOG))
    given("note", Log([b"one", b"two"]).checkpoint())
    accord(*asked)
    assert accord("audit", "forks", "seen.db").code == 0

    given("note", Log([b"one", b"2"]).checkpoint())
    refused = accord(*asked)
    assert refused.code == 3
    assert "accord audit forks seen.db" in refused.err
    told = accord("audit", "forks", "seen.db", "--json")
    assert told.code == 1
    (fork,) = told.json["items"]
    assert fork["origin"] == ORIGIN
    cosigned, other = Note.read(fork["cosigned"]), Note.read(fork["contradicting"])
    assert cosigned.by(party)
    assert cosigned.by(LOG)
    assert other.by(LOG)
    assert cosigned.text != other.text
    assert str(other) in accord("audit", "forks", "seen.db").out


def test_a_witness_needs_the_logs_that_it_cosigns(accord: Accord, party: Verifier) -> None:
    nothing = accord("audit", "witness", *BRIGHTPATH)
    assert (nothing.code, "Name a log" in nothing.err) == (2, True)
    cosigner = accord("audit", "witness", *BRIGHTPATH, "--log", str(party))
    assert (cosigner.code, "this one cosigns" in cosigner.err) == (2, True)
    no_key = accord("audit", "witness", *BRIGHTPATH, "--operator", "accord.example")
    assert (no_key.code, "is not a verifier key" in no_key.err) == (1, True)


@contextmanager
def serving(*typed: str) -> Iterator[str]:
    """Run a witness as a process of its own; give its address."""
    with subprocess.Popen(
        [*PROGRAM, "audit", "witness", *typed, "--port", "0"], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        told = process.stderr.readline()
        found = re.search(r"listens at (http://\S+)\.$", told)
        try:
            assert found, told + process.stderr.read()
            yield found[1]
        finally:
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(20) == 0


def test_a_served_witness_cosigns_every_log_of_an_operator_and_remembers_over_a_restart(
    party: Verifier, accord: Accord
) -> None:
    operator = Verifier(NAME, LOG.kind, OPERATOR.public)
    asked = (*BRIGHTPATH, "--operator", str(operator))
    logs = [Log([b"one"], f"{NAME}/{each}") for each in ("acme", "zenith")]
    for entries in ([], [b"two", b"three"]):
        with serving(*asked) as url:
            policy = Policy.read(f"witness brightpath {party} {url}\nquorum brightpath\n")
            for log in logs:
                found = cosigning.collect(log.grow(*entries), policy, log.proof)
                assert found.lacking == {}
                assert policy.met(found.note)
            forked = Log([b"1", *logs[0].entries[1:]])
            told = cosigning.collect(forked.checkpoint(), policy, forked.proof)
            assert "forked" in told.lacking["brightpath"]
    assert len(accord("audit", "forks", "seen.db", "--json").json["items"]) == 2


def refusals(found: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - parsed JSON
    return [each for each in found["items"] if each["rule"] == "witness-refuses"]


def test_a_witness_that_refuses_is_named_with_its_reason_and_an_exit_code(
    party: Verifier, accord: Accord, monkeypatch: pytest.MonkeyPatch
) -> None:
    accord("demo")
    name = "growthos-consulting"
    operator = accord("audit", "log-key", name).out.strip()
    whole = Path("accord.db").read_bytes()
    with serving(*BRIGHTPATH, "--log", operator) as url:
        given("policy", f"witness brightpath {party} {url}\nquorum brightpath\n")
        monkeypatch.setenv("ACCORD_POLICY", "policy")
        cosigned = accord("audit", "bundle", name, "--reason", "A control.", "--out", "one.zip")
        assert (cosigned.code, cosigned.err.count("did not cosign")) == (0, 0)

        # The store is restored from a backup, and goes on as if nothing had been signed since.
        Path("accord.db").write_bytes(whole)
        smaller = accord("audit", "checkpoint", name)
        assert smaller.code == 1
        assert "The witness brightpath did not cosign: It cosigned" in smaller.err
        forked = accord(
            "audit", "bundle", name, "--reason", "Another.", "--out", "two.zip", "--json"
        )
        assert forked.code == 1
        (missing,) = forked.json["not_cosigned"]
        assert missing["witness"] == "brightpath"
        assert missing["refused"] is True
        assert "this log was forked" in missing["reason"]

        # Both parties and the operator learn of it once, and of the end of it.
        (alert,) = refusals(accord("alerts", name, "--json").json)
        assert (alert["state"], alert["severity"]) == ("open", "critical")
        assert "The witness brightpath refused to cosign the record" in alert["text"]
        history = accord("history", name, "--json", "--limit", "1000").json["items"]
        types = [each["event"]["type"] for each in history if each["event"]]
        assert types.count("CosignatureRefused") == 1
        Path("seen.db").unlink()
    with serving(*BRIGHTPATH, "--log", operator) as url:
        given("policy", f"witness brightpath {party} {url}\nquorum brightpath\n")
        assert accord("audit", "checkpoint", name).code == 0
        (alert,) = refusals(accord("alerts", name, "--json").json)
        assert alert["state"] == "resolved"
    Path("accord.db").write_bytes(whole)
    away = accord("audit", "checkpoint", name)
    assert away.code == 0
    assert "did not cosign" in away.err
