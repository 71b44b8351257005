"""Which refusals wait, and which command corrects what: closed sets, rule by rule."""

import ast
from datetime import timedelta
from pathlib import Path

import pytest

import domain
from domain.aggregates import command_types
from domain.bilateral import BilateralCommand
from domain.corrections import CORRECTIONS, correcting
from domain.declarations import DeclarationCommand
from domain.dispute import AcceptResolution, ProposeResolution
from domain.formation import ProposeCharter
from domain.governance import AssignContact
from domain.kernel import Awaited, AwaitedKind, Command
from domain.payment import CorrectPayment, CorrectRefund, IssueRefund, ReceivePayment
from domain.reported_figure import CorrectMetric, ReportMetric
from domain.sale import LoseDeal, ReopenDeal
from domain.settlement import ProposeRate, PublishRate
from domain.values import instant
from tests.domain.test_refusals import RULES
from tests.life import OURS, after, before, example

WAITS = {
    "no-such-deal": AwaitedKind.REFERRAL,
    "no-opportunity": AwaitedKind.OPPORTUNITY,
    "deal-not-won": AwaitedKind.WIN,
    "no-such-payment": AwaitedKind.PAYMENT,
    "no-such-deal-to-merge-into": AwaitedKind.REFERRAL,
    "no-such-refund": AwaitedKind.REFUND,
    # What happened in between may still arrive.
    "deal-won": AwaitedKind.CANCELLATION,
    "deal-lost": AwaitedKind.REOPENING,
    "deal-not-lost": AwaitedKind.LOSS,
    "refund-not-reversed": AwaitedKind.REVERSAL,
    # A reversal or a correction that makes room may still arrive.
    "refund-exceeds-payment": AwaitedKind.REVERSAL,
    # Whatever the claim names.
    "no-such-claim": AwaitedKind.CORRECTION,
    # The other party may still state the fact.
    "own-claim": AwaitedKind.WIN,
    # The party that objects may still state the fact that the other takes back or corrects.
    "counts-at-once": AwaitedKind.PAYMENT,
    "no-such-rate": AwaitedKind.RATE,
    # A return or a correction that makes room may still arrive.
    "payout-exceeds-balance": AwaitedKind.PAYOUT,
    "no-such-payout": AwaitedKind.PAYOUT,
    "no-such-dispute": AwaitedKind.DISPUTE,
    "no-such-act": AwaitedKind.ACT,
    "no-such-entry": AwaitedKind.ENTRY,
    # The other party may still state a greater amount.
    "reversal-exceeds-entry": AwaitedKind.ENTRY,
    # A figure, an observation, a win, a payment or a refund.
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
    "nothing-owed": "a payout pays a statement that was issued before",
    "no-exchange-rate": "rates are published or agreed before a statement is asked for",
    "nothing-earned": "a dispute is about money that the ledger shows",
    "not-the-current-version": "a party signs what it has read",
    "experiment-shows-nothing": "a citation binds",
    "key-unknown": "keys bind",
    "unknown-metric": "the catalogue does not change",
    "no-such-part": "an adoption names all of its parts",
    "unknown-party": "the parties were chosen before",
    "amended-terms-first": "a gate",
    "evidence-first": "a gate",
    "improvement-plan-first": "a gate",
    "breach-notice-first": "a gate",
    "no-such-breach": "notice of a breach is given before it is cured",
    "no-manager": "each party names its manager before another takes over",
    "no-such-exit": "an exit is known to both before they withdraw it",
}
"""The rules that name something missing and still refuse, with the reason."""

_OTHERS = """
accepted-before-proposed act-awaits-confirmation act-ended act-lapsed act-of-the-other-party
active-range adjustment-of-two after-exit agreed-since agreement-sections alignment
alignment-assessed
already-recorded already-reported amended-before-agreed amount-without-subject assets-dispositioned
award-exceeds-dispute award-of-a-settlement before-its-day breach-exists breach-not-cured
budget-without-reduction campaign-ends-first candidate-exists candidate-is-chosen
candidate-not-declined
candidate-scored cannot-be-waived change-needs-reason charter-agreed checklist claim-confirmed
command-yields
commitment-for-name contribution-recorded
confirmed-before-done content-missing correction-content cure-answered cure-period
currency-of-a-metric deadline-has-passed deal-exists deal-merged denominator-too-small
dispute-exceeds-earnings dispute-exists dispute-names-amount dispute-resolved effective-date
entries-decide-no-fee erases-other-commands exit-exists exit-never-backwards exit-not-sooner
exit-took-effect exposure-of-a-count figure-negative figure-not-whole figure-shape
figures-by-party-decide-no-fee final-settlement first-key-signs-all frame-incomplete given-twice
given-up
governance-established improvement-deadline incentive-ends-first incentive-exists
incentive-never-backwards incentive-was-promised issue-resolved item-name-taken items-for-a-time
key-used-before less-is-better limits-of-one-currency local-to-a-market lost-in-the-future manager
merge-of-a-merged merged-into-a-duplicate merged-into-itself message-without-channel
metric-changes-meaning
metric-of-the-catalogue metric-parts milestone-of-both milestone-reached months-of-a-share
must-be-signed name-taken no-longer-wins not-of-both
no-proportion no-such-budget no-such-objective not-a-program not-delegated not-ones-own-dispute
not-ones-own-key not-past not-the-author not-the-manager not-the-owner not-the-payer not-the-winner
not-yet-happened not-your-program not-your-proposal nothing-changed nothing-lost nothing-signs
nothing-to-adjust nothing-to-change nothing-to-state notice-exceeds-duration notice-period
one-control
objection-too-late
one-segment-or-each other-content other-keys overlap-exceeds-list overlap-known own-proposal
partnership-exists period-before-agreement period-not-begun period-not-over
person-of-another-party pilot-concluded
pause-is-over pause-without-end
proposal-answered proposal-countered proposal-declined proposal-exists proposal-lapsed
proposal-replaced proposal-withdrawn reason-names-person recovery-by-operator recovery-not-signed
regional-needs-market
reserved-actor reserved-party resources review-of-another-kind risk-described-by-another
risk-mitigated risk-of-another risk-owned-by-another
risk-rated-by-another rule-name-taken same-person sample-complete score-beyond-100
segment-not-counted settlement-issued step-completed
shared-with-oneself sharing-with-a-stranger splits-add-up sponsor staff-range stated-since
statement-out-of-order stop-rule-not-met successes-exceed-trials target-behind-baseline
term-has-begun term-is-over term-too-long terms-agreed terms-end-first terms-in-order
terms-never-backwards terms-not-signed third-party-not-neutral tiers-in-order too-long-ago
touch-not-yet-happened two-parties weights-of-a-split which-proposal winner-found wrong-stage
wrong-unit
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

    assert refusal.awaits == Awaited(AwaitedKind.REFERRAL, "D-77", "the referral of deal D-77")


def test_an_acceptance_waits_for_its_proposal_in_its_dispute() -> None:
    story = before(ProposeResolution)

    refusal = story.refuses(OURS, example(AcceptResolution))

    proposal, dispute = example(AcceptResolution).proposal, example(AcceptResolution).dispute
    words = f"proposal {proposal} of dispute {dispute}"
    assert refusal.awaits == Awaited(AwaitedKind.PROPOSAL, proposal, words)


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
    assert correcting(ReceivePayment) is CorrectPayment
    assert correcting(IssueRefund) is CorrectRefund
    assert correcting(LoseDeal) is ReopenDeal
    assert correcting(PublishRate) is ProposeRate
    assert correcting(ProposeCharter.agreement.accepts) is ProposeCharter
    assert correcting(AssignContact) is AssignContact
