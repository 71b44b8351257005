"""Opening a store: what is not one stays as it is, and what cannot be written can still be read."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from infra.bootstrap import bootstrap, init
from infra.settings import NoSuchStore, Settings
from infra.store.errors import ReadOnlyStore
from infra.tlog.keys import NoKey
from projections import OVERVIEW
from tests.feeds import FEEDS, play
from tests.infra.messages import beginning

NOBODY = 65534
"""A user who owns nothing, for tests that run as root, whom no permission stops."""


def settings_of(path: Path) -> Settings:
    return Settings(store=f"sqlite:///{path}")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that any user can reach, with a played store in it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        settings = settings_of(folder / "accord.db")
        init(settings, simulated=True)
        with bootstrap(settings) as accord:
            play(accord, FEEDS[0])
            accord.catch_up()
        yield folder
        folder.chmod(0o755)


# --- files of other programs ---------------------------------------------------------------------


def other_database(path: Path) -> bytes:
    """Make the database of another program; return its bytes."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE meta (key TEXT, value TEXT)")
        connection.execute("CREATE TABLE invoices (number INTEGER)")
        connection.commit()
    return path.read_bytes()


@pytest.mark.parametrize("opening", [init, lambda settings: bootstrap(settings).__enter__()])
def test_a_database_of_another_program_is_refused_and_not_changed(
    opening: object, tmp_path: Path
) -> None:
    path = tmp_path / "billing.db"
    before = other_database(path)

    with pytest.raises(NoSuchStore, match="another program"):
        opening(settings_of(path))  # type: ignore[operator]

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_no_database_is_refused_and_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Call Brightpath on Monday.\n" * 200)
    before = path.read_bytes()

    for opening in (init, lambda settings: bootstrap(settings).__enter__()):
        with pytest.raises(NoSuchStore, match=r"is not an Accord store"):
            opening(settings_of(path))

    assert path.read_bytes() == before


def test_only_init_makes_a_store_of_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "accord.db"
    path.touch()

    with pytest.raises(NoSuchStore, match="Make it with accord init"), bootstrap(settings_of(path)):
        pass
    assert path.read_bytes() == b""

    assert init(settings_of(path))
    with bootstrap(settings_of(path)) as accord:
        assert accord.history.size() == 0


# --- who may read it -----------------------------------------------------------------------------


def test_only_its_owner_can_read_a_new_store(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        init(settings_of(tmp_path / "accord.db"))
        with bootstrap(settings_of(tmp_path / "accord.db")) as accord:
            accord.service.handle([beginning()])
            modes = {each.name: each.stat().st_mode & 0o777 for each in tmp_path.iterdir()}
    finally:
        os.umask(mask)

    assert modes == dict.fromkeys(
        ("accord.db", "accord.db-shm", "accord.db-wal", "accord.db.key"), 0o600
    )


def test_a_store_that_every_user_can_read_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_of(tmp_path / "accord.db")
    init(settings)
    for mode, warnings in ((0o640, 0), (0o644, 1)):
        settings.path.chmod(mode)
        caplog.clear()
        with bootstrap(settings):
            assert len(caplog.records) == warnings

    assert "Restrict it: chmod 600." in caplog.text


# --- read-only media -----------------------------------------------------------------------------


def read_as_another_user(store: str, answer: Connection) -> None:
    """Read a store in a process whose user may not write it; send what was found."""
    if os.geteuid() == 0:
        os.setuid(NOBODY)
    with bootstrap(Settings(store=store)) as accord:
        accord.catch_up()
        (name,) = accord.history.partnerships()
        rows = sum(1 for _ in accord.views.select(OVERVIEW.name, name))
        with pytest.raises(ReadOnlyStore) as refusal:
            accord.history.append([])
        (outcome,) = accord.service.validate([beginning(subject="another")])
        answer.send((accord.history.size(), rows, str(refusal.value), outcome.status))


def test_a_store_on_read_only_media_answers_from_what_was_saved(folder: Path) -> None:
    before = {each.name: each.read_bytes() for each in folder.iterdir()}
    (folder / "accord.db").chmod(0o444)
    folder.chmod(0o555)

    ours, theirs = Pipe()
    store = f"sqlite:///{folder}/accord.db"
    reader = get_context("fork").Process(target=read_as_another_user, args=(store, theirs))
    reader.start()
    reader.join(30)

    assert reader.exitcode == 0
    events, rows, refusal, foretold = ours.recv()
    assert events > 0
    assert rows > 0
    assert "cannot be written" in refusal
    assert foretold == "accepted"
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == before


def test_what_is_still_in_the_write_ahead_log_is_read_too(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    with bootstrap(settings_of(folder / "accord.db")) as live:
        play(live, FEEDS[1])
        live.catch_up()
        shutil.copytree(folder, copy)
        expected = live.history.size()
    (copy / "accord.db").chmod(0o644)

    with bootstrap(settings_of(copy / "accord.db")) as accord:
        assert accord.history.size() == expected


# --- the operator's key --------------------------------------------------------------------------


def test_a_broken_key_file_stops_only_what_must_sign(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    key = settings.path_of_key
    assert key
    key.write_text("")

    with bootstrap(settings) as accord:
        assert accord.history.size() == 0
        assert f"The key file {key} is empty." in caplog.text
        for sign in (accord.signing, accord.workers, lambda: accord.receipts):
            with pytest.raises(NoKey, match=r"Restore it from a backup"):
                sign()


def test_a_folder_and_an_empty_file_are_named_as_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(NoSuchStore, match="is a folder, and a store is a file"):
        init(settings_of(tmp_path))
    with (
        pytest.raises(NoSuchStore, match="is a folder, and a store is a file"),
        bootstrap(settings_of(tmp_path)),
    ):
        pass
    empty = tmp_path / "empty.db"
    empty.touch()
    with pytest.raises(NoSuchStore, match="is an empty file"), bootstrap(settings_of(empty)):
        pass
    init(settings_of(empty))
    with bootstrap(settings_of(empty)) as accord:
        assert accord.history.size() == 0
