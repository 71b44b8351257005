"""`accord next`: what each party can do now, what closed gates require, and what is due."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.agreement import ProposeTerms
from domain.dispute import AcceptResolution
from domain.examples import EXAMPLES, LIFE, OURS, THEIRS
from domain.exploration import ChoosePartner
from domain.formation import DraftAgreement, SignAgreement
from domain.gates import ProposeWaiver
from infra.answers import next as answer
from infra.answers.inbox import INBOX
from infra.answers.logs import AsOf, NotFound
from infra.answers.next import Met, Next, PartyNext
from infra.bootstrap import Accord
from infra.deciding import intake
from infra.deciding.intake import Input
from infra.store.history import partnerships
from projections.visibility import Viewer
from tests.feeds import FEEDS, messages, played, simulated
from tests.infra.answers.helpers import printed
from tests.infra.messages import from_steps, message
from tests.life import example
from tests.sweeps import EVERYTHING, sweep

ID = "growthos-brightpath"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Accord]:
    with simulated(tmp_path) as accord:
        yield accord


def up_to(accord: Accord, kind: type, *extra: bytes) -> Next:
    """Play the examples' life up to the first command of a kind, and more; return the answer."""
    steps = LIFE[: LIFE.index(EXAMPLES[kind])]
    outcomes = accord.service.handle([*from_steps(steps), *extra])
    assert {each.status for each in outcomes} == {"accepted"}
    return answer.ask(accord, ID)


def of(found: Next, party: str) -> PartyNext:
    return next(each for each in found.parties if each.party == party)


def types(found: Next, party: str) -> list[str]:
    return [each.type for each in of(found, party).events]


@pytest.mark.parametrize("feed", FEEDS, ids=lambda path: path.stem)
def test_each_event_of_an_example_feed_that_is_accepted_was_listed_before_it(
    store: Accord, feed: Path
) -> None:
    """In `make test`, the first event of each type of each party."""
    listed = 0
    asked: set[tuple[str, str]] = set()
    for raw in messages(feed):
        read = intake.read(raw)
        known = isinstance(read, Input) and store.history.heads([read.subject])
        # Events on deals and figures are judged by the stage alone, and there are hundreds.
        own = isinstance(read, Input) and read.stream == read.subject
        kind = (read.type, read.envelope.party) if isinstance(read, Input) else ("", "")
        is_asked = known and own and (EVERYTHING or kind not in asked)
        if is_asked:
            store.catch_up()
        before = answer.ask(store, read.subject) if is_asked else None
        (outcome,) = store.service.handle([raw])
        if before and isinstance(read, Input) and outcome.status == "accepted" and outcome.count:
            assert read.type in types(before, read.envelope.party), read.envelope.id
            asked.add(kind)
            listed += 1
    assert listed > 10


def test_an_open_proposal_is_listed_first_for_the_party_that_answers(store: Accord) -> None:
    proposed = message("terms-9", example(ProposeTerms, proposal="terms-9"), at="2025-12-01")

    found = up_to(store, DraftAgreement, proposed)

    waiting = {each.proposal: each for each in of(found, THEIRS).waiting}["terms-9"]
    assert (waiting.party, waiting.belongs_to) == (OURS, None)
    assert waiting.answers == (
        "accord.AcceptTerms",
        "accord.CounterTerms",
        "accord.DeclineProposal",
    )
    lines = printed(answer.text(found)).splitlines()
    assert not [each for each in lines if "(C" in each]
    theirs = lines.index(f"{THEIRS} can send")
    assert "growthos proposed terms-9" in " ".join(lines[theirs + 1 : theirs + 4])


def test_a_proposed_resolution_names_its_dispute(store: Accord) -> None:
    found = up_to(store, AcceptResolution)

    party = EXAMPLES[AcceptResolution].party
    assert "accord.AcceptResolution" in types(found, party)
    assert [each.belongs_to for each in of(found, party).waiting if each.belongs_to] == [
        "dispute/Q-1"
    ]


def test_a_closed_gate_shows_each_condition_and_what_meets_it(store: Accord) -> None:
    found = up_to(store, SignAgreement)

    (gate,) = found.gates
    assert (gate.gate, gate.passes) == ("execution", "accord.HoldKickoff")
    unsigned = next(each for each in gate.conditions if each.rule == "terms-not-signed")
    assert unsigned.met is Met.NO
    assert unsigned.meets == ("accord.SignAgreement",)
    assert unsigned.detail == "The agreement is not signed by growthos, brightpath."
    assert {each.met for each in gate.conditions if each != unsigned} == {Met.YES}
    assert "accord.HoldKickoff" not in types(found, OURS)


def test_a_waived_condition_is_shown_as_waived(store: Accord) -> None:
    rule = "overlap-known"
    steps = [
        each
        for each in LIFE[: LIFE.index(EXAMPLES[ChoosePartner])]
        if type(each.command).__name__
        not in {
            "MeasureAudienceOverlap",
            "CommitIntegrationSpend",
            "AssessAlignment",
            "AgreeBridgingPlan",
        }
    ]
    store.service.handle(from_steps(steps))
    waiver = ProposeWaiver(proposal="waiver-9", rule=rule, reason="They have no list.")
    store.service.handle([message("waive", waiver, at="2025-10-21")])

    gate = next(each for each in answer.ask(store, ID).gates if each.gate == "formation")

    assert gate.about == THEIRS
    states = {each.rule: each.met for each in gate.conditions}
    assert (states[rule], states["candidate-scored"]) == (Met.WAIVED, Met.YES)


def test_every_condition_of_a_gate_names_an_event_that_meets_it_or_a_day(store: Accord) -> None:
    """In `make test`, after each fourth event: a gate is closed for longer than that."""
    sent, many = from_steps(LIFE), sweep(1, 4)
    for start in range(0, len(sent), many):
        store.service.handle(sent[start : start + many])
        for gate in answer.ask(store, ID).gates:
            for each in gate.conditions:
                # These wait for a day.
                assert each.meets or each.rule in {"effective-date", "notice-period"}, each.rule


def test_a_viewer_that_is_a_party_sees_its_own_events(store: Accord) -> None:
    up_to(store, DraftAgreement)

    found = answer.ask(store, ID, AsOf(viewer=Viewer(THEIRS)))

    assert [each.party for each in found.parties] == [THEIRS]
    with pytest.raises(NotFound):
        answer.ask(store, ID, AsOf(viewer=Viewer("passer-by")))


def test_the_next_deadlines_are_in_order(store: Accord) -> None:
    found = up_to(store, AcceptResolution)

    assert len(found.due) > 1
    assert [each.due for each in found.due] == sorted(each.due for each in found.due)


ANSWERS = {
    f"accord.{each}" for each in ("AgreeAttribution", "AgreeMerge", "ConfirmClaim", "ObjectToClaim")
}


def test_an_answer_on_a_deal_is_listed_while_it_is_awaited(tmp_path: Path) -> None:
    listed_at_all = False
    with played(tmp_path) as accord:
        accord.catch_up()
        for name in partnerships(accord.history):
            items = INBOX.whole(accord, partnership=name).items
            awaited = {(of.party, of.type) for each in items for of in each.events}
            try:
                found = answer.ask(accord, name)
            except NotFound:  # The limits of a portfolio are no partnership.
                continue
            listed = {(each.party, of.type) for each in found.parties for of in each.events}
            answers = {each for each in listed if each[1] in ANSWERS}
            assert answers <= awaited
            listed_at_all |= bool(answers)
    assert listed_at_all
