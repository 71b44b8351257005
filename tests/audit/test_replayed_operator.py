"""What the operator records of its own in an honest log, and what a replay says of a lie in it.

Nobody signs what the clock and the agreed rules record, so a replay compares all of it: what and
where, in whose name, when and why. A statement, a deadline or a reduction can follow from each.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace as replace_in
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from domain.bilateral import ProposalLapsed
from domain.breach_actions import RuleBreached, RuleBreachWithdrawn
from domain.deadlines.deadline import DeadlinePassed, PeriodClosed, ReminderGiven
from domain.execution import InvestmentReduced, ReviewScheduled
from domain.kernel import CLOCK_PARTY, Event
from domain.payment import PaymentReceived
from domain.recorded import Recorded
from domain.rules import Action
from domain.viewing import BundleExported
from infra.deciding.again import Export, Hidden, decided_again
from infra.deciding.pseudonyms import COMMAND
from infra.deciding.recording import RULES_SOURCE
from infra.evidence.bundle import BundleRequest, export
from projections.visibility import Sight, Viewer
from tests.audit.test_replayed_lives import _placed
from tests.audit.world import CONSULTING
from tests.feeds import FEEDS, messages, simulated

LAUNCH, RENEWAL, EXIT = (
    next(each for each in FEEDS if name in each.name) for name in ("launch", "renewal", "exit")
)
Log = list[Recorded]


def log_of(feed: Path, folder: Path) -> Log:
    """Return the longest log that a feed gives."""
    with simulated(folder) as accord:
        accord.service.handle(list(messages(feed)))
        logs = [list(accord.history.of(name)) for name in accord.history.partnerships()]
    return max(logs, key=len)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Log]:
    return {feed: log_of(feed, tmp_path_factory.mktemp("log")) for feed in (LAUNCH, RENEWAL, EXIT)}


def differing(events: Sequence[Recorded], hidden: Hidden = Hidden()) -> list[str]:  # noqa: B008
    found = decided_again(list(_placed(events)), {}, {}, hidden)
    return [each.why or "" for each in found if each.outcome == "differs"]


def first(events: Log, kind: type[Event]) -> Recorded:
    return next(each for each in events if type(each.event) is kind)


def changed(events: Log, one: Recorded, other: Recorded) -> Log:
    return [other if each is one else each for each in events]


FRAMES: dict[str, Callable[[Recorded], Recorded]] = {
    "another actor": lambda each: replace_in(each, act=each.act._replace(actor="operator")),
    "an earlier day": lambda each: replace_in(
        each, act=each.act._replace(occurred_at=each.act.occurred_at - timedelta(days=30))
    ),
    "another cause": lambda each: replace_in(each, causation_id="0" * 32),
    "another process": lambda each: replace_in(each, correlation_id="another"),
    "another stream": lambda each: replace_in(each, stream=f"{each.partnership}/deal/another"),
    "another source": lambda each: replace_in(each, source="accord:view"),
    "a party": lambda each: replace_in(each, act=each.act._replace(party="lumastream")),
}
OF_THE_OPERATOR = (
    (LAUNCH, PeriodClosed),
    (LAUNCH, ReminderGiven),
    (LAUNCH, DeadlinePassed),
    (LAUNCH, RuleBreached),
    (LAUNCH, ReviewScheduled),
    (EXIT, InvestmentReduced),
    (RENEWAL, RuleBreachWithdrawn),
)


@pytest.mark.parametrize(("feed", "kind"), OF_THE_OPERATOR)
@pytest.mark.parametrize("lie", [None, *FRAMES])
def test_where_by_whom_when_and_why_the_operator_recorded_is_compared(
    logs: dict[Path, Log], feed: Path, kind: type[Event], lie: str | None
) -> None:
    events = logs[feed]
    own = first([each for each in events if each.act.party == CLOCK_PARTY], kind)

    found = differing(changed(events, own, FRAMES[lie](own)) if lie else events)

    assert bool(found) is bool(lie)


@pytest.mark.parametrize(("feed", "kind"), [(LAUNCH, ReviewScheduled), (EXIT, InvestmentReduced)])
def test_what_a_breach_asks_for_is_found_where_it_is_left_out(
    logs: dict[Path, Log], feed: Path, kind: type[Event]
) -> None:
    """Each of them, also the last one, behind which nothing else is asked for."""
    asked = [e for e in logs[feed] if type(e.event) is kind and e.source == RULES_SOURCE]
    assert asked
    for left in asked:
        found = differing([each for each in logs[feed] if each is not left])

        text = left.event.model_dump_json(exclude_none=True)
        assert f"{text} before." in found[0], (left.index, found)


PRIVATE = Hidden(private=0)
"""As in a bundle that begins with what a party keeps to itself."""

INVENTED: dict[str, Event] = {
    "a breach of a rule that nobody agreed": RuleBreached(
        rule="of-nobody", rule_version=1, window="2026-07", finding="It is.", action=Action.NOTIFY
    ),
    "a withdrawal of no breach": RuleBreachWithdrawn(
        rule="of-nobody", rule_version=1, window="2026-07", finding="It is not."
    ),
    "a reduction that no breach asks for": InvestmentReduced(
        agreed_version=1, reduction="r", campaign="docs-week", by=Decimal(50), reason="It is."
    ),
    "a proposal that lapses by no rule": ProposalLapsed(
        agreement="Terms", proposal="terms-1", reason="It is settled."
    ),
}


@pytest.mark.parametrize("feed", FEEDS, ids=lambda each: each.stem)
def test_nothing_is_found_in_an_honest_log_of_which_something_is_private(
    feed: Path, tmp_path: Path
) -> None:
    """The control: what may rest on a private figure is not judged."""
    with simulated(tmp_path) as accord:
        accord.service.handle(list(messages(feed)))
        for name in accord.history.partnerships():
            commands = accord.history.kept(COMMAND, name)
            found = decided_again(list(accord.history.of(name)), commands, {}, PRIVATE)
            assert [each for each in found if each.outcome == "differs"] == []


@pytest.mark.parametrize("lie", [None, *INVENTED])
def test_a_rule_in_a_bundle_with_private_events_is_one_that_was_agreed(
    logs: dict[Path, Log], lie: str | None
) -> None:
    """By which figures it is broken is not judged, because some may be private."""
    events = list(logs[EXIT])
    assert len(differing(events, PRIVATE)) == 0
    if lie:
        last = events[-1]
        act = last.act._replace(party=CLOCK_PARTY, actor="rules", occurred_at=last.act.recorded_at)
        events.append(
            replace_in(
                last,
                event=INVENTED[lie],
                act=act,
                stream=last.partnership,
                source=RULES_SOURCE,
                source_id=last.event_id,
                causation_id=last.event_id,
                signed=None,
            )
        )

    assert bool(differing(events, PRIVATE)) is bool(lie)


@pytest.mark.parametrize("kind", [InvestmentReduced, RuleBreached])
def test_what_a_breach_asks_for_is_compared_though_events_are_private(
    logs: dict[Path, Log], kind: type[Event]
) -> None:
    events = logs[EXIT]
    own = first(events, kind)
    data = orjson.loads(own.event.model_dump_json(exclude_none=True))
    other = {"by": "90"} if kind is InvestmentReduced else {"rule_version": 7}
    event = kind.model_validate(data | other)

    assert differing(changed(events, own, replace_in(own, event=event)), PRIVATE)
    left = [each for each in events if each is not first(events, InvestmentReduced)]
    assert differing(left, PRIVATE)


@pytest.mark.parametrize("lie", [None, "deal", "dispute"])
def test_what_no_party_keeps_to_itself_is_not_withheld(tmp_path: Path, lie: str | None) -> None:
    """The control is a figure, which a data-sharing protocol may keep from the other party."""
    with simulated(tmp_path) as accord:
        accord.service.handle(list(messages(FEEDS[0])))
        events = list(accord.history.of("growthos-consulting"))
    of = lie or "metric"
    *_, hidden, _ = [each for each in events if f"/{of}/" in each.stream]
    stream = [each for each in events if each.stream == hidden.stream]
    left = stream[-2] if lie else hidden
    shown = [each for each in events if each is not left]

    found = [
        each.why or ""
        for each in decided_again(shown, {}, {}, Hidden(private=left.index))
        if each.outcome == "differs"
    ]

    assert any("which no party keeps to itself" in each for each in found) is bool(lie)


RESERVED = ("accord:settle", "accord:clock", "accord:x")


@pytest.mark.parametrize("lie", [None, *RESERVED])
def test_a_fact_of_a_party_has_no_source_of_the_operator(
    logs: dict[Path, Log], lie: str | None
) -> None:
    events = logs[EXIT]
    paid = first(events, PaymentReceived)

    found = differing(changed(events, paid, replace_in(paid, source=lie or "//billing.example")))

    assert any("reserved" in each or "record" in each for each in found) is bool(lie)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """A log in which each party keeps something to itself, exported for each and for both."""
    folder = tmp_path_factory.mktemp("exported")
    with simulated(folder) as accord:
        accord.service.handle(list(messages(FEEDS[0])))
        for number, party in enumerate((*BOTH, BOTH[0], None)):
            asked = BundleRequest("sam", "A dispute.", party=party)
            export(accord, accord.signing(), CONSULTING, asked, folder / f"{number}.zip")
        return list(accord.history.of(CONSULTING))


BOTH = ("growthos", "northbridge")


def for_party(log: Log, party: str | None) -> list[Recorded]:
    """Return the exports for a party."""
    return [e for e in log if isinstance(e.event, BundleExported) and e.event.party == party]


def withholding(log: Log, party: str | None, more: int | None) -> Log:
    """Return a log in which the first export for a party states another number."""
    own, *_ = for_party(log, party)
    assert isinstance(own.event, BundleExported)
    stated = own.event.withheld
    assert stated
    event = own.event.model_copy(update={"withheld": None if more is None else stated + more})
    return changed(log, own, replace_in(own, event=event))


def wrong_exports(log: Log, hidden: Hidden = Hidden()) -> list[str]:  # noqa: B008
    return [each for each in differing(log, hidden) if "before it are private" in each]


@pytest.mark.parametrize("lie", [None, "more", "fewer"])
def test_an_export_withholds_what_a_party_keeps_to_itself(exported: Log, lie: str | None) -> None:
    """The live store has all events, and the bundle of one party all that the other one has not."""
    more = {"more": 1, "fewer": -1}.get(lie or "", 0)
    for party in (*BOTH, None):
        assert bool(wrong_exports(withholding(exported, party, more))) is bool(lie)
    for party, other in (BOTH, BOTH[::-1]):
        *_, last = for_party(exported, other)
        log = withholding(exported[: last.index + 1], party, more)
        sight = Sight.of(Viewer(other), log)
        hidden = [each.index for each in log if not sight.shows(each)]
        shown = [each for each in log if sight.shows(each)]
        assert hidden
        export = Export(other, len(shown) - 1, len(hidden))
        found = wrong_exports(shown, Hidden(None, hidden[0], export))
        assert bool(found) is bool(lie)


@pytest.mark.parametrize("lie", [None, 1])
def test_a_bundle_withholds_as_many_private_events_as_its_export_states(
    exported: Log, lie: int | None
) -> None:
    """Nothing follows the last event of a deal, so nothing else shows that it is withheld."""
    own, *_ = for_party(exported, BOTH[0])
    assert isinstance(own.event, BundleExported)
    log = exported[: own.index + 1]
    sight = Sight.of(Viewer(BOTH[0]), log)
    hidden = [each.index for each in log if not sight.shows(each)]
    deal = max(each.index for each in log if "/deal/" in each.stream)
    if lie:
        hidden.append(deal)
    shown = [each for each in log if each.index not in hidden]

    bundle = Hidden(None, min(hidden), Export(BOTH[0], len(shown) - 1, len(hidden)))

    assert bool(wrong_exports(shown, bundle)) is bool(lie)
    assert wrong_exports(withholding(shown, BOTH[0], None), bundle)
