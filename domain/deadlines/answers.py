"""Deadlines of answers: to proposals, drafts to be signed and acts to be confirmed."""

from collections.abc import Iterator
from datetime import date
from typing import Any, Final

from domain import (  # noqa: F401 - agreements
    adoption,
    dispute,
    health,
    markets,
    merge,
    priors,
    referral,
    scaling,
    settlement,
    sharing,
)
from domain.agreement import CommercialTermsAgreed
from domain.bilateral import (
    BilateralAgreement,
    ProposalDeclined,
    ProposalEnded,
    ProposalLapsed,
    ProposalWithdrawn,
)
from domain.deadlines.deadline import ALL, DAY, Deadline, DeadlineKind, end_of_day, of_party
from domain.deadlines.rule import (
    Around,
    DeadlineAlert,
    DeadlineRule,
    Passing,
    closes,
    opens,
    opens_several,
    passes,
)
from domain.exit import ExitAgreed, ExitNoticeGiven, ExitWithdrawn, took_effect
from domain.experiment import HYPOTHESIS, HypothesisRegistered, PilotStarted
from domain.formation import DRAFT, AgreementDrafted, AgreementSigned
from domain.kernel import Act, Event, Stage
from domain.lapsing import ends_with_exit
from domain.response import Response, Severity
from domain.second_person import ActConfirmed, ActWithdrawn, SecondPersonAsked
from domain.terms_by_day import TermsByDay
from domain.values import full_stop

_AGREEMENTS: Final = tuple(BilateralAgreement.__subclasses__())
"""The kinds of agreement; the modules above define them all."""


_OF_A_DAY: Final = tuple(
    each
    for each in _AGREEMENTS
    if each.acceptable_until.__func__ is not BilateralAgreement.acceptable_until.__func__  # type: ignore[attr-defined] # a class method
)
"""The kinds of which a proposal can be accepted until a day."""


_COUNTERED: Final = tuple(each.countered for each in _AGREEMENTS if each.countered is not None)


_PROPOSED: Final = (*(each.proposed for each in _AGREEMENTS), *_COUNTERED)


ASKED_ELSEWHERE: Final[frozenset[type[Event]]] = frozenset(
    {HypothesisRegistered, *(each.proposed for each in _AGREEMENTS if each.where)}
)
"""The events of deals, disputes and experiments that ask for an answer."""


def answer_ref(agreement: str, proposal: str, within: str | None = None) -> str:
    """Return the `ref` of the answer to a proposal: `Charter/charter-1`, `Merge/m-1/deal/D-1`."""
    return "/".join([agreement, proposal, *([within] if within else [])])


def proposal_of(event: Any) -> str:  # noqa: ANN401 - made
    """Return the `ref` of the answer to a proposal that an event records."""
    kind = event.agreement
    return answer_ref(kind.name, getattr(event, kind.called), kind.within(event))


def proposal_words(ref: str) -> str:
    """Return the proposal that an answer is to, as words: `m-1 of deal D-1`."""
    _, proposal, *within = ref.split("/")
    return f"{proposal} of {' '.join(within)}" if within else proposal


def act_ref(event: SecondPersonAsked | ActConfirmed | ActWithdrawn) -> str:
    """Return the `ref` of the confirmation of an act: `ACT`, or `ACT/dispute/Q-1`."""
    return f"{event.act}/{event.within}" if event.within else event.act


def act_words(ref: str) -> str:
    """Return the act that a confirmation is of, as words: `ACT on dispute Q-1`."""
    name, _, within = ref.partition("/")
    return f"{name} on {within.replace('/', ' ')}" if within else name


_AFTER_THE_END: Final = {each.name for each in _AGREEMENTS if Stage.ENDED in each.accepts.stages}
"""The kinds that can be agreed after the end of the partnership: on money, on deals, on keys."""


def outlives(id: str) -> bool:
    """Whether a deadline is that of an answer which can be given after the end, too."""
    kind, _, ref = id.partition("/")
    return kind == DeadlineKind.ANSWER and ref.partition("/")[0] in _AFTER_THE_END


def draft_of(ref: str) -> str:
    """Return the version of the agreement that a signature is of."""
    return ref.partition("/")[0]


def _answer(event: Any, act: Act, terms: TermsByDay) -> Deadline:  # noqa: ANN401 - made
    """Return by when a proposal is answered: in the agreed time, and while it can be accepted.

    Nobody can answer it before it is recorded.
    """
    kind = event.agreement
    until = kind.acceptable_until(event, terms.exit) or _amended_on(event, terms)
    last = terms.answer_until(terms.day(act.recorded_at))
    last = min(last, until) if until else last
    ends = _ends_with_exit(kind, event)
    deadline = _until(DeadlineKind.ANSWER, proposal_of(event), last, act, terms, ends=ends)
    return deadline._replace(since=act.recorded_at, asked_by=act.party)


def _amended_on(event: Any, terms: TermsByDay) -> date | None:  # noqa: ANN401 - made
    """Return the first day of an amendment of the terms, which is agreed by then; None for others.

    It does not lapse: word of a timely acceptance can come late (docs/decisions/0034).
    """
    is_amendment = event.agreement is CommercialTermsAgreed and terms.is_agreed
    day: date | None = event.effective_from if is_amendment else None
    return day


def _ends_with_exit(kind: type[BilateralAgreement], proposed: Any) -> bool:  # noqa: ANN401 - made
    """Whether a proposal can be accepted no more once the exit that is ahead takes effect."""
    return kind is ExitWithdrawn or ends_with_exit(kind, proposed)


def _until(  # noqa: PLR0913 - what a deadline of an answer is made of
    kind: DeadlineKind, ref: str, last: date, act: Act, terms: TermsByDay, *, ends: bool = True
) -> Deadline:
    """Return a deadline of an answer: on its last day, or on the last day before an exit ahead."""
    if not ends:
        return end_of_day(kind, ref, last, terms)
    ahead = None if took_effect(terms, act.now) else terms.exit
    day = min(last, ahead - DAY) if ahead else last
    return end_of_day(kind, ref, day, terms)._replace(without_exit=last)


def _signatures(
    event: AgreementDrafted, act: Act, terms: TermsByDay, around: Around
) -> Iterator[Deadline]:
    """Yield by when each party signs a draft, or ends it."""
    last = terms.answer_until(terms.day(act.recorded_at))
    for party in around.parties:
        ref = of_party(str(event.agreement_version), party)
        deadline = _until(DeadlineKind.SIGNATURE, ref, last, act, terms)
        yield deadline._replace(since=act.recorded_at, party=party)


def _confirmation(event: SecondPersonAsked, act: Act, terms: TermsByDay) -> Deadline:
    """Return by when a second person of the party confirms an act."""
    ref = act_ref(event)
    deadline = end_of_day(DeadlineKind.CONFIRMATION, ref, event.confirm_by, terms)
    return deadline._replace(since=act.recorded_at, party=act.party)


def _lapse(event: Any, act: Act, terms: TermsByDay, _: Around) -> Iterator[Deadline]:  # noqa: ANN401 - made
    """Yield until when a proposal can be accepted, if that depends on the day."""
    kind: type[BilateralAgreement] = event.agreement
    last = kind.acceptable_until(event, terms.exit)
    if last is not None:
        ref = answer_ref(kind.name, getattr(event, kind.called))
        ends = _ends_with_exit(kind, event)
        deadline = _until(DeadlineKind.LAPSE, ref, last, act, terms, ends=ends)
        yield deadline._replace(since=act.recorded_at, asked_by=act.party)


def _with_exit(
    event: ExitNoticeGiven | ExitAgreed | ExitWithdrawn, act: Act, terms: TermsByDay, around: Around
) -> Iterator[Deadline]:
    """Yield the answers that an exit ends, where the exit that is ahead has changed their day.

    Who was reminded of the old day is reminded of the new one at once.
    """
    answered = None if isinstance(event, ExitNoticeGiven) else _agreed(event)
    for each in around.open.values():
        if each.without_exit is None or each.ref == answered:
            continue
        moved = _until(each.kind, each.ref, each.without_exit, act, terms)
        if moved.day != each.day:
            reminded = each.remind_at is None and each.kind is not DeadlineKind.LAPSE
            at = act.occurred_at if reminded else None
            yield each._replace(due=moved.due, day=moved.day, remind_at=at)


def _lapsed(deadline: Deadline) -> list[Event]:
    agreement, _, proposal = deadline.ref.partition("/")
    last = deadline.last_day
    reason = f"It could be accepted until {last}."
    return [ProposalLapsed(agreement=agreement, proposal=proposal, reason=reason, last_day=last)]


def _start(
    event: HypothesisRegistered, act: Act, terms: TermsByDay, _: Around
) -> Iterator[Deadline]:
    """Yield by when a pilot is started, once two parties have agreed terms."""
    if terms.is_agreed:
        last = terms.answer_until(terms.day(act.recorded_at))
        deadline = _until(DeadlineKind.ANSWER, _pilot(event.experiment), last, act, terms)
        yield deadline._replace(since=act.recorded_at, asked_by=act.party)


def _pilot(experiment: str) -> str:
    return answer_ref(HYPOTHESIS, experiment, f"experiment/{experiment}")


def _agreed(event: BilateralAgreement) -> str | None:
    ref = event.proposal_ref
    return None if ref is None else answer_ref(event.name, ref, event.within(event))


def _agreed_text(event: BilateralAgreement) -> str:
    return f"Proposal {event.proposal_ref} was accepted."


def _countered(event: Any) -> str:  # noqa: ANN401 - made
    return answer_ref(event.agreement.name, event.counters, event.agreement.within(event))


def _countered_text(event: Any) -> str:  # noqa: ANN401 - made
    return f"Proposal {event.counters} was answered with another."


def _ended(event: ProposalEnded) -> str:
    ended = event.wire.removeprefix("Proposal").lower()
    return f"has {ended}" if isinstance(event, ProposalLapsed) else f"was {ended}"


_ANSWERED: Final = (
    *(closes(each, _agreed, _agreed_text) for each in _AGREEMENTS),
    *(closes(each, _countered, _countered_text) for each in _COUNTERED),
    *(
        closes(
            each,
            lambda e: answer_ref(e.agreement, e.proposal, e.within),
            lambda e: f"Proposal {e.proposal} {_ended(e)}: {full_stop(e.reason)}",
        )
        for each in (ProposalDeclined, ProposalWithdrawn, ProposalLapsed)
    ),
)
"""What ends the wait for an answer."""


RULES = (
    DeadlineRule(
        DeadlineKind.ANSWER,
        opened_by=(
            *(opens(each, _answer) for each in _PROPOSED),
            opens_several(HypothesisRegistered, _start),
        ),
        passing=passes(DeadlineKind.ANSWER),
        closed_by=(
            *_ANSWERED,
            closes(
                PilotStarted,
                lambda e: _pilot(e.experiment),
                lambda e: f"The pilot of experiment {e.experiment} was started.",
            ),
        ),
        alert=DeadlineAlert(
            "answer-overdue",
            "a proposal is answered in the agreed time",
            Response(Severity.WARNING, "The party that proposed it cannot go on."),
            lambda e: f"Proposal {proposal_words(e.ref)} was not answered in time.",
        ),
        reminds_of="The answer to proposal {ref} is due by {day}.",
    ),
    DeadlineRule(
        DeadlineKind.SIGNATURE,
        opened_by=(opens_several(AgreementDrafted, _signatures),),
        passing=passes(DeadlineKind.SIGNATURE),
        closed_by=(
            closes(
                AgreementSigned,
                lambda e: str(e.agreement_version),
                lambda e: f"Version {e.agreement_version} was signed.",
                by_author=True,
            ),
            closes(
                AgreementDrafted,
                lambda _: ALL,
                lambda e: f"Version {e.agreement_version} was drafted.",
            ),
            *(
                closes(
                    each,
                    lambda e: ALL if e.agreement == DRAFT else None,
                    lambda e: f"Version {e.proposal} {_ended(e)}: {full_stop(e.reason)}",
                )
                for each in (ProposalDeclined, ProposalWithdrawn, ProposalLapsed)
            ),
        ),
        alert=DeadlineAlert(
            "signature-overdue",
            "each party signs a draft of the agreement, or ends it, in the agreed time (C9)",
            Response(Severity.WARNING, "What it says is not in force."),
            lambda e: f"{e.party} did not sign version {draft_of(e.ref)} of the agreement in time.",
        ),
        reminds_of="Version {ref} of the agreement is to be signed by {day}.",
    ),
    DeadlineRule(
        DeadlineKind.CONFIRMATION,
        opened_by=(opens(SecondPersonAsked, _confirmation),),
        passing=passes(DeadlineKind.CONFIRMATION),
        closed_by=(
            closes(ActConfirmed, act_ref, lambda e: f"Act {e.act} was confirmed."),
            closes(
                ActWithdrawn,
                act_ref,
                lambda e: f"Act {e.act} was taken back: {full_stop(e.reason)}",
            ),
            closes(SecondPersonAsked, act_ref, lambda e: f"Act {e.act} was done again."),
        ),
        alert=DeadlineAlert(
            "confirmation-missed",
            "a second person of the party confirms in the agreed time what exceeds the agreed "
            "amount",
            Response(Severity.WARNING, "The act has lapsed, so it binds nobody."),
            lambda e: f"Nobody of {e.party} confirmed act {act_words(e.ref)} in time.",
            about="act",
        ),
        reminds_of="Act {ref} is to be confirmed by a second person by {day}.",
    ),
    DeadlineRule(
        DeadlineKind.LAPSE,
        opened_by=(
            *(opens_several(each.proposed, _lapse) for each in _OF_A_DAY),
            opens_several(ExitNoticeGiven, _with_exit),
            opens_several(ExitAgreed, _with_exit),
            opens_several(ExitWithdrawn, _with_exit),
        ),
        passing=Passing(
            ProposalLapsed,
            lambda e: answer_ref(e.agreement, e.proposal) if e.last_day else None,
            _lapsed,
        ),
        closed_by=_ANSWERED,
    ),
)
