"""A policy is read as it was written, is met by whom it names, and says what is wrong with it."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.tlog.keys import Signer
from infra.tlog.notes import Checkpoint, Kind, Note, Verifier
from infra.tlog.policy import Group, NoPolicy, Policy, PolicyLog, PolicyWitness

ORIGIN = "accord.example/acme"
OPERATOR = Signer(b"o" * 32)
SIGNERS = {name: Signer(name.encode() * 16) for name in ("w1", "w2", "w3", "p1", "p#")}
VERIFIERS = {
    name: Verifier(f"{name}.example", Kind.COSIGNATURE, signer.public)
    for name, signer in SIGNERS.items()
}
LOG = Verifier(ORIGIN, Kind.NOTE, OPERATOR.public)
OTHER = Verifier("elsewhere.example/acme", Kind.NOTE, SIGNERS["w3"].public)
NOTE = Note(
    Checkpoint(ORIGIN, 3, b"r" * 32).text
).signed(ORIGIN, OPERATOR)  # fmt: skip

TEXT = f"""\
  # Two of three witnesses, and either party.
log {LOG} https://accord.example/

witness\tw1  {VERIFIERS["w1"]}\thttps://w1.example/accord
  witness w2 {VERIFIERS["w2"]}  \t
witness w3 {VERIFIERS["w3"]}
\t
witness p1 {VERIFIERS["p1"]}
witness p# {VERIFIERS["p#"]}
log {OTHER}
group witnesses 2 w1 w2 w3
group parties any p1 p#
group both all witnesses parties
quorum both
#log {LOG}
"""
POLICY = Policy.read(TEXT)


def cosigned_by(*names: str) -> Note:
    note = NOTE
    for name in names:
        note = note.cosigned(VERIFIERS[name].name, SIGNERS[name], 1_700_000_000)
    return note


def test_a_policy_lists_the_trusted_keys() -> None:
    assert POLICY.logs == (PolicyLog(LOG, "https://accord.example/"), PolicyLog(OTHER))
    assert POLICY.witnesses[0] == PolicyWitness("w1", VERIFIERS["w1"], "https://w1.example/accord")
    assert POLICY.witnesses[1].url is None
    assert POLICY.groups[2] == Group("both", 2, ("witnesses", "parties"))
    assert POLICY.quorum == "both"


def test_what_is_written_is_read_as_the_same_policy() -> None:
    assert Policy.read(str(POLICY)) == POLICY


def test_an_operators_policy_for_all_its_logs_becomes_a_bundles_without_addresses() -> None:
    own = replace(POLICY, logs=())
    bundled = Policy.read(str(own.bundled(LOG)))
    assert bundled.logs == (PolicyLog(LOG),)
    assert "https:" not in str(bundled)
    assert bundled.quorum == own.quorum


def test_the_quorum_is_met_by_two_witnesses_and_a_party_and_by_nothing_less() -> None:
    for count in range(len(SIGNERS) + 1):
        for names in combinations(SIGNERS, count):
            note = cosigned_by(*names)
            enough = sum(name[0] == "w" for name in names) >= 2 and {"p1", "p#"} & {*names}
            assert POLICY.met(note) is bool(enough), names
            assert POLICY.signed(note) == list(names)


def test_a_cosignature_that_is_wrong_or_there_twice_counts_for_nothing_more() -> None:
    twice = cosigned_by("w1", "w1", "p1")
    assert not POLICY.met(twice)
    other = Note(NOTE.text.replace("\n3\n", "\n4\n"), cosigned_by("w1", "w2", "p1").signatures)
    assert POLICY.signed(other) == []


def test_no_quorum_is_met_by_any_note_and_one_witness_can_be_the_quorum() -> None:
    assert Policy.read("quorum none\n").met(NOTE)
    one = Policy.read(f"witness w1 {VERIFIERS['w1']}\nquorum w1\n")
    assert one.met(cosigned_by("w1"))
    assert not one.met(cosigned_by("w2"))


NAMESAKE = Verifier("other.example/acme", Kind.NOTE, OPERATOR.public)
W1, W2 = (f"witness {word} {VERIFIERS[word]}\n" for word in ("w1", "w2"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no quorum"),
        ("watch w1\n", "Line 1 .* 'watch' cannot begin a line"),
        ("witness w2\n", "Line 1 .* Write it so: witness <name>"),
        (f"{W1.strip()} https://w1.example # by a friend\n", "Line 1 .* Write it so: witness"),
        ("log\n", "Write it so: log <verifier key>"),
        (f"log {LOG}\nlog {LOG}\n", "Line 2 .* Another log above has the same key"),
        (f"log {LOG}\nlog {NAMESAKE}\n", "Line 2 .* Another log above has the same key"),
        ("quorum none\r\n", "Line 1 .* control character"),
        ("quorum none\n# \x7f\n", "Line 2 .* control character"),
        ("quorum\u00a0none\n", "cannot begin a line"),
        (f"log {VERIFIERS['w1']}\n", "w1.example has a key that cosigns; use the key that signs"),
        (f"witness w1 {LOG}\n", "use the key that cosigns"),
        ("witness w1 w1.example+00+AA\n", "Line 1 .* is not a verifier key"),
        (f"{W1}witness w1 {VERIFIERS['w2']}\n", "'w1' is already in use"),
        (f"witness none {VERIFIERS['w1']}\n", "'none' is already in use"),
        (f"{W1}witness again {VERIFIERS['w1']}\n", "Another witness above has the same key"),
        (f"witness w1 {VERIFIERS['w1']} file:///etc/passwd\n", "is not a URL"),
        (f"{W1}group g 1 w1 w2\n", "'w2' is not defined above"),
        (f"{W1}group g any g\n", "'g' is not defined above"),
        (f"{W1}group g any\n", "Write it so: group <name>"),
        (f"{W1}group w1 any w1\n", "'w1' is already in use"),
        (f"{W1}group g 2 w1 w1\n", "A member is already in a group"),
        (
            f"{W1}{W2}group g any w1\ngroup h any w1 w2\n",
            "Line 4 .* A member is already in a group",
        ),
        (f"{W1}group g 2 w1\n", "'2' of 1 members is impossible"),
        (f"{W1}group g 0 w1\n", "'0' of 1 members is impossible"),
        (f"{W1}group g ² w1\n", "'²' of 1 members is impossible"),
        (f"quorum w1\n{W1}", "Line 1 .* 'w1' is not defined above"),
        ("quorum none\nquorum none\n", "Line 2 .* There is a quorum line above"),
        ("party acme AAAA\n", "'party' cannot begin a line"),
    ],
)
def test_a_malformed_policy_is_refused_with_its_line_and_a_hint(text: str, told: str) -> None:
    with pytest.raises(NoPolicy, match=told):
        Policy.read(text)


LINES = st.lists(st.sampled_from(TEXT.splitlines()), max_size=12).map("\n".join)


@given(st.text(max_size=200) | LINES)
def test_any_text_is_either_a_policy_or_refused(text: str) -> None:
    try:
        policy = Policy.read(text)
    except NoPolicy:
        return
    assert Policy.read(str(policy)) == policy


def test_names_and_comments_of_a_file_are_octets(tmp_path: Path) -> None:
    given = W1.replace(" w1 ", " \u00fc ").encode("latin-1") + b"#\xff\nquorum \xfc\n"
    (tmp_path / "policy").write_bytes(given)
    policy = Policy.load(tmp_path / "policy")
    assert policy.met(cosigned_by("w1"))
    assert Policy.read(str(policy)) == policy


def test_a_policy_of_many_logs_witnesses_and_groups_is_read() -> None:
    keys = [Signer(bytes([each]) * 32).public for each in range(64)]
    lines = [f"log {Verifier(f'{n}.example', Kind.NOTE, key)}" for n, key in enumerate(keys)]
    for number, key in enumerate(keys):
        verifier = Verifier(f"{number}.example", Kind.COSIGNATURE, key)
        lines += [f"witness w{number} {verifier}", f"group g{number} all w{number}"]
    lines += ["group all-groups all " + " ".join(f"g{n}" for n in range(64)), "quorum all-groups"]
    policy = Policy.read("\n".join(lines))
    assert len(policy.logs) == len(policy.witnesses) == len(policy.groups) - 1 == 64
