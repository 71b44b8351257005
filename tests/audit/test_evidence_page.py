"""The page of a bundle: all of it in one file, each statement with links to its events."""

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser
from typer.testing import CliRunner

from infra.cli.options import FAILED, app
from infra.cli.replay import FAULT, NOT_PINNED
from infra.evidence.bundle import BundleRequest, export
from tests.audit.world import rewritten
from tests.feeds import played
from tests.journeys.asked import CONSULTING


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    with played(folder) as store:
        asked = BundleRequest("sam", "A dispute.", party="northbridge")
        export(store, store.signing(), CONSULTING, asked, folder / "bundle.zip")
    return folder / "bundle.zip"


@pytest.fixture(scope="module")
def written(bundle: Path) -> Path:
    path = bundle.with_suffix(".html")
    assert run(bundle, "--html", str(path), "--against", "2026-07-04") == NOT_PINNED
    return path


def run(bundle: Path, *words: str) -> int:
    return CliRunner().invoke(app, ["audit", "replay", str(bundle), *words]).exit_code


def test_each_statement_links_to_the_events_that_it_rests_on(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    targets = set(re.findall(r'id="(event-\d+)"', text))
    links = set(re.findall(r'href="#(event-\d+)"', text))

    assert "2026-Q2:USD: growthos owes northbridge 2175.00 USD" in text
    assert {"event-206", "event-266", "event-268"} <= links <= targets
    assert "(hidden: private to growthos)" in text


def test_it_compares_two_moments(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    moments = text.partition('id="moments"')[2].partition('id="events"')[0]

    assert "recorded by 2026-07-04 23:59" in moments
    assert 'href="#event-266"' in moments


def test_a_page_is_not_written_over_another_nor_of_a_record_with_a_fault(
    bundle: Path, written: Path
) -> None:
    def change(files: dict[str, bytes]) -> None:
        name = "data/events.jsonl"
        files[name] = files[name].replace(b"12500.00", b"19500.00")

    none = bundle.with_name("none.html")

    assert run(bundle, "--html", str(written)) == FAILED
    assert run(rewritten(bundle, change), "--html", str(none)) == FAULT
    assert not none.exists()


@pytest.mark.needs("chromium")
@pytest.mark.xdist_group("browser")
def test_it_asks_nothing_outside_and_everybody_can_read_it(browser: Browser, written: Path) -> None:
    asked: list[str] = []
    with browser.new_context(bypass_csp=True) as context:
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(written.as_uri())
        found = Axe().run(page)

    assert [each for each in asked if not each.startswith("data:")] == [written.as_uri()]
    assert found.violations_count == 0, found.generate_report()
