"""Acting from a page: the same commands, through the same intake, without JavaScript.

The story: growthos proposed commercial terms to Brightpath. Boris of Brightpath finds them in the
inbox, opens the form, and accepts. Later Brightpath has a signing key: then the page prepares what
he signs, with the command line that signs it.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import orjson
import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from domain.agreement import ProposeTerms
from domain.declarations import CHANGE_REASON
from domain.execution import RaiseIssue
from domain.exploration import IdentifyCandidate
from domain.reported_figure import ReportMetric
from domain.values import instant
from infra.access import credentials
from infra.access.credentials import Grant
from infra.access.roles import Role, Scope
from infra.answers.refusals import REFUSALS
from infra.answers.show import SHOW
from infra.bootstrap import Accord
from infra.http import create_app
from infra.http.pages import act, forms
from infra.http.pages.consent import Subject, fields_of
from infra.http.pages.shown import readable
from infra.tlog.keys import Signer
from tests.feeds import simulated
from tests.infra.messages import beginning, from_steps
from tests.infra.signing import NAME, Signatory
from tests.journeys import typed
from tests.life import EXAMPLES, LIFE, OURS, THEIRS

BORIS = Grant(role=Role.PARTY, party=THEIRS, actor="Boris Brandt")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Accord]:
    with terms_proposed(tmp_path) as accord:
        yield accord


@contextmanager
def terms_proposed(folder: Path) -> Iterator[Accord]:
    """A store with a partnership in which growthos proposed terms."""
    with simulated(folder) as accord:
        accord.service.handle(from_steps(LIFE[: LIFE.index(EXAMPLES[ProposeTerms]) + 1]))
        accord.catch_up()
        yield accord


@pytest.fixture
def open_browser(store: Accord) -> Iterator[TestClient]:
    with store.workers() as workers:
        app = create_app(store, workers, is_open=True)
        with TestClient(app, headers={"Accept": "text/html"}) as browser:
            yield browser


@pytest.fixture
def browser(store: Accord) -> Iterator[TestClient]:
    """The browser of Boris, who is signed in."""
    with signed_in(store, BORIS) as found:
        yield found


class signed_in:  # noqa: N801 - read as a sentence
    """The browser of somebody who signed in with a key of a grant."""

    def __init__(self, store: Accord, grant: Grant) -> None:
        self.workers = store.workers()
        self.key = credentials.create(store.history.credentials, grant, store.clock()).key
        self.store = store

    def __enter__(self) -> TestClient:
        app = create_app(self.store, self.workers.__enter__())
        browser = TestClient(app, headers={"Accept": "text/html"})
        form = Form.of(browser.get("/sign-in"))
        assert form.send(browser, key=self.key).status_code == 200
        return browser

    def __exit__(self, *error: object) -> None:
        self.workers.__exit__(*error)  # type: ignore[arg-type]


class Form(HTMLParser):
    """The last form of a page with fields to fill in: where it goes, and what is filled in."""

    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.needed: set[str] = set()
        self._in = ""

    @classmethod
    def of(cls, page: Response) -> "Form":
        """The form of a page that was answered."""
        found = cls()
        found.feed(page.text)
        return found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name") or ""
        if tag == "form" and given.get("method") == "post":
            self.action, self.fields = given["action"] or "", {}
        elif tag in {"input", "textarea", "select"} and name:
            self.fields[name] = given.get("value") or ""
            self._in = name if tag != "input" else ""
            if "required" in given:
                self.needed.add(name)
        elif tag == "option" and "selected" in given:
            self.fields[self._in] = given.get("value") or "?"

    def handle_data(self, data: str) -> None:
        if self._in and self.lasttag == "textarea":
            self.fields[self._in] += data

    def handle_endtag(self, tag: str) -> None:
        if tag in {"textarea", "select"}:
            self._in = ""

    def send(self, browser: TestClient, **filled: str) -> Response:
        """Send it, with some fields filled in."""
        answer: Response = browser.post(self.action, data=self.fields | filled)
        return answer


def link(page: Response, words: str) -> str:
    """The address of a link with these words."""
    found = re.search(rf'href="([^"]+)"[^>]*>{re.escape(words)}<', page.text)
    assert found, f"no link {words}"
    return unescape(found[1])


def events(store: Accord) -> list[dict[str, str]]:
    size = store.history.heads([NAME])[NAME].size
    return [orjson.loads(body) for body in store.history.bodies(NAME, 0, size)]


# --- a consent ---------------------------------------------------------------------------------


def test_a_person_accepts_terms_from_the_inbox(browser: TestClient, store: Accord) -> None:
    before = len(events(store))
    form = Form.of(browser.get(link(browser.get("/inbox"), "Accept terms")))

    answer = form.send(browser)

    assert "Recorded" in answer.text
    (index,) = (at for at, each in enumerate(events(store)) if each["type"] == "TermsAccepted")
    assert index >= before
    assert events(store)[index]["party"] == THEIRS
    assert f"#event-{index}" in answer.text


def test_what_is_agreed_is_above_the_button_and_only_what_matters_is_asked(
    browser: TestClient, store: Accord
) -> None:
    page = browser.get(link(browser.get("/inbox"), "Accept terms"))
    (proposed,) = (
        each for each in SHOW.reply(store, id=NAME).proposals if each.proposal == "terms-1"
    )

    above, _, form = page.text.partition('<form class="fields"')

    assert proposed.contents
    text = shown_text(above).lower()
    assert [each for each in proposed.contents if plain(readable(each)).lower() not in text] == []
    assert 'type="hidden" name="data.proposal" value="terms-1"' in form
    assert "<details><summary>What it says" in browser.get("/inbox").text


def test_what_was_answered_before_is_named_with_its_event(
    browser: TestClient, store: Accord
) -> None:
    address = link(browser.get("/inbox"), "Accept terms")
    Form.of(browser.get(address)).send(browser)
    agreed = "CommercialTermsAgreed"
    (index,) = (at for at, each in enumerate(events(store)) if each["type"] == agreed)

    again = browser.get(address)

    assert f"You answered it already, as #{index}" in shown_text(again.text)


def shown_text(page: str) -> str:
    return plain(unescape(re.sub("<[^>]+>", "", page)))


def plain(text: str) -> str:
    """Text with one space where a page has any."""
    return " ".join(text.split())


def test_a_form_that_is_sent_twice_acts_once(browser: TestClient, store: Accord) -> None:
    form = Form.of(browser.get(link(browser.get("/inbox"), "Accept terms")))
    once = form.send(browser)
    recorded = len(events(store))

    again = form.send(browser)

    assert again.text == once.text
    assert len(events(store)) == recorded


def test_a_refusal_is_shown_in_place_with_its_rule_and_keeps_what_was_filled_in(
    browser: TestClient, store: Accord
) -> None:
    form = Form.of(browser.get(link(browser.get("/inbox"), "Decline proposal")))

    answer = form.send(browser, **{"data.proposal": "terms-99", "data.reason": "Too little."})
    again = Form.of(answer)

    assert answer.status_code == 422
    assert "Not recorded." in answer.text
    assert 'href="/problems/' in answer.text
    (refused,) = store.history.refusals("open")
    assert f"It is refused input No. {refused.number}" in shown_text(answer.text)
    assert again.fields["data.reason"] == "Too little."
    assert "ProposalDeclined" not in {each["type"] for each in events(store)}
    assert "Recorded" in again.send(browser, **{"data.proposal": form.fields["data.proposal"]}).text


def test_a_form_has_a_field_for_each_that_its_command_needs(browser: TestClient) -> None:
    form = Form.of(browser.get(f"/partnerships/{NAME}/send/RaiseIssue"))

    fields = RaiseIssue.model_fields.keys() - {CHANGE_REASON}
    assert {f"data.{name}" for name in fields} <= form.fields.keys()
    assert f"data.{CHANGE_REASON}" not in form.fields
    assert form.needed - {"time"} == {
        f"data.{name}" for name, each in RaiseIssue.model_fields.items() if each.is_required()
    }


RESPONDENTS = ("promoters", "passives", "detractors")


@pytest.mark.parametrize(
    ("metric", "asked"),
    [
        ("co_branded_revenue", {"value"}),
        ("churn_rate", {"numerator", "denominator"}),
        ("net_promoter_score", {f"respondents.{each}" for each in RESPONDENTS}),
        ("one_of_their_own", {"value", "numerator", "denominator"}),
    ],
)
def test_a_figure_that_is_awaited_is_asked_for_in_the_parts_that_make_it(
    metric: str, asked: set[str]
) -> None:
    known = {"metric": metric, "period": "2026-03"}
    fields = forms.fields(ReportMetric, known)

    found = fields_of(fields, Subject("Report it."), ReportMetric, known, is_prefilled=False)

    figure = {each.path for each in found.asked if each.path.startswith("figure.")}
    assert figure == {"figure.unit", *(f"figure.{each}" for each in asked)}


def test_what_is_on_record_is_corrected_with_the_reason_that_its_refusal_asks_for(
    browser: TestClient, store: Accord
) -> None:
    address = f"/partnerships/{NAME}/send/IdentifyRisk"
    first = Form.of(browser.get(address))
    rated = {"data.likelihood": "3", "data.impact": "4"}
    said = {"data.risk": "risk-1", "data.description": "One cleint alone."} | rated
    first.send(browser, **said)

    mended = said | {"data.description": "One client alone."}
    refused = Form.of(browser.get(address)).send(browser, **mended)
    again = Form.of(refused)
    answer = again.send(browser, **{f"data.{CHANGE_REASON}": "It was mistyped."})

    assert f"data.{CHANGE_REASON}" not in first.fields
    assert f"data.{CHANGE_REASON}" in again.fields
    assert CHANGE_REASON not in shown_text(refused.text)
    assert "Change reason What is recorded cannot be changed." in shown_text(refused.text)
    assert "Kind optional" in shown_text(refused.text)
    assert "Recorded." in shown_text(answer.text)
    assert "It was mistyped." in f"{events(store)[-1]['data']}"


def test_what_a_field_cannot_have_is_said_beside_it_and_is_no_refused_input(
    browser: TestClient, store: Accord
) -> None:
    form = Form.of(browser.get(f"/partnerships/{NAME}/send/RaiseIssue"))

    answer = form.send(browser, **{"data.issue": "a b", "data.description": "Late."})

    assert answer.status_code == 422
    assert "What is wrong is said beside the fields." in shown_text(answer.text)
    (issue,) = re.findall(r"<input[^>]* name=.data.issue.[^>]*>", answer.text)
    assert 'aria-invalid="true" autofocus' in issue
    assert 'aria-describedby="data.issue-about data.issue-wrong"' in issue
    assert "/data/" not in shown_text(answer.text)
    assert answer.text.count(" autofocus") == 1
    assert REFUSALS.reply(store, all=True).items == ()


def test_a_refused_form_that_is_corrected_leaves_the_list_of_refused_inputs(
    browser: TestClient, store: Accord
) -> None:
    form = Form.of(browser.get(link(browser.get("/inbox"), "Decline proposal")))
    right = {"data.reason": "Too little.", "data.proposal": form.fields["data.proposal"]}
    refused = form.send(browser, **right | {"data.proposal": "terms-99"})
    (before,) = REFUSALS.reply(store).items

    Form.of(refused).send(browser, **right)

    assert before.rule
    assert REFUSALS.reply(store).items == ()


def test_what_was_sent_has_a_page_of_its_own_so_that_a_reload_sends_nothing(
    browser: TestClient, store: Accord
) -> None:
    form = Form.of(browser.get(link(browser.get("/inbox"), "Accept terms")))
    answer = form.send(browser)
    recorded = len(events(store))

    again = browser.get(answer.url)

    assert [each.status_code for each in answer.history] == [303]
    assert f"#{recorded - 1}" in answer.text
    assert "Recorded." in shown_text(answer.text)
    assert again.text == answer.text
    assert len(events(store)) == recorded


def test_no_page_confirms_an_event_that_was_not_sent(browser: TestClient) -> None:
    answer = browser.get(f"/partnerships/{NAME}/sent?event=nothing")

    assert answer.status_code == 404
    assert "No event with this id was recorded" in shown_text(answer.text)


def test_the_time_is_chosen_in_the_zone_of_the_agreement(
    browser: TestClient, store: Accord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(act, "zone_of", lambda *_: ZoneInfo("America/New_York"))
    page = browser.get(link(browser.get("/inbox"), "Accept terms"))
    form = Form.of(page)
    local = datetime.fromisoformat(form.fields["time"]).replace(microsecond=0)

    form.send(browser, time=f"{local + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}")

    assert "America/New_York" in page.text
    (accepted,) = (each for each in events(store) if each["type"] == "TermsAccepted")
    happened = local.replace(tzinfo=ZoneInfo("America/New_York")) + timedelta(seconds=1)
    assert datetime.fromisoformat(accepted["occurred_at"]) == happened


def test_a_time_that_is_not_changed_is_the_exact_moment(browser: TestClient, store: Accord) -> None:
    form = Form.of(browser.get(link(browser.get("/inbox"), "Accept terms")))

    form.send(browser)

    (accepted,) = (each for each in events(store) if each["type"] == "TermsAccepted")
    assert accepted["occurred_at"] == form.fields["moment"]


def test_the_time_of_a_simulated_store_begins_at_its_latest_record(
    browser: TestClient, store: Accord
) -> None:
    page = browser.get(f"/partnerships/{NAME}/send/RaiseIssue")
    last = [*store.history.of(NAME)][-1].act.recorded_at

    assert Form.of(page).fields["moment"] == instant(last)
    assert "A later time moves it on for good" in shown_text(page.text)


def test_a_time_that_is_none_is_said_beside_its_field(browser: TestClient) -> None:
    form = Form.of(browser.get(f"/partnerships/{NAME}/send/RaiseIssue"))

    answer = form.send(browser, **RAISED | {"time": "yesterday"})

    assert answer.status_code == 422
    assert "When it happened is not a day and a time: 'yesterday'." in shown_text(answer.text)


RAISED = {"data.issue": "i-1", "data.cause": "money", "data.description": "Late."}


# --- a session that ended ----------------------------------------------------------------------


LONG = "The referral of May is missing. " * 500
"""More characters than an address can have."""


def test_a_form_that_comes_after_its_session_is_shown_beside_the_sign_in_to_be_copied(
    store: Accord,
) -> None:
    with signed_in(store, BORIS) as browser:
        form = Form.of(browser.get(f"/partnerships/{NAME}/send/RaiseIssue"))
        before = len(events(store))
        browser.cookies.clear()

        ended = form.send(browser, **RAISED | {"data.description": LONG})

        assert ended.status_code == 401
        assert "nothing was recorded" in shown_text(ended.text)
        assert LONG.strip() in shown_text(ended.text)
        assert len(events(store)) == before


def test_nobody_else_gets_what_was_typed_before_a_session_ended(store: Accord) -> None:
    """It went along in the address, and whoever signed in next had it in the form."""
    with signed_in(store, BORIS) as browser:
        form = Form.of(browser.get(f"/partnerships/{NAME}/send/RaiseIssue"))
        browser.cookies.clear()
        ended = form.send(browser, **RAISED)
        other = Grant(role=Role.PARTY, party=THEIRS, actor="Carla")
        key = credentials.create(store.history.credentials, other, store.clock()).key

        again = Form.of(ended).send(browser, key=key)

        assert again.url.path == f"/partnerships/{NAME}/send/RaiseIssue"
        assert [each for each in RAISED.values() if each in str(again.url)] == []
        assert {name: Form.of(again).fields[name] for name in RAISED} == dict.fromkeys(RAISED, "")


SAME_SITE = {"Sec-Fetch-Site": "same-origin"}


def sign_in_again(browser: TestClient, store: Accord, grant: Grant) -> None:
    """Another tab of the browser signs in, which replaces the session."""
    key = credentials.create(store.history.credentials, grant, store.clock()).key
    assert Form.of(browser.get("/sign-in")).send(browser, key=key).status_code == 200


def test_a_form_from_a_tab_whose_session_was_replaced_keeps_its_text_for_the_same_person(
    browser: TestClient, store: Accord
) -> None:
    form = Form.of(browser.get(f"/partnerships/{NAME}/send/RaiseIssue"))
    before = len(events(store))
    sign_in_again(browser, store, BORIS)
    browser.headers |= SAME_SITE

    shown = form.send(browser, **RAISED)

    assert shown.status_code == 409
    assert "so nothing was sent" in shown_text(shown.text)
    assert len(events(store)) == before
    again = Form.of(shown)
    assert {name: again.fields[name] for name in RAISED} == RAISED
    assert again.send(browser).status_code != 409


def test_nobody_else_gets_the_text_of_a_tab_whose_session_was_replaced(
    browser: TestClient, store: Accord
) -> None:
    form = Form.of(browser.get(f"/partnerships/{NAME}/send/RaiseIssue"))
    sign_in_again(browser, store, Grant(role=Role.PARTY, party=THEIRS, actor="Carla"))
    browser.headers |= SAME_SITE

    answer = form.send(browser, **RAISED)

    assert answer.status_code == 400
    assert "Somebody else has signed in since this form was shown" in answer.text
    assert RAISED["data.description"] not in answer.text


def test_a_form_of_another_site_is_not_shown_beside_the_sign_in(store: Accord) -> None:
    with store.workers() as workers:
        browser = TestClient(create_app(store, workers), headers={"Accept": "text/html"})

        answer = browser.post(
            f"/partnerships/{NAME}/send/RaiseIssue",
            data=RAISED,
            headers={"Sec-Fetch-Site": "cross-site"},
        )

    assert answer.status_code == 401
    assert [each for each in RAISED.values() if each in answer.text] == []


# --- what went wrong ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/nowhere", 404),
        ("/partnerships", 404),
        ("/partnerships/nobody", 403),
        ("/alerts/acknowledge", 405),
        ("/inbox?nothing=1", 422),
        (f"/partnerships/{NAME}/send/Nothing", 404),
    ],
)
def test_a_page_that_cannot_be_shown_has_the_viewer_and_a_way_back(
    browser: TestClient, address: str, status: int
) -> None:
    answer = browser.get(address)

    assert answer.status_code == status
    text = shown_text(answer.text)
    assert "Boris Brandt" in text
    assert 'aria-label="Main"' in answer.text
    assert not re.search(r"/v1/|/docs|Authorization|route", text)


def test_a_page_that_cannot_be_read_names_the_field_and_leads_back(browser: TestClient) -> None:
    came = {"Referer": "http://testserver/alerts?rule=x"}
    answer = browser.get("/portfolio?at=nonsense", headers=came)
    elsewhere = browser.get(
        "/portfolio?at=nonsense", headers={"Referer": "http://elsewhere.example/alerts"}
    )

    assert "Happened by is not a date or a moment: 'nonsense'." in shown_text(answer.text)
    assert 'href="/alerts?rule=x">Back</a>' in answer.text
    assert ">Back</a>" not in elsewhere.text


def test_a_stranger_at_an_address_without_a_page_is_led_to_sign_in(store: Accord) -> None:
    with signed_in(store, BORIS) as browser:
        browser.cookies.clear()
        answer = browser.get("/nowhere")

    assert answer.status_code == 404
    assert 'href="/sign-in"' in answer.text
    assert "Main" not in answer.text


def test_a_program_at_an_address_without_a_route_gets_the_problem(browser: TestClient) -> None:
    answer = browser.get("/v1/nowhere", headers={"Accept": "application/json"})

    assert answer.headers["content-type"] == "application/problem+json"


# --- who may -----------------------------------------------------------------------------------


def test_a_form_of_another_site_is_refused(browser: TestClient, store: Accord) -> None:
    before = len(events(store))
    form = Form.of(browser.get(link(browser.get("/inbox"), "Accept terms")))

    form.fields["form_token"] += "x"
    answer = form.send(browser)

    assert answer.status_code == 400
    assert len(events(store)) == before


def test_who_cannot_send_sees_what_is_awaited_and_no_form(store: Accord) -> None:
    reading = BORIS.model_copy(update={"scopes": frozenset({Scope.READ})})
    for grant in (Grant(role=Role.OPERATOR, actor="Olu Ade"), reading):
        with signed_in(store, grant) as browser:
            inbox = browser.get("/inbox")

            assert "Accept terms" in inbox.text
            assert "/send/" not in inbox.text
            assert browser.get(f"/partnerships/{NAME}/send/AcceptTerms").status_code == 403


def test_a_key_that_may_not_sign_gets_no_form_that_signs(store: Accord) -> None:
    grant = Grant(
        role=Role.PARTY, party=THEIRS, actor="crm", scopes=frozenset({Scope.READ, Scope.EMIT})
    )
    with signed_in(store, grant) as browser:
        inbox, following = browser.get("/inbox"), browser.get(f"/partnerships/{NAME}/next")

    assert "Accept terms" in inbox.text
    assert "send/AcceptTerms" not in inbox.text + following.text


def test_nobody_acts_for_another_party(browser: TestClient, store: Accord) -> None:
    before = len(events(store))
    form = Form.of(browser.get(link(browser.get("/inbox"), "Accept terms")))

    form.action = f"{form.action}?party={OURS}"

    assert form.send(browser).status_code == 403
    assert len(events(store)) == before


def test_a_past_view_has_nothing_that_acts(browser: TestClient) -> None:
    assert "/send/" in browser.get("/inbox").text
    assert "/send/" not in browser.get("/inbox?known=2030-01-01").text


def test_on_an_open_server_a_link_says_for_whom_it_acts(
    open_browser: TestClient,
) -> None:
    address = link(open_browser.get("/inbox"), "Accept terms")

    answer = Form.of(open_browser.get(address)).send(open_browser)

    assert f"party={THEIRS}" in urlsplit(address).query
    assert "Recorded" in answer.text


# --- what can be done now ----------------------------------------------------------------------


def test_a_gate_leads_to_the_form_that_opens_it_with_its_candidate(tmp_path: Path) -> None:
    with simulated(tmp_path) as accord:
        identified = EXAMPLES[IdentifyCandidate]
        accord.service.handle(from_steps(LIFE[: LIFE.index(identified) + 1]))
        accord.catch_up()
        with signed_in(accord, Grant(role=Role.PARTY, party=OURS, actor="Gia Gallo")) as browser:
            page = browser.get(f"/partnerships/{NAME}/next")
            gate, _, listed = page.text.partition(" can send</h2>")
            forms = [
                browser.get(unescape(found))
                for part, words in (
                    (gate, "Complete decision checklist"),
                    (listed, "Measure audience overlap"),
                )
                for found in re.findall(rf'href="([^"]+)"[^>]*>{words}<', part)[:1]
            ]

    candidates = [Form.of(each).fields["data.candidate"] for each in forms]
    assert isinstance(identified.command, IdentifyCandidate)
    assert candidates == [identified.command.candidate] * 2
    assert re.findall(r"\(C[0-9]+", page.text) == []
    assert listed.count("<details open>") == 1
    assert "<summary>In every stage" in listed


# --- what must be signed -----------------------------------------------------------------------


def test_what_must_be_signed_is_prepared_with_the_command_that_signs_it(
    browser: TestClient,
    store: Accord,
    accord: typed.Accord,
    tmp_path: Path,
) -> None:
    signer, file = Signer.new(), tmp_path / "brightpath.key"
    signer.save(file)
    party = Signatory(THEIRS, signer, at="2026-06-01")
    store.service.handle([party.unsigned(party.register(), at="2026-06-01")])
    store.catch_up()
    before = len(events(store))
    form = Form.of(browser.get(link(browser.get("/inbox"), "Accept terms")))

    refused = form.send(browser)
    prepared = re.search(
        r"<code>(accord sign - --key) KEYFILE &lt;&lt;'EVENT'\n(.*)\nEVENT</code>", refused.text
    )
    assert prepared
    _, *command = prepared[1].split()
    signed = accord(*command, str(file), stdin=unescape(prepared[2]).encode())
    answer = Form.of(refused).send(browser, signed=signed.out)

    assert signed.code == 0, signed.err
    assert "has a signing key" in refused.text
    assert "Recorded" in answer.text
    accepted = [each for each in events(store)[before:] if each["type"] == "TermsAccepted"]
    assert ["signed" in each for each in accepted] == [True]


# --- what waits and what was refused -----------------------------------------------------------


@pytest.fixture
def refused(store: Accord) -> int:
    """The number of a refusal: the partnership is begun again."""
    store.service.handle([beginning(NAME, id="again", party=OURS)])
    (found,) = store.history.refusals("open", limit=10)
    return found.number


def test_the_operator_dismisses_a_refusal_and_the_record_names_the_person(
    store: Accord, refused: int
) -> None:
    with signed_in(store, Grant(role=Role.OPERATOR, actor="Olu Ade")) as browser:
        shown = browser.get("/inputs")
        form = Form.of(shown)

        answer = form.send(browser)

    assert 'href="/problems/' in shown.text
    assert "You cannot take this back." in shown.text
    assert form.action == f"/inputs/{refused}/dismiss"
    assert f"Refusal {refused} is dismissed." in answer.text
    found = store.history.refusal(refused)
    assert found
    assert (found.state, found.dismissed_by) == ("dismissed", "Olu Ade")


def test_a_dismissal_that_is_sent_twice_says_twice_that_it_is_done(
    store: Accord, refused: int
) -> None:
    with signed_in(store, Grant(role=Role.OPERATOR, actor="Olu Ade")) as browser:
        form = Form.of(browser.get("/inputs"))
        answers = [form.send(browser), form.send(browser)]
        form.action = f"/inputs/{refused}/retry"
        answers.append(form.send(browser))

    for answer in answers:
        assert answer.status_code == 200
        assert f"Refusal {refused} is dismissed." in answer.text


def test_the_operator_decides_a_refusal_again(store: Accord, refused: int) -> None:
    with signed_in(store, Grant(role=Role.OPERATOR, actor="Olu Ade")) as browser:
        form = Form.of(browser.get("/inputs"))
        form.action = f"/inputs/{refused}/retry"

        assert "refused again" in form.send(browser).text


def test_a_party_sees_its_own_refusals_and_closes_none(store: Accord, refused: int) -> None:
    maya = Grant(role=Role.PARTY, party=OURS, actor="Maya Ortiz")
    with signed_in(store, maya) as browser:
        shown = browser.get("/inputs")
        form = Form.of(shown)
        form.action = f"/inputs/{refused}/dismiss"

        assert f'id="refusal-{refused}"' in shown.text
        assert "Dismiss" not in shown.text
        assert form.send(browser).status_code == 403
    with signed_in(store, BORIS) as browser:
        assert f'id="refusal-{refused}"' not in browser.get("/inputs").text


def test_on_an_open_server_a_dismissal_still_names_its_person(
    open_browser: TestClient, store: Accord, refused: int
) -> None:
    form = Form.of(open_browser.get("/inputs"))

    assert form.send(open_browser).status_code == 422
    form.send(open_browser, by="Olu Ade")

    found = store.history.refusal(refused)
    assert found
    assert found.dismissed_by == "Olu Ade"
