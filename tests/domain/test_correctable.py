"""Every command by which one party records something, and how a mistake in it is corrected.

The commands come from the registry, so a new one needs a row: the command that corrects it, with a
proof that it does, or the reason why none does. What both agree, both change
(`test_agreements`). The page is `docs/corrections.md`. After a change that is meant, write it anew:
`python -m tests.domain.test_correctable`.
"""

from datetime import date
from decimal import Decimal
from typing import Final

import pytest

from domain.aggregates import command_types
from domain.bilateral import BilateralCommand
from domain.corrections import correcting
from domain.dispute import OpenDispute, SubmitEvidence, WithdrawDispute
from domain.entry import RecordJointRevenue, ReverseEntry
from domain.execution import ProposeAction, ProposeMilestone
from domain.exit import ProposeExitWithdrawal
from domain.experiment import RegisterHypothesis
from domain.kernel import Command
from domain.payment import IssueRefund
from domain.payouts import RecordPayout
from domain.referral import CreateOpportunity, HoldDemo, QualifyLead
from domain.renewal import HoldRenewalReview
from tests.documents import REPOSITORY
from tests.life import EXAMPLES, THEIRS, after, changed, example, usd

PAGE: Final = REPOSITORY / "docs/corrections.md"

COMMANDS: Final = {
    name: each
    for name, each in sorted(command_types().items())
    if not issubclass(each, BilateralCommand)
}
"""Every command by which one party records something, by name."""

A_STEP: Final = (
    "A step of the funnel says nothing but its day. One with too late a day is stated again with "
    "the earlier one, which counts. A deal that never took it is lost (`LoseDeal`), or both merge "
    "it into the right one (`ProposeMerge`)"
)
ANSWERS: Final = "The answer stays. Who asked proposes again, and it is answered anew"
OF_THE_TRIAL: Final = (
    "What is on record before the data must not follow from the data (C5). Register another "
    "experiment"
)

STAYS: Final = {
    "BeginExploration": "The search is known by it. Close it (`CloseExploration`), begin another",
    "ChoosePartner": "The gate was passed with it, and the partner sees the formation since. Begin "
    "another search",
    "CloseExploration": "The search is over. Begin another one",
    "ConcludePilot": OF_THE_TRIAL,
    "ConfirmAct": "The act is done. What the act recorded is corrected",
    "ConfirmClaim": "The claim counts. Correct the fact itself (`CorrectPayment`, `CorrectWin` and "
    "so on), or dispute it (`OpenDispute`)",
    "CreateOpportunity": A_STEP,
    "DeclineProposal": ANSWERS,
    "ErasePerson": "What is erased cannot be read again, so nothing brings it back",
    "HoldDemo": A_STEP,
    "HoldKickoff": "It begins the execution. Who attended is told in the minutes of the first "
    "review (`ProposeReviewHeld`)",
    "HoldRenewalReview": "Hold another one under another identifier; the newest counts",
    "PassTime": "It states nothing. The clock says what fell due",
    "PromoteVariant": OF_THE_TRIAL,
    "QualifyLead": A_STEP,
    "RegisterHypothesis": OF_THE_TRIAL,
    "ReverseEntry": "Record the entry again under another identifier (`RecordJointRevenue`, "
    "`RecordSharedCost`, `ConcedePenalty`)",
    "RevokeKey": "A key that may be known to others is never trusted again. Both register another "
    "one (`ProposeKeyRecovery`)",
    "SignAgreement": "It binds. Both amend the agreement (`ProposeTerms`, `DraftAgreement`)",
    "StartMediation": "The mediator is known by it. Both resolve the dispute in any case "
    "(`ProposeResolution`)",
    "StartPilot": OF_THE_TRIAL,
    "SubmitEvidence": "It was submitted, so it stays in the dispute. Submit the right evidence "
    "under another identifier",
    "SubmitReferral": "The deal is known by it. Submit the right lead as another deal, and lose "
    "this one (`LoseDeal`), or both merge it into the right one (`ProposeMerge`)",
    "TargetMarket": "It names a market, and says nothing else",
    "WithdrawAct": "Do the act again",
    "WithdrawDispute": "Open another dispute (`OpenDispute`)",
    "WithdrawProposal": "Propose it again",
}
"""The commands that nothing corrects, with the reason."""

VARIED: Final[dict[str, dict[str, object]]] = {
    "AgreeBridgingPlan": {"plan": "They meet twice a month."},
    "AssessAlignment": {"shared_vision": 4},
    "AssignContact": {"name": "Adele"},
    "AssignRole": {"name": "Carlota"},
    "AssignSponsor": {"title": "Chairwoman"},
    "AttachEvidence": {"title": "The second quarter"},
    "CloseCampaign": {"outcome": "30 firms came."},
    "CelebrateWin": {"text": "The second client signed."},
    "CommitIntegrationSpend": {"amount": usd("80.00")},
    "CommitResources": {"attention": Decimal(12)},
    "CompleteDecisionChecklist": {"exit_clause": False},
    "CompleteOnboardingStep": {"plan_day": 60},
    "CompleteTraining": {"attendees": 9},
    "CorrectMetric": {"reason": "Two requests came by telephone."},
    "CorrectObservation": {"successes": 23},
    "CorrectPayment": {"collected_by": THEIRS},
    "CorrectPayout": {"amount": usd("11.00")},
    "CorrectRefund": {"amount": usd("40.00"), "happened_at": None},
    "CorrectWin": {"annual_contract_value": usd("9000.00"), "happened_at": None},
    "DeclareBestAlternative": {"statement": "We buy a tool."},
    "DeclareNonNegotiable": {"statement": "No exclusivity, anywhere."},
    "DeclineCandidate": {"reason": "Its clients are too large for our product."},
    "DefineIdealPartnerProfile": {"staff_to": 300},
    "DefinePortfolio": {"most_active": 9},
    "DiagnoseRootCause": {"finding": "Sales had other aims."},
    "IdentifyCandidate": {"name": "BrightPath Ltd"},
    "IdentifyRisk": {"likelihood": 5},
    "IntroduceIncentive": {"description": "A gift card."},
    "MeasureAudienceOverlap": {"shared_customers": 66},
    "RaiseIssue": {"description": "Two fees are missing."},
    "RankMarket": {"viability": 2},
    "RecordAudit": {"passed": False},
    "RecordContribution": {"hours": Decimal(8)},
    "RecordHealthCheck": {"trust": 2},
    "RecordLesson": {"text": "Codes are read out too fast."},
    "RecordLocalFeedback": {"score": 2},
    "RotateManager": {"successor": "Carla"},
    "ScoreCandidate": {"market_reach": 2},
}
"""What another message of the same command says otherwise, for those that correct themselves."""


REPLANNED: Final = {
    "CompleteAction": example(
        ProposeAction, proposal="again", due=date(2026, 3, 31), reason="It is not done."
    ),
    "ReachMilestone": example(
        ProposeMilestone, proposal="again", due=date(2026, 3, 31), reason="It is not reached."
    ),
    "GiveExitNotice": example(ProposeExitWithdrawal, proposal="again", exit="exit-2"),
    "ReverseRefund": example(IssueRefund, deal="D-1", refund="C-2"),
    "ReturnPayout": example(RecordPayout, payout="out-3", amount=usd("52.00")),
}
"""Corrections that are not the example of their command."""

SHOWN_ELSEWHERE: Final = {
    "DefinePortfolio": "tests/domain/test_program.py",
    "DeclineCandidate": "tests/domain/test_exploration.py",
    "DraftAgreement": "tests/domain/test_formation.py",
    "IssueFinalSettlement": "tests/projections/test_money_stories.py",
    "IssueStatement": "tests/projections/test_money_stories.py",
    "RegisterKey": "tests/domain/test_keyring.py",
    "RotateKey": "tests/domain/test_keyring.py",
    "RequireSignatures": "tests/domain/test_keyring.py",
}
"""The tests of corrections that need more than one message, or the stream of another aggregate."""

_NAMES: Final = (
    *("base", "breach", "candidate", "deal", "dispute", "entry", "experiment", "fact", "metric"),
    *("observation", "payment", "payout", "period", "quote", "refund", "segment", "tool"),
)
"""The fields that name what a command is about."""


def correction(name: str) -> Command:
    """Return what corrects the example of a command: about the same thing, with other content."""
    wrong = EXAMPLES[COMMANDS[name]].command
    kind = correcting(COMMANDS[name])
    assert kind is not None, name
    if name in REPLANNED:
        other: Command = REPLANNED[name]
        return other
    if kind is COMMANDS[name]:
        reason = {"change_reason": "A typing error."} if issubclass(kind, CHANGED) else {}
        found: Command = changed(wrong, **VARIED[name], **reason)
        return found
    about = {each: getattr(wrong, each) for each in _NAMES if each in type(wrong).model_fields}
    return example(kind, **{key: each for key, each in about.items() if key in kind.model_fields})


CHANGED: Final = tuple(each for each in COMMANDS.values() if "change_reason" in each.model_fields)
"""The commands that correct themselves if they give a reason."""

CORRECTED: Final = [name for name, each in COMMANDS.items() if correcting(each)]


def row(name: str) -> str:
    """Return the row of a command."""
    kind = correcting(COMMANDS[name])
    if kind is None:
        return f"| `{name}` | — | {STAYS[name]}. |"
    if name in HOW:
        return f"| `{name}` | `{kind.__name__}` | {HOW[name]} |"
    if kind is COMMANDS[name]:
        reason = issubclass(kind, CHANGED)
        how = "Sent again, with `change_reason`." if reason else "Sent again; the newest counts."
        return f"| `{name}` | `{name}` | {how} |"
    by_both = "Both agree it." if issubclass(kind, BilateralCommand) else ""
    return f"| `{name}` | `{kind.__name__}` | {by_both} |"


HOW: Final = {
    "ApproachCandidate": "The reason says that it was not approached.",
    "CancelDeal": "The deal is won again.",
    "GiveBreachNotice": "The party that gave the notice agrees the cure alone.",
    "IssueFinalSettlement": "Old lines stay; the next statement has the difference.",
    "IssueStatement": "Old lines stay; the next statement has the difference.",
    "ReturnPayout": "The payout that arrived is recorded under another identifier.",
    "ReverseRefund": "The refund that was paid is recorded under another identifier.",
}
"""What a reader must know of a correction."""


def page() -> str:
    """Return the page."""
    lines = [
        "# Corrections",
        "",
        "History is not edited: a correction is another event, and both stay on record. This table",
        "has every command by which one party records something. What both agreed, both change by",
        "another proposal ([agreements](agreements.md)). What a correction does to money that was",
        "stated is told in [settlement](settlement.md). A test sends each correction and writes",
        "this page (`python -m tests.domain.test_correctable`).",
        "",
        "| recorded with | corrected with | how, or why not |",
        "|---|---|---|",
        *map(row, COMMANDS),
        "",
    ]
    return "\n".join(lines)


# --- tests -------------------------------------------------------------------------------------


def test_every_command_has_a_correction_or_a_reason_why_it_has_none() -> None:
    without = {name for name in COMMANDS if name not in CORRECTED}

    assert without == STAYS.keys()


@pytest.mark.parametrize("name", sorted({*CORRECTED} - {*SHOWN_ELSEWHERE}))
def test_what_a_command_recorded_is_corrected_by_the_command_of_its_row(name: str) -> None:
    story = after(COMMANDS[name])
    story.wait(hours=1)

    assert story.when(EXAMPLES[COMMANDS[name]].party, correction(name))


INSTEAD: Final = [
    (RegisterHypothesis, example(RegisterHypothesis, experiment="another")),
    (HoldRenewalReview, example(HoldRenewalReview, review="another")),
    (ReverseEntry, example(RecordJointRevenue, entry="E-9")),
    (SubmitEvidence, example(SubmitEvidence, evidence="another")),
    (WithdrawDispute, example(OpenDispute, dispute="Q-9")),
]


@pytest.mark.parametrize(("kind", "instead"), INSTEAD)
def test_what_stays_is_recorded_anew_under_another_identifier(
    kind: type[Command], instead: Command
) -> None:
    assert after(kind).when(EXAMPLES[type(instead)].party, instead)


@pytest.mark.parametrize("kind", [QualifyLead, CreateOpportunity, HoldDemo])
def test_the_day_of_a_step_is_corrected_by_an_earlier_one(kind: type[Command]) -> None:
    story, party = after(kind), EXAMPLES[kind].party

    assert story.when(party, example(kind), happened="2026-01-06")
    assert story.when(party, example(kind)) == []


@pytest.mark.parametrize(("name", "path"), SHOWN_ELSEWHERE.items())
def test_the_test_that_shows_a_correction_sends_it(name: str, path: str) -> None:
    kind = correcting(COMMANDS[name])

    assert kind is not None
    assert kind.__name__ in (REPOSITORY / path).read_text(encoding="utf-8")


def test_the_page_is_what_the_commands_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "see the docstring of this module"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
