"""Evidence from a page: verify the record here, or take a bundle and check it elsewhere.

The story: Maya of growthos looks at the evidence of her partnership. She has it verified, and takes
a bundle that her lawyer checks with a verifier and the log's key, without this server.
"""

import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from html import unescape
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import orjson
import pytest
from starlette.testclient import TestClient

from infra.access import credentials
from infra.access.credentials import Grant
from infra.access.roles import Role
from infra.bootstrap import Accord
from infra.http import create_app, verdicts
from infra.tlog.notes import Checkpoint, Note
from tests.documents import REPOSITORY
from tests.feeds import played
from tests.infra.messages import message
from tests.infra.signing import NAME, signatory
from tests.journeys.pages import ONE, text
from tests.journeys.test_acting_from_pages import Form, signed_in, terms_proposed
from tests.life import OURS

PAGE = f"/partnerships/{NAME}/evidence"
MAYA = Grant(role=Role.PARTY, party=OURS, actor="Maya Ortiz")
IN_DEMO = Grant(role=Role.PARTY, party="growthos", actor="Maya Ortiz")
VERIFIERS = REPOSITORY / "infra/evidence/verifiers"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Accord]:
    with terms_proposed(tmp_path) as accord:
        yield accord


@pytest.fixture
def browser(store: Accord) -> Iterator[TestClient]:
    with signed_in(store, MAYA) as found:
        yield found


def verified(browser: TestClient) -> str:
    """Press the button that verifies; return the verdict in words."""
    token = Form.of(browser.get(PAGE)).fields["form_token"]
    page = browser.post(f"{PAGE}/verify", data={"form_token": token}).text
    (verdict,) = re.findall(r'<p class="verdict".*?</p>', page, re.DOTALL)
    return " ".join(unescape(re.sub("<[^>]+>", "", verdict)).split())


def test_a_person_has_the_record_verified_and_sees_when_it_was(
    browser: TestClient, store: Accord
) -> None:
    size = store.history.heads([NAME])[NAME].size
    before = text(browser.get(PAGE).text)
    assert "Not verified since this server started" in before
    assert f"{size} events: each has the hash" in before
    assert "No event is signed by a party." in before

    assert f"no difference found in {size} events" in verified(browser)
    after = text(browser.get(PAGE).text)
    assert "no difference found" in after
    assert re.search(r"[0-9]+ rows of views: each is what the log folds to", after)


def test_an_altered_record_is_reported_without_what_is_stored(
    browser: TestClient, tmp_path: Path
) -> None:
    with sqlite3.connect(tmp_path / "accord.db") as file:
        file.execute("UPDATE events SET body = replace(body, 'GrowthOS', 'GrowthXX') WHERE idx = 0")

    assert "Differs" in verified(browser)
    page = browser.get(PAGE).text
    assert "In <code>history</code>" in page
    assert "expected" not in page


def test_the_bundle_of_a_party_is_checked_without_this_server(
    browser: TestClient, store: Accord, tmp_path: Path
) -> None:
    form = Form.of(browser.get(PAGE))
    answer = form.send(browser, reason="Our lawyer asks for it.")

    assert answer.headers["content-disposition"] == f'attachment; filename="{NAME}.zip"'
    with ZipFile(BytesIO(answer.content)) as bundle:
        request = orjson.loads(bundle.read("data/request.json"))
    assert (request["for"], request["by"]) == (OURS, "Maya Ortiz")
    (tmp_path / "evidence.zip").write_bytes(answer.content)
    key = store.signing().seal.verifier(NAME)
    (tmp_path / "policy").write_text(f"log {key}\nquorum none\n", encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-I", VERIFIERS / "verify.py", "evidence.zip", "--policy", "policy"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    # No party has a key here that could be pinned.
    assert ran.stdout.startswith("CONSISTENT, NOT PINNED"), ran.stdout + ran.stderr


def test_the_export_is_recorded_and_no_file_is_left(
    browser: TestClient, store: Accord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "kept"))
    (tmp_path / "kept").mkdir()
    size = store.history.heads([NAME])[NAME].size

    Form.of(browser.get(PAGE)).send(browser, reason="An audit.")

    (last,) = store.history.of(NAME, size, size + 1)
    assert type(last.event).__name__ == "BundleExported"
    assert list((tmp_path / "kept").iterdir()) == []


@pytest.mark.parametrize(
    ("filled", "status", "says"),
    [({"reason": " "}, 422, "needs its reason"), ({"form_token": "x"}, 400, "of an older session")],
)
def test_a_form_without_its_reason_or_its_token_exports_nothing(
    browser: TestClient, store: Accord, filled: dict[str, str], status: int, says: str
) -> None:
    size = store.history.heads([NAME])[NAME].size

    answer = Form.of(browser.get(PAGE)).send(browser, **{"reason": "An audit."} | filled)

    assert (answer.status_code, says in answer.text) == (status, True)
    assert store.history.heads([NAME])[NAME].size == size


def test_a_bundle_that_no_verifier_reads_is_not_sent(
    browser: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "kept"))
    (tmp_path / "kept").mkdir()
    assert "A verifier reads at most 500,000,000 bytes unpacked" in text(browser.get(PAGE).text)
    monkeypatch.setattr("infra.evidence.bundle.limits", lambda: {"entries": (3, "files")})

    form, before = Form.of(browser.get(PAGE)), browser.get(f"{PAGE}.json").json()["events"]
    answer = form.send(browser, reason="An audit.")

    assert answer.status_code == 422
    # It is refused before the export would be recorded.
    assert browser.get(f"{PAGE}.json").json()["events"] == before
    assert "files, and a verifier reads at most 3." in text(answer.text)
    assert "accord audit bundle" in answer.text
    assert list((tmp_path / "kept").iterdir()) == []


def test_the_last_checkpoint_is_a_file_to_keep(browser: TestClient, store: Accord) -> None:
    (link,) = re.findall(r'href="([^"]+)" download', browser.get(PAGE).text)

    answer = browser.get(link)

    note = Note.read(answer.text)
    assert Checkpoint.read(note.text).size == browser.get(f"{PAGE}.json").json()["events"]
    assert answer.text == store.trees.checkpoints(NAME)[-1]
    assert answer.headers["content-disposition"].startswith("attachment")


def test_a_log_that_is_too_long_for_a_page_names_the_command(
    browser: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = Form.of(browser.get(PAGE)).fields["form_token"]
    monkeypatch.setattr("infra.http.pages.evidence.MOST_EVENTS", 3)

    answer = browser.post(f"{PAGE}/verify", data={"form_token": token})

    assert answer.status_code == 422
    assert "accord audit verify" in answer.text
    assert "accord audit verify" in browser.get(PAGE).text


def test_only_one_log_is_verified_at_a_time(store: Accord) -> None:
    one = verdicts.Verdicts()
    assert one.make(store, NAME) is not None
    with one._turn:
        assert one.make(store, NAME) is None


def test_the_page_has_the_digests_of_the_verifiers_and_the_key_of_the_log(
    browser: TestClient, store: Accord
) -> None:
    page = unescape(browser.get(PAGE).text)

    for name in ("verify.py", "verify.mjs", "rules.json"):
        assert sha256((VERIFIERS / name).read_bytes()).hexdigest() in page
    assert str(store.signing().seal.verifier(NAME)) in page


def test_the_page_alone_has_what_a_check_elsewhere_needs(
    browser: TestClient, store: Accord, tmp_path: Path
) -> None:
    ours = signatory(OURS, 1)
    store.service.handle([message("key", ours.register(), party=OURS, at="2026-02-01")])
    store.catch_up()
    form = Form.of(browser.get(PAGE))
    (tmp_path / "evidence.zip").write_bytes(form.send(browser, reason="A dispute.").content)
    policy, pins, _ = re.findall(
        r"<pre[^>]*><code>(.*?)</code></pre>", browser.get(PAGE).text, re.DOTALL
    )
    (tmp_path / "policy").write_text(unescape(policy), encoding="utf-8")
    (tmp_path / "pins").write_text(unescape(pins), encoding="utf-8")
    with ZipFile(tmp_path / "evidence.zip") as bundle:
        for copy in (
            each for each in bundle.namelist() if each.endswith(("verify.py", "rules.json"))
        ):
            (tmp_path / Path(copy).name).write_bytes(bundle.read(copy))

    words = ["verify.py", "evidence.zip", "--policy", "policy", "--pins", "pins"]
    ran = subprocess.run(
        [sys.executable, "-I", *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"party {OURS} " in pins
    assert ours.keyid in browser.get(PAGE).text


@pytest.mark.parametrize("name", ["verify.py", "verify.mjs", "rules.json"])
def test_a_verifier_from_a_page_is_the_published_one_byte_for_byte(
    browser: TestClient, name: str
) -> None:
    form = Form.of(browser.get(PAGE))
    with ZipFile(BytesIO(form.send(browser, reason="A dispute.").content)) as bundle:
        (copy,) = (each for each in bundle.namelist() if Path(each).name == name)
        taken = bundle.read(copy)

    assert taken == (VERIFIERS / name).read_bytes()
    published = (REPOSITORY / "docs" / "digests.md").read_text(encoding="utf-8")
    assert f"verifier {sha256(taken).hexdigest()} {name}\n" in published


def test_a_stranger_sees_no_evidence(store: Accord) -> None:
    grant = Grant(role=Role.PARTY, party="northwind", actor="Nora West")
    key = credentials.create(store.history.credentials, grant, store.clock()).key
    with store.workers() as workers, TestClient(create_app(store, workers)) as client:
        answer = client.get(PAGE, headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 403


def test_a_party_without_a_key_is_named(browser: TestClient) -> None:
    page = text(browser.get(PAGE).text)

    assert "Brightpathno key registered" in page
    assert "GrowthOSno key registered" in page


def test_a_bundle_proves_the_statement_that_is_chosen(tmp_path: Path) -> None:
    with played(tmp_path) as accord, signed_in(accord, IN_DEMO) as browser:
        accord.catch_up()
        page = browser.get(f"/partnerships/{ONE}/evidence")
        form = Form.of(page)
        answer = form.send(browser, reason="The quarter.", statement="2026-Q2:USD")

    assert "Statement Q2 2026" in text(page.text)
    with ZipFile(BytesIO(answer.content)) as archive:
        assert any(name.endswith(".tlog-proof") for name in archive.namelist())
