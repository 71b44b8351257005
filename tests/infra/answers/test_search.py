"""Search: words lead to the customer, the deal, the person, the document and the partnership.

Given what both parties recorded, when somebody searches for words that they remember, then they
find each thing that they may see, with its latest event, and nothing tells that there is more.
"""

from datetime import timedelta
from pathlib import Path

import pytest

from domain.exploration import IdentifyCandidate, PartnerChosen
from domain.people import ErasePerson
from infra.answers.logs import AsOf, NotFound
from infra.answers.question import Paging
from infra.answers.search import SEARCH, SearchResult, SearchResults
from infra.bootstrap import Accord
from infra.deciding.pseudonyms import names
from projections.visibility import Viewer
from tests.feeds import simulated
from tests.infra.answers.helpers import printed
from tests.infra.messages import beginning, message

ONE = "growthos-consulting"
CUSTOMER = "Mid-market company 01"


def search(
    demo: Accord, words: str, party: str | None = None, when: AsOf | None = None
) -> tuple[SearchResult, ...]:
    asked = when or AsOf(viewer=Viewer(party))
    found: SearchResults = SEARCH.reply(demo, words=words, when=asked)
    return found.items


def of(found: tuple[SearchResult, ...], partnership: str = ONE) -> set[str | None]:
    return {each.about for each in found if each.partnership == partnership}


def test_a_customer_leads_to_its_deal(demo: Accord) -> None:
    (found,) = (each for each in search(demo, CUSTOMER) if each.about == "deal/ref-0001")

    assert found.partnership == ONE
    assert CUSTOMER in found.text
    assert found.event is not None


@pytest.mark.parametrize(
    "words", ["ref-0001", "REF-0001", "0001 ref-", "northbridge ref-0001", f"ref-0001 {ONE}"]
)
def test_a_deal_is_found_by_its_name_in_any_letters_and_with_its_partnership(
    demo: Accord, words: str
) -> None:
    assert "deal/ref-0001" in of(search(demo, words))


def test_a_partnership_is_found_by_the_name_of_either_party(demo: Accord) -> None:
    found = next(each for each in search(demo, "northbridge") if each.partnership == ONE)

    assert (found.about, found.event, found.events) == (None, None, 0)
    assert "Northbridge" in found.text


def test_a_person_is_found_by_name_where_that_person_acted(demo: Accord) -> None:
    found = search(demo, "sam adeyemi", "northbridge")

    assert {"deal/ref-0001", None} <= of(found)
    assert {each.partnership for each in found} == {ONE}


def test_what_is_found_says_where_it_has_the_words(demo: Accord) -> None:
    found = [each for each in search(demo, "sam adeyemi", "northbridge") if each.event is not None]

    assert found
    assert all(each.said for each in found)
    assert "who acted: sam.adeyemi" in {said for each in found for said in each.said}


def test_a_document_is_found_by_its_name(demo: Accord) -> None:
    (found,) = search(demo, "webinar-2025-10", "northbridge")

    assert "webinar-2025-10" in found.text


def test_words_that_are_only_names_of_fields_find_nothing(demo: Accord) -> None:
    assert search(demo, "occurred_at") == ()
    assert search(demo, "schema_version") == ()


def test_an_amount_is_found_as_the_pages_print_it(demo: Accord) -> None:
    assert of(search(demo, "12,500.00")) == of(search(demo, "12500")) != set()


def test_beside_an_identifier_the_words_of_the_sentence_are_found_too(demo: Accord) -> None:
    (found,) = (each for each in search(demo, "ref-0011 won") if each.partnership == ONE)

    assert (found.about, found.events) == ("deal/ref-0011", 1)
    assert found.text.startswith("won deal ref-0011")


def test_words_that_name_a_partnership_hide_nothing_else_that_has_them(demo: Accord) -> None:
    found = search(demo, "northbridge", "growthos")

    assert found[0].event is None
    assert {each.partnership for each in found if each.event is not None} >= {ONE}
    assert len({(each.partnership, each.about, each.event) for each in found}) == len(found)


def test_a_party_finds_nothing_of_a_partnership_of_others(demo: Accord) -> None:
    assert search(demo, CUSTOMER, "helio-plus") == ()
    assert search(demo, ONE, "helio-plus") == ()
    assert {each.partnership for each in search(demo, "growthos", "northbridge")} == {ONE}


def test_what_was_not_recorded_by_then_is_not_found(demo: Accord) -> None:
    deal = "deal/ref-0001"
    (found,) = (each for each in search(demo, CUSTOMER) if each.about == deal)
    assert found.day is not None
    before = AsOf(at=found.day - timedelta(days=1))

    assert deal not in of(search(demo, CUSTOMER, when=before))
    assert deal in of(search(demo, CUSTOMER, when=AsOf(at=found.day)))


def test_a_partner_that_was_not_chosen_by_then_is_no_name_of_the_partnership(
    demo: Accord,
) -> None:
    chosen = next(each for each in demo.history.of(ONE) if isinstance(each.event, PartnerChosen))
    before = AsOf(at=chosen.act.occurred_at - timedelta(seconds=1))

    found = search(demo, "northbridge", when=before)

    # The candidate was named in events, and the partnership was not called after it.
    assert all(each.events for each in found if each.partnership == ONE)


def test_each_page_goes_on_where_the_one_before_ended(demo: Accord) -> None:
    whole = search(demo, "ref-000", "growthos")
    pages: list[SearchResult] = []
    after: str | None = None
    while True:
        page = Paging(after, 2)
        found = SEARCH.reply(demo, words="ref-000", when=AsOf(viewer=Viewer("growthos")), page=page)
        pages += found.items
        if (after := found.next) is None:
            break

    assert tuple(pages) == whole
    assert len(whole) > 2
    with pytest.raises(NotFound):
        SEARCH.reply(demo, words="other", page=Paging("wrong"))


def test_the_command_prints_each_thing_with_its_latest_event(
    demo: Accord, capsys: pytest.CaptureFixture[str]
) -> None:
    found: SearchResults = SEARCH.reply(demo, words=CUSTOMER)

    assert "deal/ref-0001" in printed(SEARCH.lines(found))
    assert printed(SEARCH.lines(SEARCH.reply(demo, words="zebra"))) == ""
    assert "Nothing was found." in capsys.readouterr().err


def test_a_name_with_other_letters_is_found_until_its_person_is_erased(tmp_path: Path) -> None:
    asked = IdentifyCandidate(
        candidate="strasse", name='Straße "Süd"', found_through="directory", staff=12
    )
    with simulated(tmp_path) as accord:
        sent = [beginning(), message("one", asked, actor="Zoë Äberg")]
        assert {each.status for each in accord.service.handle(sent)} == {"accepted"}
        accord.catch_up()
        for words in ("STRASSE", "straße", "SÜD", '"süd"', "zoë äberg", "ÄBERG"):
            assert [each.event for each in search(accord, words)] == [1], words

        people = names(accord.history, "growthos-brightpath")
        (person,) = (key for key, name in people.items() if name == "Zoë Äberg")
        erase = ErasePerson(person=person, reason="She asked.")
        assert [each.status for each in accord.service.handle([message("two", erase)])] == [
            "accepted"
        ]
        accord.catch_up()
        assert search(accord, "äberg") == ()
        assert [each.event for each in search(accord, "straße")] == [1]
