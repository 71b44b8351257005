"""The page of one partnership: where it stands, and since when.

The story: growthos and Brightpath ran a partnership before they had Accord. Its adoption says since
when, under terms that were agreed in New York.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from domain.examples import ADOPTED, ADOPTION
from infra.http import create_app
from tests.feeds import simulated
from tests.infra.messages import from_steps
from tests.infra.signing import NAME
from tests.journeys.pages import text
from tests.life import changed

FIRST, *LATER = ADOPTION.terms
IN_NEW_YORK = changed(
    ADOPTION,
    terms=[changed(FIRST, frame=changed(FIRST.frame, time_zone="America/New_York")), *LATER],
)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    first, *rest = ADOPTED
    with simulated(tmp_path) as accord, accord.workers() as workers:
        accord.service.handle(from_steps([first._replace(command=IN_NEW_YORK), *rest]))
        accord.catch_up()
        with TestClient(create_app(accord, workers, is_open=True)) as found:
            yield found


def test_an_adopted_partnership_runs_since_its_first_day_and_not_since_its_record(
    client: TestClient,
) -> None:
    page = text(client.get(f"/partnerships/{NAME}").text)

    assert "the partnership runs since 1 Oct 2023" in page
    assert "Execution since" not in page


def test_adopted_terms_were_agreed_on_their_day_west_of_utc(client: TestClient) -> None:
    page = text(client.get(f"/partnerships/{NAME}").text)

    for each in ADOPTION.terms:
        assert f"agreed {each.agreed_on.day} {each.agreed_on:%b %Y} " in page
