"""Forms: each command has one without JSON, and what is filled in is what is sent.

The story: growthos and Brightpath agreed terms. Boris of Brightpath proposes others: he finds those
in force filled in, and changes what he wants. He has no JavaScript.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import orjson
import pytest
from starlette.testclient import TestClient

from domain.aggregates import command_types
from domain.agreement import AcceptTerms, ProposeTerms
from domain.charter import Objective
from domain.examples import ADOPTED, FRAME
from domain.formation import ProposeCharter
from domain.kernel import Command
from infra.answers.inbox import SIGNED
from infra.bootstrap import Accord
from infra.http.pages import forms
from infra.http.pages.forms import Entry, Rows, Unfinished
from tests.feeds import simulated
from tests.infra.messages import from_steps
from tests.infra.signing import NAME
from tests.journeys.test_acting_from_pages import BORIS, Form, events, shown_text, signed_in
from tests.life import EXAMPLES, LIFE, THEIRS

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

    assert raised.value.wrong.keys() == {"charter.goals[1].key"}


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
