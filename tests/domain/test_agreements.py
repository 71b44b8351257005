"""Every kind of agreement: who makes it, changes it and ends it; which commands need no consent.

Each kind is played: either side proposes it, tries to accept its own proposal, and the other side
accepts. Every other command is in one of the lists below, so a new command fails here until it says
whom it binds. The table is the page `docs/agreements.md`. After a change that is meant, write it
anew: `python -m tests.domain.test_agreements`.
"""

import pytest

from domain.adoption import PartnershipAdopted
from domain.aggregates import command_types
from domain.bilateral import (
    BilateralAgreement,
    BilateralAgreements,
    BilateralCommand,
    ProposalLapsed,
)
from domain.declarations import Declaration
from domain.execution import (
    AgreeCancellation,
    HoldKickoff,
    InvestmentReduced,
    MilestoneReached,
    ProposeCancellation,
    ReachMilestone,
    given_up,
)
from domain.exit import ExitAgreed, GiveExitNotice
from domain.formation import NegotiationEnded, ProposeNegotiationEnd
from domain.gates import WAIVABLE
from domain.kernel import Command, Event, Refused, Stage
from domain.keyring import KeyRecovered
from domain.lapsing import SETTLED
from tests.documents import REPOSITORY
from tests.life import (
    ADOPTED,
    EXAMPLES,
    LIFE,
    LOST,
    OURS,
    THEIRS,
    after,
    at,
    before,
    changed,
    example,
)
from tests.projections.folds import states
from tests.stories import Story, moment

PAGE = REPOSITORY / "docs/agreements.md"
KINDS = sorted(BilateralAgreement.__subclasses__(), key=lambda each: each.name)

# --- commands that need no consent -------------------------------------------------------------

OF_THE_INITIATOR = """
AgreeBridgingPlan ApproachCandidate AssessAlignment BeginExploration ChoosePartner CloseExploration
CommitIntegrationSpend CompleteDecisionChecklist DeclineCandidate DefineIdealPartnerProfile
DefinePortfolio IdentifyCandidate MeasureAudienceOverlap ScoreCandidate
"""
OF_ITS_AUTHOR = """
AssignContact AssignRole AssignSponsor AttachEvidence CommitResources CompleteAction
CompleteOnboardingStep CompleteTraining ConcedePenalty DeclareBestAlternative DeclareNonNegotiable
CloseCampaign ConfirmAct ErasePerson IntroduceIncentive RankMarket RecordContribution
RecordHealthCheck RegisterKey RequireSignatures RevokeKey RotateKey RotateManager WithdrawAct
"""
A_FACT = """
CelebrateWin CorrectMetric CorrectObservation DiagnoseRootCause HoldKickoff ObserveVariant PassTime
RaiseIssue ReachMilestone RecordAudit RecordLesson RecordLocalFeedback ReportMetric TargetMarket
"""
OF_MONEY = """
AttributeReferral CancelDeal ConfirmClaim CorrectPayment CorrectPayout CorrectRefund CorrectWin
CreateOpportunity HoldDemo IssueFinalSettlement IssueRefund IssueStatement LoseDeal ObjectToClaim
ObjectToRate PublishRate QualifyLead ReceivePayment RecordJointRevenue RecordPayout RecordSharedCost
ReopenDeal ReturnPayout ReverseEntry ReverseRefund SubmitReferral WinDeal
"""
A_RIGHT = """
DeclineProposal GiveBreachNotice GiveExitNotice OpenDispute StartMediation SubmitEvidence
WithdrawDispute WithdrawProposal
"""
AGREED_IN_ITS_OWN_WAY = """
ConcludePilot DraftAgreement PromoteVariant RegisterHypothesis SignAgreement StartPilot
"""
SEEN = {
    "HoldRenewalReview": (
        (
            "It opens the talk about the renewal. Everything that a running partnership does stays "
            "possible, and only both renew."
        ),
        "renewal-open",
    ),
    "IdentifyRisk": (
        (
            "It names a risk. A party names only itself as the owner. Either party rates it "
            "higher, only the one that rated it lower, and both agree that it was mitigated."
        ),
        "risk-open",
    ),
}
"""What one side may do alone although the other is concerned: why it does not bind the other, and
the alert by which the other sees it."""

GROUPS = {
    "The initiator alone; it has no partner yet, or it plans its own portfolio": OF_THE_INITIATOR,
    "Binds its author alone": OF_ITS_AUTHOR,
    "States what happened, and binds nobody": A_FACT,
    "States what moves money, or answers it; see [who states what](who-states-what.md)": OF_MONEY,
    "A right that each side has": A_RIGHT,
    "Agreed in its own way: a draft is signed by both, a pilot is started by the other side": (
        AGREED_IN_ITS_OWN_WAY
    ),
    "Concerns the other side, and does not bind it; see below": " ".join(SEEN),
}

COLUMNS = (
    "agreement",
    "proposed by",
    "accepted by",
    "declined with",
    "agreed alone by",
    "changed by",
    "ended by",
)

FINAL = {
    "Adjustment",
    "Adoption",
    "Cancellation",
    "Completion",
    "Cure",
    "ExitWithdrawal",
    "ImprovementPlanOutcome",
    "IssueResolution",
    "KeyRecovery",
    "Merge",
    "MilestoneReached",
    "NegotiationEnd",
    "Resolution",
    "Renewal",
    "RiskMitigated",
    "Waiver",
}
"""The kinds that end or settle something, so that nothing of them is changed later."""

BESIDES = {
    "Exit": "both, with `ProposeExitWithdrawal`",
    "Renewal": "either, with notice of the exit",
    "Terms": "both, with other terms; either, with notice of the exit",
}
"""How the kinds end that are about the end of the partnership itself."""


def alone(kind: type[BilateralAgreement]) -> str:
    """Return when an agreement needs no consent, because it binds its author alone."""
    return {
        "Action": "its owner, where it is new",
        "NegotiationEnd": "either, until both signed the agreement; afterwards who asked before, "
        "once the days for an answer went by",
        "Reduction": "the party whose own investment it is",
        "Cure": "the party that gave notice of the breach",
        "Waiver": "the initiator, while it has no partner",
        "MetricOwner": "the initiator, while it has no partner",
    }.get(kind.name, "")


# --- the rows, played --------------------------------------------------------------------------


def _before(kind: type[BilateralAgreement]) -> tuple[Story, Command, str]:
    """Return the story before a proposal of a kind that was accepted, the proposal, its party."""
    if kind is KeyRecovered:
        *steps, step = LOST
        return at(Stage.EXECUTION).given(steps), step.command, step.party
    if kind is NegotiationEnded:
        step = EXAMPLES[ProposeNegotiationEnd]
        return before(HoldKickoff), step.command, step.party
    life = ADOPTED if kind is PartnershipAdopted else LIFE
    accepted = {
        getattr(step.command, kind.called)
        for step in life
        if isinstance(step.command, kind.accepts)
    }
    place = next(
        index
        for index, step in enumerate(life)
        if isinstance(step.command, kind.proposes)
        and getattr(step.command, kind.called) in accepted
    )
    story = Story(now=moment(life[0].at)).given(life[:place])
    story.on(life[place].at)
    return story, life[place].command, life[place].party


def acceptance(kind: type[BilateralAgreement], proposal: Command) -> Command:
    """Return the command that accepts a proposal."""
    name = getattr(proposal, kind.called)
    return changed(EXAMPLES[kind.accepts].command, **{kind.called: name})


def makers(kind: type[BilateralAgreement]) -> list[str]:
    """Return the parties that can propose a kind, of which the other can accept."""
    found = []
    for author, other in ((OURS, THEIRS), (THEIRS, OURS)):
        story, proposal, _ = _before(kind)
        if kind is KeyRecovered:
            proposal = changed(proposal, party=author)
        accept = acceptance(kind, proposal)
        try:
            story.when(author, proposal)
        except Refused:
            continue
        if not story.facts(kind) or story.facts(kind)[-1].proposal_ref != getattr(
            accept, kind.called
        ):
            assert story.refuses(author, accept).rule == "own-proposal"
            story.when(other, accept)
        assert story.facts(kind)
        found.append(author)
    return found


def _changes(kind: type[BilateralAgreement]) -> bool:
    return kind.name not in FINAL and kind.identity != (kind.called,)


def given_up_as(kind: type[BilateralAgreement]) -> str:
    """Return the word for a kind in a cancellation; empty if both cannot give it up."""
    return next((name for name, each in given_up().items() if each is kind), "")


def done_by(kind: type[BilateralAgreement]) -> list[type[Event]]:
    """Return the events that say that what was agreed is done, whatever is proposed of it."""
    if kind in SETTLED or kind.identity == (kind.called,) or kind.name in FINAL:
        return []
    return [each for each, (field, _) in SETTLED.items() if kind.identity == (field,)]


def _done_with(event: type[Event]) -> str:
    """Return who says so, and the command."""
    if event is MilestoneReached:
        return "its owner, with `ReachMilestone`, or both, with `ProposeMilestoneReached`"
    if issubclass(event, BilateralAgreement):
        return f"both, with `{event.proposes.__name__}`"
    assert issubclass(event, Declaration)
    return f"its owner, with `{event.asks.__name__}`"


def ends(kind: type[BilateralAgreement]) -> str:
    """Return how a kind ends, where it does not end with the partnership."""
    ways = [_done_with(each) for each in done_by(kind)]
    if given_up_as(kind):
        alone_ = ", or its author alone, of its own investment" if kind is InvestmentReduced else ""
        ways.append(f"both, with `ProposeCancellation`{alone_}")
    ways += [BESIDES[kind.name]] if kind.name in BESIDES else []
    return "; ".join(ways) or ("—" if kind.name in FINAL else "the end of the partnership")


def row(kind: type[BilateralAgreement]) -> str:
    """Return the row of a kind."""
    made = "either side" if len(makers(kind)) > 1 else "the side whose turn it is"
    changes = f"both, with `{kind.proposes.__name__}`" if _changes(kind) else "—"
    cells = (
        f"`{kind.__name__}`",
        f"{made}, `{kind.proposes.__name__}`",
        f"the other side, `{kind.accepts.__name__}`",
        "`DeclineProposal`",
        alone(kind) or "nobody",
        changes,
        ends(kind),
    )
    return f"| {' | '.join(cells)} |"


def after_notice() -> list[tuple[str, list[str]]]:
    """Return until when each agreement on a partnership that runs can be made."""
    found: dict[str, list[str]] = {"the notice": [], "the exit takes effect": [], "the end": []}
    for kind in KINDS:
        stages = kind.accepts.stages
        if kind.where is None and Stage.EXECUTION in stages:
            if Stage.EXIT not in stages:
                until = "the notice"
            elif kind.accepts.ends_with_exit or kind is ExitAgreed:
                until = "the exit takes effect"
            else:
                until = "the end"
            found[until].append(kind.__name__)
    return [*found.items()]


def _waiver(rule: str) -> str:
    alone_ = [each for each in Stage if each in WAIVABLE[rule] and each is Stage.EXPLORATION]
    both = [each for each in Stage if each in WAIVABLE[rule] and each is not Stage.EXPLORATION]
    return f"| `{rule}` | {', '.join(alone_) or '—'} | {', '.join(both) or '—'} |"


def page() -> str:
    """Return the page."""
    lines = [
        "# Agreements",
        "",
        "Every kind of agreement, and who makes, changes and ends it. A proposal binds nobody. Its",
        "author can take it back while it is open (`WithdrawProposal`). A test plays each row and",
        "writes this page (`python -m tests.domain.test_agreements`).",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|---|---|---|---|---|---|---|",
        *map(row, KINDS),
        "",
        "## After a notice of exit",
        "",
        "A partnership runs until its exit takes effect. Until then both can still agree most of",
        "it. When the exit takes effect, an open proposal of the second row lapses; then only what",
        "is left is settled.",
        "",
        "| until when | agreements |",
        "|---|---|",
        *(
            f"| {until} | {', '.join(f'`{each}`' for each in names)} |"
            for until, names in after_notice()
        ),
        "",
        "## Who waives what",
        "",
        "In the exploration the initiator waives alone, and only rules of its own search. These",
        "waivers end when it chooses its partner. From then on a waiver takes both.",
        "",
        "| rule | the initiator alone, in | both, in |",
        "|---|---|---|",
        *map(_waiver, WAIVABLE),
        "",
        "## Commands that need no consent",
        "",
        "| whom it binds | commands |",
        "|---|---|",
        *(
            f"| {what} | {', '.join(f'`{each}`' for each in sorted(names.split()))} |"
            for what, names in GROUPS.items()
        ),
        "",
        "## What one side does alone, and the other sees",
        "",
        "| command | why it does not bind the other | alert |",
        "|---|---|---|",
        *(f"| `{name}` | {why} | `{alert}` |" for name, (why, alert) in SEEN.items()),
        "",
    ]
    return "\n".join(lines)


# --- tests -------------------------------------------------------------------------------------


def test_every_command_is_of_an_agreement_or_says_whom_it_binds() -> None:
    others = {
        name for name, each in command_types().items() if not issubclass(each, BilateralCommand)
    }
    listed = [each for names in GROUPS.values() for each in names.split()]

    assert sorted(listed) == sorted(others)


def by_both(agreements: BilateralAgreements) -> list[BilateralAgreement]:
    """Return what both agreed, without the milestones that their owner alone says it reached."""
    return [
        each
        for versions in agreements.agreed.values()
        for each in versions
        if not isinstance(each, MilestoneReached) or each.proposal is not None
    ]


def test_no_command_of_one_side_changes_what_both_agreed() -> None:
    for life in (LIFE, ADOPTED):
        story = Story(now=moment(life[0].at))
        for step in life:
            story.on(step.at)
            known = story.partnership.context
            story.given([step])
            after_ = story.partnership.context
            if isinstance(step.command, BilateralCommand):
                continue
            assert by_both(after_.agreements) == by_both(known.agreements), step
            # Each party can leave, with notice.
            assert after_.terms == known.terms or isinstance(step.command, GiveExitNotice), step


@pytest.mark.parametrize("name", SEEN)
def test_what_one_side_does_alone_opens_an_alert_for_both(name: str) -> None:
    command = command_types()[name]
    _, alert = SEEN[name]
    known = {each for each in states(_until(command)) if each.startswith(alert)}

    opened = {each: state for each, state in states(after(command)).items() if each not in known}

    assert [state for each, state in opened.items() if each.startswith(alert)] == ["open"]


def _until(command: type[Command]) -> Story:
    return Story().given(LIFE[: LIFE.index(EXAMPLES[command])])


@pytest.mark.parametrize("kind", KINDS, ids=lambda each: each.name)
def test_each_agreement_takes_both_sides(kind: type[BilateralAgreement]) -> None:
    story, proposal, party = _before(kind)
    agreed = len(story.facts(kind))
    story.when(party, proposal)
    assert len(story.facts(kind)) == agreed

    accept = acceptance(kind, proposal)
    assert story.refuses(party, accept).rule == "own-proposal"
    story.when(THEIRS if party == OURS else OURS, accept)

    assert len(story.facts(kind)) == agreed + 1


@pytest.mark.parametrize("kind", given_up().values(), ids=given_up())
def test_what_can_be_given_up_is_in_force_until_both_agree_that(
    kind: type[BilateralAgreement | Declaration],
) -> None:
    if not issubclass(kind, BilateralAgreement):
        return  # A risk: `test_what_both_gave_up_never_falls_due` plays it.
    story, proposal, party = _before(kind)
    story.when(party, proposal)
    story.when(other(party), acceptance(kind, proposal))
    agreed = story.facts(kind)[-1]
    assert agreed in story.partnership.context.agreements.of(kind)

    ref = getattr(agreed, *kind.identity)
    give_up = example(ProposeCancellation, proposal="no-more", kind=given_up_as(kind), ref=ref)
    story.when(party, give_up)
    assert agreed in story.partnership.context.agreements.of(kind)
    story.when(other(party), AgreeCancellation(proposal="no-more"))

    assert agreed not in story.partnership.context.agreements.of(kind)


def other(party: str) -> str:
    return THEIRS if party == OURS else OURS


@pytest.mark.parametrize("kind", [each for each in KINDS if done_by(each)], ids=lambda x: x.name)
def test_what_is_said_to_be_done_ends_all_that_is_proposed_of_it(
    kind: type[BilateralAgreement],
) -> None:
    for event in done_by(kind):
        done = next(each for each in (*LIFE, *ADOPTED) if _records(each.command, event))
        story = Story().given(LIFE[: LIFE.index(done)])
        story.on(done.at)
        (field,) = kind.identity
        agreed = next(
            each
            for each in story.facts(kind)
            if getattr(each, field) == getattr(done.command, field)
        )
        again = {"proposal": "later", "reason": "It is late."}
        fields = {x: of for x, of in dict(agreed).items() if x in kind.proposes.model_fields}
        story.when(OURS, kind.proposes(**fields | again))

        story.when(done.party, done.command)
        if issubclass(event, BilateralAgreement) and isinstance(done.command, event.proposes):
            accept = {event.called: getattr(done.command, event.called)}
            story.when(other(done.party), event.accepts(**accept))

        assert "later" in {each.proposal for each in story.facts(ProposalLapsed)}


def _records(command: Command, event: type[Event]) -> bool:
    """Whether a command of the life says that something is done."""
    if event is MilestoneReached:
        return isinstance(command, ReachMilestone)
    if issubclass(event, BilateralAgreement):
        return isinstance(command, event.proposes)
    assert issubclass(event, Declaration)
    return isinstance(command, event.asks)


@pytest.mark.parametrize(
    "stage", [Stage.EXECUTION, Stage.SCALING, Stage.RENEWAL], ids=lambda each: each.value
)
def test_what_binds_both_can_be_agreed_in_every_running_stage(stage: Stage) -> None:
    elsewhere = {"Adoption", "NegotiationEnd", "Scope", "JointInvestment", "Renewal"}
    of_the_exit = {"Completion", "Disposition", "ExitWithdrawal"}

    for kind in KINDS:
        if kind.name not in elsewhere | of_the_exit and kind.where is None:
            assert stage in kind.proposes.stages, kind.name
            assert stage in kind.accepts.stages, kind.name


def test_the_page_is_what_the_commands_do() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "see the docstring of this module"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
