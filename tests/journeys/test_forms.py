"""Forms: each command has one without JSON, and what is filled in is what is sent.

The story: growthos and Brightpath agreed terms. Boris of Brightpath proposes others: he finds those
in force filled in, and changes what he wants. He has no JavaScript.
"""

import re
from collections.abc import Iterable, Iterator
from html import unescape
from itertools import chain
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson
import pytest
from starlette.testclient import TestClient

from domain.aggregates import command_types
from domain.agreement import AcceptTerms, ProposeTerms
from domain.charter import Objective
from domain.examples import ADOPTED, FRAME
from domain.formation import ProposeCharter
from domain.kernel import Command
from infra.access.credentials import Grant
from infra.access.roles import Role
from infra.answers.inbox import SIGNED
from infra.bootstrap import Accord
from infra.http.pages import act, forms
from infra.http.pages.forms import Entry, Field, Kind, Rows, Unfinished
from tests.feeds import simulated
from tests.infra.messages import from_steps
from tests.infra.signing import NAME
from tests.journeys.test_acting_from_pages import (
    BORIS,
    Form,
    events,
    link,
    shown_text,
    signed_in,
)
from tests.life import EXAMPLES, LIFE, OURS, THEIRS

FORM = f"/partnerships/{NAME}/send/ProposeTerms"


def as_sent(entries: Iterable[Entry]) -> dict[str, str]:
    """What a browser sends of a form that nobody changes."""
    found: dict[str, str] = {}
    for each in forms.flat(entries):
        if isinstance(each, Rows):
            found |= {row.name: "row" for row in each.rows}
        elif each.value:
            found[each.name] = each.value
    return found


# --- every command -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", command_types())
def test_each_command_has_a_form_of_fields_alone(name: str) -> None:
    for each in forms.flat(forms.fields(command_types()[name], {})):
        assert isinstance(each, Rows) or (each.value == "" and each.label)


def test_what_a_form_is_filled_in_with_is_what_it_sends() -> None:
    sent = {type(step.command): step.command for step in chain(LIFE, ADOPTED)}
    for kind, command in sent.items():
        known = orjson.loads(command.model_dump_json(exclude_none=True))
        filled = as_sent(forms.fields(kind, known))

        data = forms.data(kind, forms.without_blank_rows(filled))

        signed = {name: known[name] for name in SIGNED & known.keys()}
        assert kind.model_validate_json(orjson.dumps(data | signed)) == command


# --- what is typed -----------------------------------------------------------------------------


def wrong(kind: str, path: str, text: str) -> str:
    """What is wrong with a text in a field, with its hint; empty if nothing is."""
    try:
        forms.data(command_types()[kind], {f"data.{path}": text})
    except Unfinished as error:
        found = error.wrong.get(path)
        return f"{found.detail}. {found.hint}" if found else ""
    return ""


def test_each_line_of_a_text_is_kept() -> None:
    """A browser ends each line with two characters, one of which no text can have."""
    found = forms.data(
        command_types()["RaiseIssue"],
        {
            "data.issue": "i-1",
            "data.cause": "money",
            "data.description": "First line\r\nsecond line",
        },
    )

    assert found["description"] == "First line\nsecond line"


@pytest.mark.parametrize("typed", ["1,875.00", "12,345,678", "1,875"])
def test_an_amount_can_be_pasted_as_the_pages_print_it(typed: str) -> None:
    assert wrong("OpenDispute", "amount.amount", typed) == ""
    assert wrong("MeasureAudienceOverlap", "own_customers", typed.partition(".")[0]) == ""


@pytest.mark.parametrize("typed", ["12,50", "1.875,00", "1,87", ",100"])
def test_a_comma_that_separates_no_thousands_is_refused_by_its_name(typed: str) -> None:
    assert "no comma" in wrong("OpenDispute", "amount.amount", typed)


def test_a_time_is_chosen_in_a_zone_and_sent_as_a_moment() -> None:
    (field,) = (
        each for each in forms.fields(command_types()["ProposeReview"], {}) if each.path == "at"
    )
    given = {
        "data.proposal": "r-1",
        "data.review": "r-1",
        "data.kind": "strategic",
        "data.at": "2026-11-30T10:00",
    }

    found = forms.data(command_types()["ProposeReview"], given, ZoneInfo("America/New_York"))

    assert field.kind == Kind.MOMENT
    assert found["at"] == "2026-11-30T15:00:00Z"


def test_a_time_that_nobody_changed_stays_the_exact_moment() -> None:
    exact = "2026-11-30T10:00:00.123456Z"
    typed = {
        "data.proposal": "r-1",
        "data.review": "r-1",
        "data.kind": "strategic",
        "data.at": "2026-11-30T11:00:00",
    }

    found = forms.data(
        command_types()["ProposeReview"], typed, ZoneInfo("Europe/Berlin"), {"at": exact}
    )

    assert found["at"] == exact


def test_every_time_and_every_day_has_a_field_to_choose_it_and_every_period_an_example() -> None:
    kinds = {"date-time": Kind.MOMENT, "date": Kind.DATE}
    asked = {
        (name, each): schema
        for name, command in command_types().items()
        for each, schema in command.model_json_schema()["properties"].items()
    }
    for (name, path), schema in asked.items():
        kind = kinds.get(schema.get("format", ""))
        for field in forms.fields(command_types()[name], {}) if kind else ():
            assert field.path != path or field.kind == kind
    for name in ("IssueStatement", "ProposeRate"):
        (period,) = (
            each for each in forms.fields(command_types()[name], {}) if each.path == "period"
        )
        assert isinstance(period, Field)
        assert period.example


def test_what_is_optional_can_be_cleared_where_its_currency_was_filled_in() -> None:
    typed = {
        "data.dispute": "d-1",
        "data.cause": "money",
        "data.subject": "deal/D-1",
        "data.description": "It is of another client.",
        "data.amount.currency": "USD",
    }
    kind = command_types()["OpenDispute"]

    assert "amount" not in forms.data(kind, typed, before={"amount.currency": "USD"})
    with pytest.raises(Unfinished):
        forms.data(kind, typed)


# --- rows --------------------------------------------------------------------------------------

OBJECTIVES = "charter.objectives"


def rows_of(kind: type[Command], given: dict[str, str], path: str) -> Rows:
    (found,) = (each for each in forms.flat(forms.filled(kind, given)) if each.path == path)
    assert isinstance(found, Rows)
    return found


def test_a_list_that_is_needed_begins_with_a_row() -> None:
    found = rows_of(ProposeCharter, {}, OBJECTIVES)

    (row,) = found.rows
    assert len(row.entries) == len(Objective.model_fields)


def test_a_row_is_added_and_removed_and_the_others_keep_what_was_typed() -> None:
    first = {f"data.{OBJECTIVES}[0]": "row", f"data.{OBJECTIVES}[0].objective": "growth"}
    more = forms.with_row(ProposeCharter, first, OBJECTIVES)
    more[f"data.{OBJECTIVES}[1].objective"] = "reach"

    left = forms.without_row(more, f"{OBJECTIVES}[0]")

    assert len(rows_of(ProposeCharter, more, OBJECTIVES).rows) == 2
    (row,) = rows_of(ProposeCharter, left, OBJECTIVES).rows
    assert row.entries[0].value == "reach"
    assert len(forms.with_row(ProposeCharter, left, OBJECTIVES)) > len(left)


def test_a_row_of_no_kind_and_one_at_no_path_are_not_added() -> None:
    shown = forms.with_row(ProposeTerms, {}, "items", "gift")

    assert rows_of(ProposeTerms, shown, "items").rows == ()
    assert forms.with_row(ProposeTerms, {}, "nothing") == {}


def test_two_rows_about_the_same_party_are_wrong() -> None:
    goals = {
        f"data.charter.goals[{row}].{part}": text
        for row, said in enumerate(("More clients.", "Better clients."))
        for part, text in (("key", "growthos"), ("value", said))
    }

    with pytest.raises(Unfinished) as raised:
        forms.data(ProposeCharter, goals)

    assert "charter.goals[1].key" in raised.value.wrong


def test_what_is_wrong_in_a_row_is_said_beside_its_field() -> None:
    given = {
        "data.proposal": "terms-9",
        "data.effective_from": "2026-01-01",
        "data.items[0]": "row",
        "data.items[0].kind": "revenue-share",
        "data.items[0].share": "a lot",
    }

    with pytest.raises(Unfinished) as raised:
        forms.data(ProposeTerms, given)

    assert {"items[0].to", "items[0].share"} <= raised.value.wrong.keys()


# --- terms -------------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Accord]:
    """A store with a partnership in which terms are agreed."""
    with simulated(tmp_path) as accord:
        accord.service.handle(from_steps(LIFE[: LIFE.index(EXAMPLES[AcceptTerms]) + 1]))
        accord.catch_up()
        yield accord


@pytest.fixture
def browser(store: Accord) -> Iterator[TestClient]:
    with signed_in(store, BORIS) as found:
        yield found


def test_a_form_of_terms_is_filled_in_with_those_in_force(browser: TestClient) -> None:
    page = browser.get(FORM)
    fields = Form.of(page).fields

    assert fields["data.items[0].kind"] == "revenue-share"
    assert fields["data.items[0].share"] == "15"
    assert fields["data.frame.notice"] == FRAME.notice
    assert fields["data.frame.minimum_referrals_per_quarter[0].key"] == THEIRS
    assert fields["data.proposal"] == "terms-3"
    assert "only what differs is sent" in shown_text(page.text)


def test_only_what_differs_from_the_terms_in_force_is_sent(
    browser: TestClient, store: Accord
) -> None:
    form = Form.of(browser.get(FORM))

    changes = {"data.items[0].share": "9", "data.effective_from": "2030-06-01"}
    answer = form.send(browser, **changes)

    assert "Recorded" in answer.text
    proposed = orjson.loads(orjson.dumps(events(store)[-1]["data"]))
    assert [each["share"] for each in proposed["items"]] == ["9"]
    assert "frame" not in proposed


def test_a_list_that_is_emptied_is_a_change(browser: TestClient, store: Accord) -> None:
    form = Form.of(browser.get(FORM))
    emptied = Form.of(form.send(browser, remove="frame.minimum_referrals_per_quarter[0]"))

    answer = emptied.send(browser, **{"data.effective_from": "2030-06-01"})

    assert "Recorded" in answer.text
    proposed = orjson.loads(orjson.dumps(events(store)[-1]["data"]))
    assert proposed["frame"] == {"minimum_referrals_per_quarter": {}}
    assert "items" not in proposed


def test_an_item_is_added_by_a_button_and_nothing_is_sent(
    browser: TestClient, store: Accord
) -> None:
    before, form = len(events(store)), Form.of(browser.get(FORM))
    count = sum(name.endswith("]") and name.startswith("data.items[") for name in form.fields)

    more = form.send(browser, **{"add": "items", "data.items+kind": "retainer"})
    again = Form.of(more)

    assert more.status_code == 200
    assert again.fields[f"data.items[{count}].kind"] == "retainer"
    assert f"data.items[{count}].fee.amount" in again.needed
    less = Form.of(again.send(browser, remove=f"items[{count}]"))
    assert less.fields.keys() == form.fields.keys()
    assert len(events(store)) == before


# --- hints -------------------------------------------------------------------------------------

_EXAMPLE = re.compile(
    r"(?:as in|Write it as(?= [A-Z0-9])|[Ww]rite at least|or a year:) (.+?)(?=\.?$|: |\. | because)"
)
"""Where a hint has what can be typed; several with commas and `or` between them."""

_NO_TYPED_VALUE = {"choice", "boolean", "rows", "fixed"}


def examples(hint: str) -> list[str]:
    """What a hint says that can be typed."""
    said = [part for found in _EXAMPLE.findall(hint) for part in re.split(r",? or |, ", found)]
    return [each.strip('" ') for each in said if each.strip('" ')]


def test_what_a_hint_says_can_be_typed_is_accepted_when_it_is_typed(browser: TestClient) -> None:
    """A hint was shown with its days and periods in words, which no field takes."""
    seen: set[str] = set()
    tried = 0
    for name, command in command_types().items():
        for each in forms.flat(forms.fields(command, {})):
            if each.kind in _NO_TYPED_VALUE or each.path in SIGNED:
                continue
            hint = wrong(name, each.path, "a,b*").partition(". ")[2]
            if hint in seen or not examples(hint):
                continue
            seen.add(hint)
            address = f"/partnerships/{NAME}/send/{name}"
            form = Form.of(browser.get(address))
            if each.name not in form.fields:
                continue
            shown = said_beside(form.send(browser, **{each.name: "a,b*"}).text, each.name)
            assert "'a,b*'" in shown
            for example in examples(shown):
                answer = form.send(browser, **{each.name: example}).text
                assert said_beside(answer, each.name) == "", (name, each.path, shown, example)
                tried += 1
    assert tried > 8


@pytest.mark.parametrize(
    ("changes", "gone"),
    [
        ({"items[0].share": "9"}, ["15 %"]),
        ({"frame.time_zone": "Europe/Berlin"}, ["Time zone: UTC"]),
        ({"items[0].share": "9", "frame.time_zone": "Europe/Berlin"}, ["Time zone: UTC", "15 %"]),
    ],
    ids=["items", "frame", "both"],
)
def test_who_accepts_terms_sees_what_they_change(
    store: Accord, changes: dict[str, str], gone: list[str]
) -> None:
    with signed_in(store, BORIS) as browser:
        form = Form.of(browser.get(FORM))
        filled = {f"data.{name}": each for name, each in changes.items()}
        form.send(browser, **filled, **{"data.effective_from": "2030-06-01"})
    grant = Grant(role=Role.PARTY, party=OURS, actor="Gia Gallo")
    with signed_in(store, grant) as browser:
        page = browser.get(link(browser.get("/inbox"), "Accept terms")).text

    struck = [shown_text(each) for each in re.findall(r"<s>(.*?)</s>", page)]
    assert [any(each in said for said in struck) for each in gone] == [True] * len(gone)
    assert len(struck) == len(gone)


def test_only_fields_that_name_a_party_offer_the_parties() -> None:
    """Deals and durations offered them, because the word is in their meaning."""
    offered = {
        re.sub(r".*\.", "", each.path)
        for command in command_types().values()
        for each in forms.flat(forms.fields(command, {}))
        if isinstance(each, forms.Field) and each.names_party
    }
    assert offered == {"by", "collected_by", "key", "owner", "paid_by", "party", "to"}


def test_a_party_can_be_called_by_its_name_in_a_form(browser: TestClient) -> None:
    form = Form.of(browser.get(f"/partnerships/{NAME}/send/ProposeAction"))
    action = {"action": "call", "text": "Call the client", "due": "2030-06-01"}
    filled = {"proposal": "call", "owner": "Brightpath", **action}

    answer = form.send(browser, **{f"data.{name}": each for name, each in filled.items()})

    assert "Recorded." in answer.text
    assert "an action of Brightpath" in shown_text(answer.text)


def said_beside(page: str, field: str) -> str:
    """What is said to be wrong beside a field; empty if nothing is."""
    found = re.search(rf'<p id="{re.escape(field)}-wrong"[^>]*>(.*?)</p>', page)
    return shown_text(unescape(found[1])) if found else ""


def test_a_wrong_value_is_quoted_as_it_was_typed(browser: TestClient) -> None:
    form = Form.of(browser.get(f"/partnerships/{NAME}/send/IssueStatement"))

    answer = form.send(browser, **{"data.period": "2026-01-31"})

    assert "'2026-01-31'" in said_beside(answer.text, "data.period")
    assert "2026-03, 2026-Q1 or 2026" in said_beside(answer.text, "data.period")


def test_the_form_of_a_review_asks_for_its_time_in_the_zone_of_the_agreement(
    browser: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(act, "zone_of", lambda *_: ZoneInfo("America/New_York"))
    address = f"/partnerships/{NAME}/send/ProposeReview"
    page = browser.get(address).text
    wrong = Form.of(browser.get(address)).send(browser, **{"data.at": "tomorrow"})

    (field,) = re.findall(r'<input id="data.at"[^>]*>', page)
    assert 'type="datetime-local"' in field
    assert shown_text(page).count("In the agreement's time zone, America/New_York.") == 2
    assert "At is not a day and a time: 'tomorrow'." in said_beside(wrong.text, "data.at")
