"""What verify finds: the first thing in a store that is not what it should be."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from infra.answers.verify import (
    REBUILD,
    RESTORE,
    Checked,
    Difference,
    Memory,
    Verification,
    check,
    text,
)
from infra.bootstrap import Accord
from infra.store.history import partnerships
from infra.store.views import StoredRow
from infra.tlog.codec import canonical
from tests.feeds import FEEDS, messages, play, simulated
from tests.infra.answers.helpers import printed, tamper
from tests.infra.messages import beginning

NAME = "cobalt-docs"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Accord]:
    with simulated(tmp_path) as accord:
        play(accord, FEEDS[3])
        accord.runner.catch_up()
        yield accord


def difference(accord: Accord) -> Difference | None:
    return next((each.difference for each in check(accord) if each.difference), None)


def test_what_was_folded_live_is_what_the_log_folds_to(demo: Accord) -> None:
    checked = list(check(demo))

    assert [each.partnership for each in checked] == list(partnerships(demo.history))
    assert sum(each.events for each in checked) == demo.history.size()
    assert not any(each.difference for each in checked)


def test_views_that_are_behind_are_caught_up_and_are_no_difference(tmp_path: Path) -> None:
    with simulated(tmp_path) as accord:
        play(accord, FEEDS[3])

        assert difference(accord) is None
        assert accord.views.positions("kpis", [NAME])


FOLD = "(SELECT fold FROM folds WHERE projection = '{}')"
KPIS = FOLD.format("kpis")
ONE_ROW = f"fold = {KPIS} AND key = '2026-06'"
SEVENTH = "partnership = 'cobalt-docs' AND idx = 7"
OUTPUT = "output campaign-leads@1/cobalt-docs/2026-06/docs-week/open/42"


def rewritten(old: str, new: str) -> str:
    return f"UPDATE events SET body = CAST(replace(body, '{old}', '{new}') AS BLOB) WHERE {SEVENTH}"


def row(body: str) -> str:
    return f"UPDATE rows SET body = CAST({body} AS BLOB) WHERE {ONE_ROW}"


@pytest.mark.parametrize(
    ("statement", "where", "key"),
    [
        (row("'{}'"), "kpis", "2026-06"),
        (row("'{not json'"), "kpis", "2026-06"),
        (row("'[]'"), "kpis", "2026-06"),
        (row("x'ff'"), "kpis", "2026-06"),
        (row("replace(body, ':', ': ')"), "kpis", "2026-06"),
        (f"UPDATE rows SET body = '{{}}' WHERE {ONE_ROW}", "kpis", "2026-06"),
        (f"UPDATE rows SET body = 7 WHERE {ONE_ROW}", "kpis", "2026-06"),
        (f"DELETE FROM rows WHERE {ONE_ROW}", "kpis", "2026-06"),
        (f"INSERT INTO rows VALUES ({KPIS}, 'cobalt-docs', '2020-01', '{{}}', NULL)", "kpis",
         "2020-01"),
        ("UPDATE positions SET idx = 3", "kpis", "position"),
        ("DELETE FROM outputs WHERE number = 1", "alerts", OUTPUT),
        ("UPDATE outputs SET body = '{}' WHERE number = 1", "alerts", OUTPUT),
        ("UPDATE outputs SET body = '{not json' WHERE number = 1", "alerts", OUTPUT),
        ("UPDATE outputs SET cause_index = 3 WHERE number = 1", "alerts", OUTPUT),
        (f"UPDATE events SET body = CAST('{{}}' AS BLOB) WHERE {SEVENTH}", "history",
         f"{NAME}#7"),
        (f"UPDATE events SET body = CAST('{{not' AS BLOB) WHERE {SEVENTH}", "history",
         f"{NAME}#7"),
        (rewritten(":", ": "), "history", f"{NAME}#7"),
        (rewritten('"partnership":"cobalt-docs"', '"partnership":"cobalt-dogs"'), "history",
         f"{NAME}#7"),
        (rewritten("person:", "persom:"), "history", f"{NAME}#7"),
        (rewritten('"schema_version":1', '"schema_version":9'), "history", f"{NAME}#7"),
        (f"DELETE FROM events WHERE {SEVENTH}", "history", f"{NAME}#7"),
        ("DELETE FROM events WHERE position = 71", "history", f"{NAME}#71"),
    ],
)  # fmt: skip
def test_the_first_difference_is_named(
    small: Accord, tmp_path: Path, statement: str, where: str, key: str
) -> None:
    tamper(tmp_path, statement)

    found = difference(small)

    assert found is not None
    assert (found.partnership, found.where, found.key) == (NAME, where, key)
    assert found.stored != found.expected


def test_a_difference_has_what_is_stored_and_what_should_be(small: Accord, tmp_path: Path) -> None:
    expected = dict(small.views.select("kpis", NAME))["2026-06"]
    tamper(tmp_path, row("'{not json'"))

    found = difference(small)

    assert found == Difference(
        partnership=NAME,
        where="kpis",
        key="2026-06",
        stored="{not json",
        expected=canonical(expected).decode(),
        hint=REBUILD,
    )
    assert found is not None
    shown = Verification(
        verified=False, partnerships=1, events=1, rows=1, differences=(found,), quarantined=()
    )
    assert printed(text(shown)).startswith(
        "Difference in cobalt-docs: kpis, 2026-06.\n  stored:   {not json\n  expected: {"
    )


@pytest.mark.parametrize("body", ["{not json", "[]", '{"sums": 7}'])
@pytest.mark.parametrize("projection", ["alerts", "kpis", "settlement", "overview"])
def test_a_damaged_row_is_named_even_where_the_fold_stumbles_over_it(
    tmp_path: Path, projection: str, body: str
) -> None:
    lines = messages(FEEDS[3])
    with simulated(tmp_path) as accord:
        accord.service.handle(lines[:-12])
        accord.runner.catch_up()
        keys = [each.key for each in accord.views.stored_rows(projection, NAME)]
        tamper(
            tmp_path,
            f"""UPDATE rows SET body = CAST(? AS BLOB)
            WHERE fold = {FOLD.format(projection)} AND partnership = ? AND key = ?""",
            body,
            NAME,
            keys[-1],
        )
    with simulated(tmp_path) as accord:
        accord.service.handle(lines[-12:])

        found = difference(accord)

    assert found is not None
    assert (found.partnership, found.where) == (NAME, projection)
    if body == "{not json":
        # A row that can be read is folded on, so others may differ before it.
        assert (found.key, found.stored) == (keys[-1], body)
        assert found.expected


def test_a_partnership_that_is_gone_whole_is_missed(tmp_path: Path) -> None:
    with simulated(tmp_path) as accord:
        accord.service.handle([beginning("acme"), beginning("zenith")])
        with closing(sqlite3.connect(tmp_path / "accord.db")) as connection:
            for table in ("events", "heads"):
                connection.execute(f"DELETE FROM {table} WHERE partnership = 'acme'")
            connection.commit()

        found = difference(accord)

    assert found == Difference(
        partnership="", where="history", key="events", stored="1", expected="2", hint=RESTORE
    )


def test_what_is_written_while_it_is_verified_is_no_difference(
    small: Accord, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = small.views.stored_rows
    more = beginning("another")

    def stored_rows(projection: str, partnership: str) -> Iterator[StoredRow]:
        small.service.handle([more])
        small.runner.catch_up()
        return real(projection, partnership)

    monkeypatch.setattr(small.views, "stored_rows", stored_rows)

    checked: list[Checked] = list(check(small))

    assert not any(each.difference for each in checked)


def test_an_error_that_no_damage_explains_is_not_hidden(
    small: Accord, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> int:
        raise KeyError("a fault of the program")

    monkeypatch.setattr(small.runner, "catch_up", fails)

    with pytest.raises(KeyError, match="a fault of the program"):
        list(check(small))


def test_a_memory_goes_on_from_what_was_verified_before(small: Accord, tmp_path: Path) -> None:
    file = tmp_path / "memory"
    (first,) = check(small, Memory(file))
    size, root = Memory(file).of(NAME)
    tamper(tmp_path, rewritten("person:", "persom:"))

    assert (size, len(root)) == (first.events, 32)
    assert difference(small) is not None
    # The hashes of the events that it knows are not computed again, but their root is.
    assert [each.difference for each in check(small, Memory(file))] == [None]
    file.write_text(f"{NAME} {size} {'00' * 32}\n")
    (again,) = check(small, Memory(file))
    assert again.difference
    assert again.difference.key == f"{NAME}#{size}"
