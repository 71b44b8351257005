"""Which refusals wait, and which command corrects what: closed sets, rule by rule."""

import ast
from datetime import timedelta
from pathlib import Path

import pytest

import domain
from domain.aggregates import command_types
from domain.bilateral import BilateralCommand
from domain.corrections import CORRECTIONS, correcting
from domain.deal import IssueRefund, ReceivePayment, ReverseChargeback
from domain.declarations import DeclarationCommand
from domain.dispute import AcceptResolution, ProposeResolution
from domain.formation import ProposeCharter
from domain.governance import AssignContact
from domain.kernel import AwaitedKind, Command
from domain.reported_figure import CorrectMetric, ReportMetric
from domain.values import instant
from tests.domain.test_refusals import RULES
from tests.life import OURS, after, before, example, usd

WAITS = {
    "no-such-deal": AwaitedKind.REFERRAL,
    "no-opportunity": AwaitedKind.OPPORTUNITY,
    "deal-not-won": AwaitedKind.WIN,
    "no-such-payment": AwaitedKind.PAYMENT,
    "no-such-chargeback": AwaitedKind.CHARGEBACK,
    # Only where the refund fits once an open chargeback of its payment is reversed.
    "refund-exceeds-payment": AwaitedKind.REVERSAL,
    "no-such-dispute": AwaitedKind.DISPUTE,
    "no-such-entry": AwaitedKind.ENTRY,
    # A figure or an observation.
    "nothing-to-correct": AwaitedKind.FIGURE,
    # Only in a deal or a dispute. Elsewhere a party cannot accept what nobody has proposed yet.
    "no-such-proposal": AwaitedKind.PROPOSAL,
}
"""The rules whose refusal waits, with what it awaits."""

NAMES_WHAT_IS_MISSING = {
    "no-such-partnership": "everything begins with it, and anybody can name any subject",
    "no-such-candidate": "people choose candidates one after another",
    "no-such-profile": "people choose candidates one after another",
    "nothing-planned": "people complete what they planned, and are told at once if they err",
    "diagnose-first": "the diagnosis must come before the plan (C23)",
    "hypothesis-first": "the hypothesis must come before the data (C5)",
    "unknown-variant": "variants are registered before the data (C5)",
    "local-feedback-first": "the feedback must come before the market (C6)",
    "nothing-agreed": "money is recorded under terms that were agreed before",
    "nothing-owed": "a payout pays a statement that was issued before",
    "no-exchange-rate": "the operator captures rates, then asks for a statement",
    "not-the-current-version": "a party signs what it has read",
    "experiment-shows-nothing": "a citation binds",
    "key-unknown": "keys bind",
    "unknown-metric": "the catalogue does not change",
    "unknown-party": "the parties were chosen before",
    "amended-terms-first": "a gate",
    "evidence-first": "a gate",
    "improvement-plan-first": "a gate",
}
"""The rules that name something missing and still refuse, with the reason."""

_OTHERS = """
accepted-before-proposed
active-range after-exit agreement-sections alignment alignment-assessed already-recorded
already-reported amended-before-agreed assets-dispositioned award-exceeds-dispute
award-of-a-settlement candidate-exists candidate-scored charter-agreed checklist
currency-of-a-metric deal-closed deal-exists dispute-resolved effective-date figure-negative
figure-shape final-settlement frame-incomplete governance-established improvement-deadline
item-name-taken items-for-a-time key-used-before local-to-a-market manager months-of-a-share
no-longer-wins no-proportion not-a-chargeback not-a-program not-ones-own-dispute not-the-winner
not-yet-happened not-your-program nothing-changed nothing-to-adjust nothing-to-state
notice-exceeds-duration notice-period one-control one-thing-disputed other-currency
overlap-exceeds-list overlap-known own-proposal partnership-exists payout-exceeds-balance
period-not-begun period-not-over pilot-concluded proposal-declined proposal-exists
regional-needs-market reserved-party resources reversal-exceeds-entry rule-name-taken
sample-complete settlement-issued signature-needed splits-add-up sponsor staff-range
statement-out-of-order
stop-rule-not-met successes-exceed-trials term-has-begun term-too-long terms-agreed
terms-end-first terms-never-backwards terms-not-signed tiers-in-order two-parties
weights-of-a-split winner-found wrong-stage wrong-unit
"""

REFUSES = frozenset(_OTHERS.split())
"""The other rules: the content is wrong, contradicts the record, or a gate or the stage refuses."""


def waiting() -> set[str]:
    """Return the rules of the refusals that say what is awaited."""
    found = set()
    for source in sorted(Path(*domain.__path__).glob("*.py")):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(args=[ast.Constant(str(rule)), *_], keywords=keywords):
                    if any(each.arg == "awaits" for each in keywords):
                        found.add(rule)
                case _:
                    pass
    return found


def test_the_rules_that_wait_are_these_and_no_others() -> None:
    assert waiting() == WAITS.keys()


def test_each_rule_waits_or_refuses() -> None:
    kinds = [WAITS.keys(), NAMES_WHAT_IS_MISSING.keys(), REFUSES]

    assert sorted(rule for kind in kinds for rule in kind) == RULES


@pytest.mark.parametrize("kind", AwaitedKind)
def test_each_kind_of_what_is_awaited_is_awaited_somewhere(kind: AwaitedKind) -> None:
    source = "".join(
        path.read_text(encoding="utf-8") for path in Path(*domain.__path__).glob("*.py")
    )

    assert f"AwaitedKind.{kind.name}" in source


def test_what_is_awaited_is_named_in_words() -> None:
    story = before(ReceivePayment, without=(ReceivePayment,))
    payment = example(ReceivePayment, deal="D-77", payment="P-77")

    refusal = story.refuses("growthos", payment)

    assert refusal.awaits == (AwaitedKind.REFERRAL, "D-77", "the referral of deal D-77")


def test_an_acceptance_waits_for_its_proposal_in_its_dispute() -> None:
    story = before(ProposeResolution)

    refusal = story.refuses(OURS, example(AcceptResolution))

    proposal, dispute = example(AcceptResolution).proposal, example(AcceptResolution).dispute
    words = f"proposal {proposal} of dispute {dispute}"
    assert refusal.awaits == (AwaitedKind.PROPOSAL, proposal, words)


def test_once_its_dispute_has_ended_an_acceptance_waits_for_nothing() -> None:
    story = after(AcceptResolution)

    refusal = story.refuses(OURS, example(AcceptResolution, proposal="another"))

    assert (refusal.rule, refusal.awaits) == ("no-such-proposal", None)


@pytest.mark.parametrize(
    ("hours", "rule"), [(-1, "accepted-before-proposed"), (0, None), (1, None)]
)
def test_what_is_accepted_was_proposed_before(hours: int, rule: str | None) -> None:
    story = after(ProposeResolution)
    happened = instant(story.now + timedelta(hours=hours))
    story.wait(hours=2)

    if rule is None:
        assert story.when(OURS, example(AcceptResolution), happened=happened)
    else:
        refusal = story.refuses(OURS, example(AcceptResolution), happened=happened)
        assert (refusal.rule, refusal.awaits) == (rule, None)


def test_a_refund_cannot_be_reversed_and_does_not_wait() -> None:
    story = before(IssueRefund)
    refund = example(IssueRefund, refund="R-77", kind="refund", amount=usd("1.00"))
    story.when("growthos", refund)

    refusal = story.refuses("growthos", example(ReverseChargeback, deal=refund.deal, refund="R-77"))

    assert (refusal.rule, refusal.awaits) == ("not-a-chargeback", None)


# --- corrections -------------------------------------------------------------------------------

COMMANDS = [command for _, command in sorted(command_types().items())]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: each.__name__)
def test_each_command_says_which_command_corrects_it(command: type[Command]) -> None:
    corrects = correcting(command)

    assert corrects is None or corrects in COMMANDS


def test_the_table_of_corrections_has_the_commands_that_need_a_row_and_no_others() -> None:
    made = (BilateralCommand, DeclarationCommand)

    assert CORRECTIONS.keys() == {each for each in COMMANDS if not issubclass(each, made)}


def test_figures_payments_agreements_and_restated_declarations_are_corrected() -> None:
    assert correcting(ReportMetric) is CorrectMetric
    assert correcting(ReceivePayment) is IssueRefund
    assert correcting(IssueRefund) is ReverseChargeback
    assert correcting(ProposeCharter.agreement.accepts) is ProposeCharter
    assert correcting(AssignContact) is AssignContact
