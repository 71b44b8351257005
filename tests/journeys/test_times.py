"""Each spelling of a time in `tests/times.txt` gives the same everywhere that takes it."""

import ast
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from domain import times
from domain.payment import ReceivePayment
from domain.referral import AttributeReferral
from domain.values import instant
from infra.bootstrap import bootstrap, init
from infra.deciding import intake
from infra.deciding.intake import Unreadable
from infra.http import create_app
from infra.settings import Settings
from tests.infra.messages import attributes, beginning
from tests.journeys.typed import Accord
from tests.life import example

TABLE = Path(__file__).parent.parent / "times.txt"


class Spelling(NamedTuple):
    """A spelling, and what it gives: text of the moment or day, or the name of a rule."""

    text: str
    moment: str
    day: str
    when: str


def _spellings() -> Iterator[Spelling]:
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith('"'):
            text, *gives = line.rsplit(maxsplit=3)
            yield Spelling(ast.literal_eval(text), *gives)


SPELLINGS = list(_spellings())
each_spelling = pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda each: repr(each.text))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with one partnership."""
    settings = Settings(store=f"sqlite:///{tmp_path_factory.mktemp('times')}/accord.db")
    init(settings)
    with bootstrap(settings) as accord:
        accord.service.handle([beginning()])
    return settings.store


@pytest.fixture(scope="module")
def client(store: str) -> Iterator[TestClient]:
    with (
        bootstrap(Settings(store=store)) as accord,
        accord.workers() as workers,
        TestClient(create_app(accord, workers, is_open=True)) as client,
    ):
        yield client


def read(event: dict[str, Any]) -> tuple[Any, str]:
    """Read a message: its envelope or None, and the rule that refuses it."""
    found = intake.read(orjson.dumps(event))
    if isinstance(found, Unreadable):
        return None, found.refused.rule
    return found.envelope, ""


def test_the_table_has_at_least_sixty_spellings() -> None:
    assert len({each.text for each in SPELLINGS}) == len(SPELLINGS) >= 60


@each_spelling
@pytest.mark.parametrize("attribute", ["time", "recordedtime"])
def test_the_envelope_takes_a_moment(spelling: Spelling, attribute: str) -> None:
    event = attributes("some-id", example(ReceivePayment)) | {attribute: spelling.text}

    envelope, rule = read(event)

    assert (instant(getattr(envelope, attribute)) if envelope else rule) == spelling.moment


@each_spelling
def test_a_field_of_data_takes_a_moment(spelling: Spelling) -> None:
    event = attributes("some-id", example(AttributeReferral))
    event["data"]["touched_at"] = spelling.text

    envelope, rule = read(event)

    assert (instant(envelope.data.touched_at) if envelope else rule) == spelling.moment


@each_spelling
def test_a_field_of_data_takes_a_day(spelling: Spelling) -> None:
    event = attributes("some-id", example(ReceivePayment))
    event["data"]["covers_from"] = spelling.text

    envelope, rule = read(event)

    assert (envelope.data.covers_from.isoformat() if envelope else rule) == spelling.day


@each_spelling
@pytest.mark.parametrize("parameter", ["at", "known"])
def test_a_query_parameter_and_an_option_take_a_day_or_a_moment(
    client: TestClient, accord: Accord, store: str, spelling: Spelling, parameter: str
) -> None:
    asked = client.get("/v1/partnerships", params={parameter: spelling.text})
    ran = accord("list", f"--{parameter}={spelling.text}", "--json", "--store", store)

    if spelling.when in {"wrong-value", "time-without-zone"}:
        assert (asked.status_code, ran.code) == (422, 2)
        # The command line breaks long lines and draws a frame around them.
        words = _words(ran.err.translate({ord("│"): None}))
        assert _words(f"{asked.json()['detail']} {asked.json()['hint']}") in words
    else:
        assert asked.json()["as_of"][parameter] == spelling.when
        assert ran.json["as_of"][parameter] == spelling.when


def _words(text: str) -> str:
    return " ".join(text.split())


@given(
    st.datetimes(
        datetime(1901, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
        datetime(2999, 1, 1),  # noqa: DTZ001
        timezones=st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(
            lambda offset: timezone(timedelta(minutes=offset // timedelta(minutes=1)))
        ),
    )
)
def test_every_moment_that_is_written_is_read_back(at: datetime) -> None:
    assert times.moment(at.isoformat()) == at
    assert times.moment(at.isoformat()).tzinfo is UTC


@given(st.text("0123456789-:.,TtZz+ _W\n", max_size=30))
def test_other_text_is_refused_with_a_hint(text: str) -> None:
    for reader in (times.moment, times.day, times.end_or_moment):
        with suppress(_Refused), _hinted():
            reader(text)


class _Refused(Exception):
    """A reader refused a text with a hint."""


@contextmanager
def _hinted() -> Iterator[None]:
    try:
        yield
    except PydanticCustomError as error:
        if (error.context or {}).get("hint"):
            raise _Refused from error
        raise


CASE = Path(__file__).parent.parent / "cases" / "t1-compact-date.jsonl"


def test_a_payment_with_a_compact_date_is_refused_and_nothing_else(tmp_path: Path) -> None:
    settings = Settings(store=f"sqlite:///{tmp_path}/accord.db")
    init(settings, simulated=True)
    with bootstrap(settings) as accord:
        outcomes = accord.service.handle(CASE.read_bytes().splitlines())

    (refused,) = (each for each in outcomes if each.status == "refused")
    assert (refused.rule, refused.pointer) == ("wrong-value", "/time")
    assert refused.detail == "/time is not a moment of RFC 3339: '20260301'."
    assert refused.hint == (
        "Write the date, T, the time with seconds and the zone, as in 2026-01-31T09:00:00Z."
    )
