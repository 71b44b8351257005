"""The log of a partnership, page by page, as each viewer sees it."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from domain.formation import BestAlternativeDeclared
from domain.reported_figure import MetricReported, ReportedFigure, ReportMetric
from domain.viewing import FullViewTaken
from infra.answers.history import CHUNK, ask, items, late_facts, text
from infra.answers.logs import NOW, AsOf, NotFound, stored_log
from infra.answers.question import Paging
from infra.bootstrap import Accord
from infra.store.history import History
from infra.tlog.codec import UnknownEvent, UnreadableEvent, canonical
from projections.visibility import OPERATIONS, Sight, Viewer
from tests.feeds import played
from tests.infra.answers.demo import CONSULTING, day
from tests.infra.answers.helpers import AURORA, PARTNER, changed_event, printed
from tests.infra.answers.test_explain import only_figure
from tests.infra.messages import message

FULL = AsOf(viewer=Viewer(full=True))
THE_OTHER = Viewer("aurora-films")


def test_an_escalated_issue_names_the_people_of_both_parties(demo: Accord) -> None:
    found = list(items(demo, CONSULTING))
    (escalated,) = (each for each in found if "was escalated to" in each.text)

    assert escalated.text == (
        "issue issue-2 was not resolved in time and was escalated to the executive sponsors: "
        "Ines Halloran and Petra Lindqvist"
    )


def test_an_event_has_the_bytes_that_are_stored(demo: Accord) -> None:
    found = list(items(demo, CONSULTING, FULL))

    for place, (item, body) in enumerate(zip(found, demo.history.bodies(CONSULTING), strict=True)):
        assert item.event
        assert canonical(item.event.model_dump(mode="json")) == body
        assert item.event.model_dump_json().encode() == body
        assert (item.index, item.withheld) == (place, False)
        assert item.text


def test_an_event_that_was_recorded_days_later_says_how_many(demo: Accord) -> None:
    late = [each for each in items(demo, CONSULTING) if each.late_days]

    assert [
        (f"{each.event.occurred_at:%m-%d}", f"{each.event.recorded_at:%m-%d}", each.late_days)
        for each in late
        if each.event
    ] == [("03-03", "03-10", 7), ("06-30", "07-05", 4), ("06-30", "07-05", 4)]
    lines = printed(text(ask(demo, CONSULTING, page=Paging(limit=1000)))).splitlines()
    assert [line.rpartition(" [")[2] for line in lines if line.endswith("late]")] == [
        "reported 7 days late]",
        "reported 4 days late]",
        "reported 4 days late]",
    ]


def test_neither_the_clock_nor_an_adoption_states_a_late_fact(demo: Accord) -> None:
    """Months that closed by themselves hid what a party had told late."""
    found = [
        each.model_copy(update={"late_days": 242}) for each in items(demo, "growthos-harbourlight")
    ]
    late = late_facts(found)
    others = [each.event for each in found if each not in late and each.event]

    assert {each.party for each in others if each.actor == "clock"} == {"accord"}
    adopted = [each for each in others if each.party != "accord"]
    assert len(adopted) > 20
    assert {each.recorded_at for each in adopted} == {
        each.recorded_at for each in adopted if each.type == "PartnershipAdopted"
    }
    assert not [each for each in late if each.event and each.event.party == "accord"]
    assert len(late) > len(others) > 25


@pytest.mark.parametrize(
    "when",
    [
        NOW,
        AsOf(at=day("2026-06-30")),
        AsOf(known=day("2026-06-30")),
        AsOf(at=day("2026-03-04"), known=day("2026-03-11")),
        AsOf(version=17),
    ],
)
def test_the_events_are_those_of_the_moment_in_the_order_of_the_log(
    demo: Accord, when: AsOf
) -> None:
    found = stored_log(demo.history, CONSULTING, when)
    # What is private is not counted as of a day, so that nobody can tell its day.
    expected = [each.index for each in found if when.at is None or Sight(when.viewer).shows(each)]

    assert [each.index for each in items(demo, CONSULTING, when)] == expected
    assert [each.index for each in items(demo, CONSULTING, when, chunk=7)] == expected


def test_a_page_reads_no_more_of_the_log_than_it_shows(
    demo: Accord, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[range] = []
    real = type(demo.history).entries

    def entries(self: History, partnership: str, start: int = 0, stop: int | None = None) -> object:
        read.append(range(start, stop or 0))
        return real(self, partnership, start, stop)

    monkeypatch.setattr(type(demo.history), "entries", entries)
    first = ask(demo, CONSULTING, page=Paging(limit=10))
    second = ask(demo, CONSULTING, page=Paging(first.next, 10))

    assert [each.index for each in second.items] == list(range(10, 20))
    assert read == [range(11), range(10, 21)]


def test_a_log_longer_than_a_chunk_is_read_whole(demo: Accord) -> None:
    size = len(list(demo.history.bodies(CONSULTING)))

    assert [each.index for each in items(demo, CONSULTING)] == list(range(size))
    assert len(list(items(demo, CONSULTING, chunk=size - 1))) == size
    assert CHUNK > 1


# --- who sees what -----------------------------------------------------------------------------


@pytest.mark.parametrize("viewer", [Viewer(), Viewer(PARTNER)], ids=["operator", "partner"])
def test_an_event_that_is_not_shown_keeps_its_place(demo: Accord, viewer: Viewer) -> None:
    secrets = [
        each.event.statement
        for each in demo.history.of(CONSULTING)
        if isinstance(each.event, BestAlternativeDeclared) and each.act.party != viewer.party
    ]
    found = list(items(demo, CONSULTING, AsOf(viewer=viewer)))

    assert secrets
    assert [each.index for each in found] == list(range(len(found)))
    assert not any(secret in each.model_dump_json() for secret in secrets for each in found)
    withheld = [each for each in found if each.withheld]
    assert any("(hidden: private to growthos)" in each.text for each in withheld)
    assert not any(each.event for each in withheld)
    assert not any(each.people or each.late_days for each in withheld)


def test_as_of_a_moment_the_history_ends_with_an_event_that_is_seen(demo: Accord) -> None:
    private = [
        each.act.recorded_at
        for each in demo.history.of(CONSULTING)
        if isinstance(each.event, BestAlternativeDeclared) and each.act.party != PARTNER
    ]

    for known in private:
        found = list(items(demo, CONSULTING, AsOf(known=known, viewer=Viewer(PARTNER))))
        assert found[-1].event
        happened = list(items(demo, CONSULTING, AsOf(at=known, viewer=Viewer(PARTNER))))
        assert all(each.event for each in happened)
    assert private


def test_a_stranger_learns_who_the_parties_are(demo: Accord) -> None:
    with pytest.raises(NotFound, match="Ask as growthos or northbridge"):
        ask(demo, CONSULTING, AsOf(viewer=Viewer("passer-by")))


def test_a_party_that_had_not_joined_by_then_is_told_so(demo: Accord) -> None:
    (first, *_) = demo.history.of(CONSULTING)
    before = AsOf(known=first.act.recorded_at, viewer=Viewer(PARTNER))

    with pytest.raises(NotFound, match="northbridge was not yet a party of growthos-consulting"):
        ask(demo, CONSULTING, before)
    with pytest.raises(NotFound, match="passer-by is not a party"):
        ask(demo, CONSULTING, replace(before, viewer=Viewer("passer-by")))


def test_the_operators_look_at_everything_is_on_record(tmp_path: Path) -> None:
    with played(tmp_path) as accord:
        taken = FullViewTaken(question="accord show aurora-series", reason="A complaint.")
        accord.service.record_own(AURORA, "sam", taken)

        last = list(items(accord, AURORA))[-1]

    assert last.event
    assert (last.event.type, last.event.party) == (FullViewTaken.wire, "accord")
    assert last.people[last.event.actor] == "sam"
    assert last.event.data["reason"] == "A complaint."


def test_a_small_figure_is_in_no_answer_to_the_other_party(tmp_path: Path) -> None:
    few = ReportMetric(
        metric="leads",
        period="2026-10",
        tool="crm",
        figure=ReportedFigure(unit="count", value=Decimal(3)),
    )
    with played(tmp_path) as accord:
        sent = message("few", few, subject=CONSULTING, at="2026-10-20")
        assert accord.service.handle([sent])[0].status == "accepted"
        accord.runner.catch_up()
        theirs, ours = AsOf(viewer=Viewer(PARTNER)), AsOf(viewer=Viewer("growthos"))
        reference = f"{CONSULTING}/leads/2026-10"

        shown = only_figure(accord, reference, theirs)
        last = list(items(accord, CONSULTING, theirs))[-1]
        whole = only_figure(accord, reference, ours)

    assert (shown.line.value, shown.reported) == (None, ())
    assert last.text == "(fewer than 5: not shown)"
    assert (whole.line.value, len(whole.reported)) == (Decimal(3), 1)


# --- damaged and newer stores ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("viewer", "shown"),
    [
        (Viewer(), []),
        (THE_OTHER, []),
        (Viewer("helio-plus"), [True]),
        (Viewer(full=True), [True]),
    ],
    ids=str,
)
def test_an_event_of_a_newer_release_may_be_private(
    tmp_path: Path, viewer: Viewer, shown: list[bool]
) -> None:
    with played(tmp_path) as accord:
        reported = next(
            each
            for each in accord.history.of(AURORA)
            if isinstance(each.event, MetricReported) and each.act.party == "helio-plus"
        )
        changed_event(tmp_path, reported.index, '"type":"MetricReported"', '"type":"StarsAligned"')
        found = list(items(accord, AURORA, AsOf(viewer=viewer)))

    unknown = found[reported.index]
    assert unknown.index == reported.index
    hidden = viewer == THE_OTHER
    named = "hidden: written by a newer release." if hidden else "StarsAligned, version 1:"
    assert unknown.text.startswith(f"({named} Upgrade Accord")
    assert [True for each in found if each is unknown and each.event and each.event.data] == shown
    assert unknown.withheld is not bool(shown)
    assert [each.index for each in found] == list(range(len(found)))


def test_the_operator_alone_reads_on_past_an_event_of_a_newer_release(tmp_path: Path) -> None:
    with played(tmp_path) as accord:
        changed_event(tmp_path, 2, '"schema_version":1', '"schema_version":2')

        for when in (FULL, NOW):
            shown = list(items(accord, AURORA, when))[2]
            assert shown.text.startswith("(CandidateIdentified, version 2: ")
        for viewer in (OPERATIONS, Viewer("helio-plus")):
            with pytest.raises(UnknownEvent, match=f"^{AURORA}#2 is CandidateIdentified, vers"):
                items(accord, AURORA, AsOf(viewer=viewer))


def test_what_the_operator_sees_is_not_guessed_where_a_newer_release_agreed_it(
    tmp_path: Path,
) -> None:
    with played(tmp_path) as accord:
        changed_event(tmp_path, 2, '"schema_version":1', '"schema_version":2')
        changed_event(tmp_path, 2, '"CandidateIdentified"', '"DataSharingAgreed"')

        with pytest.raises(UnknownEvent, match=f"^{AURORA}#2 is DataSharingAgreed, version 2"):
            items(accord, AURORA)


def test_a_field_that_a_newer_release_added_is_shown(tmp_path: Path) -> None:
    with played(tmp_path) as accord:
        changed_event(tmp_path, 2, '"type":', '"tenant":"eu","type":')

        item = list(items(accord, AURORA, FULL))[2]
        (body,) = accord.history.bodies(AURORA, 2, 3)

    assert item.event
    assert canonical(item.event.model_dump(mode="json")) == body


@pytest.mark.parametrize(
    ("old", "new", "reason", "in_full"),
    [
        ('{"actor"', '{actor"', "unexpected character", "Invalid JSON"),
        ('"event_id"', '"event-id"', "it has no 'event_id'", "event_id: Field required"),
        ('"found_through"', '"found-through"', *["data/found_through: Field required"] * 2),
    ],
)
def test_a_damaged_event_is_named(
    tmp_path: Path, old: str, new: str, reason: str, in_full: str
) -> None:
    with played(tmp_path) as accord:
        changed_event(tmp_path, 2, old, new)

        with pytest.raises(UnreadableEvent, match=f"^{AURORA}#2 cannot be read: {reason}"):
            list(items(accord, AURORA))
        with pytest.raises(UnreadableEvent, match=f"^{AURORA}#2 cannot be read: {in_full}"):
            list(items(accord, AURORA, FULL))
