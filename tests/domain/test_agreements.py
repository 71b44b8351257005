"""Every kind of agreement: who makes it, changes it and ends it; what one side alone changes.

Each kind is played: either side proposes it, tries to accept its own proposal, and the other side
accepts. What every command changes without consent is found by trying it (`one_side`); a command
that changes something fails here until `ALONE` says why it may. The table is the page
`docs/agreements.md`. After a change that is meant, write it anew:
`python -m tests.domain.test_agreements`.
"""

from datetime import date
from typing import NamedTuple

import pytest

from domain.adoption import PartnershipAdopted
from domain.aggregates import command_types
from domain.agreement import CommercialTermsAgreed
from domain.bilateral import (
    AcceptBilateral,
    BilateralAgreement,
    ProposalLapsed,
)
from domain.declarations import Declaration
from domain.execution import (
    AgreeCancellation,
    HoldKickoff,
    MilestoneReached,
    ProposeCancellation,
    ReachMilestone,
    given_up,
)
from domain.exit import ExitAgreed, GiveExitNotice, terms_after
from domain.formation import NegotiationEnded, ProposeNegotiationEnd
from domain.gates import WAIVABLE
from domain.kernel import Command, Event, Refused, Stage
from domain.keyring import KeyRecovered
from domain.lapsing import SETTLED
from domain.renewal import PartnershipRenewed
from domain.terms_by_day import TermsByDay
from tests.documents import REPOSITORY
from tests.domain.one_side import one_side
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
    so_far,
)
from tests.projections.folds import states
from tests.stories import Story, moment

PAGE = REPOSITORY / "docs/agreements.md"
KINDS = sorted(BilateralAgreement.__subclasses__(), key=lambda each: each.name)

# --- what one side alone changes ---------------------------------------------------------------


class Alone(NamedTuple):
    """Why a command of one side may change what both agreed."""

    by: str
    """The side that may."""
    why: str
    alert: str = ""
    """The alert by which the other side sees it at once, where it concerns the other."""


OF_THE_INITIATOR = Alone(
    "the initiator, while it has no partner", "The search is its own. Nothing is agreed yet."
)
DONE = Alone("its owner", "Its owner says that it is done.")
BY_THE_RULE = Alone("either side", "The rule that both agreed and the observations decide.")

ALONE = {
    "ChoosePartner": OF_THE_INITIATOR,
    "CloseCampaign": DONE,
    "CloseExploration": OF_THE_INITIATOR,
    "CompleteAction": DONE,
    "CompleteOnboardingStep": DONE,
    "ConcludePilot": BY_THE_RULE,
    "GiveBreachNotice": Alone(
        "either side", "A right of each side. The agreed cure period begins.", "breach-notice"
    ),
    "GiveExitNotice": Alone(
        "either side", "A right of each side, with the agreed notice.", "exit-ahead"
    ),
    "HoldKickoff": Alone(
        "either side",
        "It begins the work that both agreed, and lays nothing new on the other side. Its gate is "
        "open only once both signed the agreement, and each named its manager and its sponsor and "
        "committed its people. From then on the other side can raise an issue, propose a pause, "
        "or give notice.",
    ),
    "HoldRenewalReview": Alone(
        "either side",
        "It opens the talk about the renewal. Everything that a running partnership does stays "
        "possible, and only both renew.",
        "renewal-open",
    ),
    "IdentifyRisk": Alone(
        "either side",
        "It names a risk. A party takes only a risk that nobody owns, and lays down only its own. "
        "Its words stay those of the party that recorded it. Either party rates it higher, only "
        "the one that rated it lower, and both agree that it was mitigated.",
        "risk-open",
    ),
    "PromoteVariant": BY_THE_RULE,
    "ProposeAction": Alone("its owner, where it is new", "It lays work on nobody else."),
    "ProposeCancellation": Alone(
        "the party whose own investment was reduced", "It invests again what it reduced itself."
    ),
    "ProposeCure": Alone(
        "the party that gave notice of the breach", "It gives up a right of its own."
    ),
    "ProposeMetricOwner": OF_THE_INITIATOR,
    "ProposeNegotiationEnd": Alone(
        "either, until both signed the agreement; afterwards who asked before, once the days for "
        "an answer went by",
        "Nobody is bound to negotiate.",
    ),
    "ProposeReduction": Alone("the party whose own investment it is", "It is its own money."),
    "ProposeReviewHeld": Alone(
        "either side",
        "The day waits for the answer of the other side: a meeting is over before both can say "
        "that it took place.",
    ),
    "ProposeWaiver": OF_THE_INITIATOR,
    "RaiseIssue": Alone(
        "either side", "It names an issue. The agreed hours begin; both say that it is resolved."
    ),
    "RecordContribution": DONE,
    "ReachMilestone": Alone("its owner, where one side owns it", DONE.why),
    "SignAgreement": Alone("each side for itself", "The signature of both puts it in force."),
    "StartPilot": Alone(
        "the side that did not register the hypothesis, or the initiator while it has no partner",
        "It is the consent to the hypothesis.",
    ),
    "WithdrawDispute": Alone(
        "the party that opened it", "It gives up its objection. What both agreed applies again."
    ),
}
"""The commands by which one side alone changes something that both agreed. No other does."""

NOT_TRIED = {
    "BeginExploration": "nothing is agreed before it",
    "DefinePortfolio": "it is of no partnership",
    "IssueStatement": "it states what the ledger has",
    "PassTime": "the clock of a simulated store is no side's",
}
"""The commands that are decided by one side nowhere along the lives of `one_side`."""

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


def alone(kind: type[BilateralAgreement]) -> str:
    """Return who makes an agreement without the other side's consent; empty if nobody does."""
    begins = f"begins `{kind.__name__}`"
    found = [ALONE[name].by for name, effects in one_side().effects.items() if begins in effects]
    return "; ".join(sorted(found))


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
    story = so_far(place) if life is LIFE else Story(now=moment(life[0].at))
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


LIFE_EVENTS = [each.event for each in so_far(len(LIFE)).history]

LATER = date(2027, 3, 1)
"""A day in the renewed term of the life, after every change of its terms."""


def _goes_on(kind: type[BilateralAgreement], terms: TermsByDay, version: int) -> bool:
    """Return whether terms, a renewal or an exit still apply on that day."""
    accrues = terms.accrues(LATER)
    if kind is ExitAgreed:
        return terms.exit is not None
    if kind is PartnershipRenewed:
        return bool(terms.renewals) and accrues
    return kind is CommercialTermsAgreed and accrues and terms.version(LATER) == version


def _ends_by_day(kind: type[BilateralAgreement]) -> list[str]:
    """Return what ends the terms, a renewal or an exit, as the life does it."""
    terms, found = TermsByDay(), []
    for event in LIFE_EVENTS:
        after_ = terms_after(terms, event)
        version = terms.version(LATER)
        if _goes_on(kind, terms, version) and not _goes_on(kind, after_, version):
            found.append(
                f"both, with `{event.proposes.__name__}`"
                if isinstance(event, BilateralAgreement)
                else f"either, with `{GiveExitNotice.__name__}`"
            )
        terms = after_
    return sorted({*found})


def ends(kind: type[BilateralAgreement]) -> str:
    """Return how a kind ends, where it does not end with the partnership."""
    ways = [_done_with(each) for each in done_by(kind)]
    if given_up_as(kind):
        ended = f"ends `{kind.__name__}`" in one_side().effects[ProposeCancellation.__name__]
        by = f", or alone {ALONE[ProposeCancellation.__name__].by}" if ended else ""
        ways.append(f"both, with `ProposeCancellation`{by}")
    ways += _ends_by_day(kind)
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
    found: dict[str, list[str]] = {
        "the notice": [],
        "the exit takes effect": [],
        "the end": [],
        "any time after it": [],
    }
    for kind in KINDS:
        stages = kind.accepts.stages
        if kind.where is None and Stage.EXECUTION in stages:
            if Stage.EXIT not in stages:
                until = "the notice"
            elif kind.accepts.ends_with_exit or kind is ExitAgreed:
                until = "the exit takes effect"
            elif Stage.ENDED in stages:
                until = "any time after it"
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
        "is left is settled. At the end those of the third row lapse. Those of the last row still",
        "await their answer.",
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
        "## What one side alone changes",
        "",
        "A test tries every command by either side, in each stage of four lives, and compares",
        "before and after it what both agreed: the stage, the terms, the contract, every agreement",
        "and every agreed day. These commands change something without the other side's consent:",
        "",
        "| command | by | what it changes | why one side may | alert |",
        "|---|---|---|---|---|",
        *(
            f"| `{name}` | {each.by} | {', '.join(sorted(one_side().effects[name]))} | {each.why} "
            f"| {f'`{each.alert}`' if each.alert else ''} |"
            for name, each in ALONE.items()
        ),
        "",
        "These change nothing that both agreed:",
        "",
        ", ".join(f"`{name}`" for name in without_effect()) + ".",
        "",
    ]
    return "\n".join(lines)


def without_effect() -> list[str]:
    """Return the commands by which one side alone changes nothing that both agreed."""
    return sorted(name for name, each in one_side().effects.items() if not each)


# --- tests -------------------------------------------------------------------------------------


def test_one_side_alone_changes_what_both_agreed_only_where_it_is_listed() -> None:
    effects = {name for name, each in one_side().effects.items() if each}

    assert effects == ALONE.keys()


def test_every_command_of_one_side_is_tried() -> None:
    of_one_side = {
        name for name, each in command_types().items() if not issubclass(each, AcceptBilateral)
    }

    assert of_one_side - one_side().decided.keys() == NOT_TRIED.keys()


@pytest.mark.parametrize("name", [name for name, each in ALONE.items() if each.alert])
def test_what_one_side_does_alone_opens_an_alert_for_both(name: str) -> None:
    command = command_types()[name]
    alert = ALONE[name].alert
    before_ = states(_until(command))

    changed_ = states(after(command)).items() - before_.items()

    assert [state for each, state in changed_ if each.startswith(alert)] == ["open"]


def _until(command: type[Command]) -> Story:
    return so_far(LIFE.index(EXAMPLES[command]))


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
        story = so_far(LIFE.index(done))
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
