"""A hidden event cannot be guessed from its leaf hash, which both parties see."""

from pathlib import Path
from typing import Any

import orjson

from domain.recorded import UNSALTED
from infra.bootstrap import bootstrap, init
from infra.settings import Settings
from infra.tlog.codec import canonical
from infra.tlog.merkle import leaf_hash
from tests.feeds import simulated
from tests.infra.messages import beginning
from tests.infra.told import Told

NAME = "growthos-brightpath"


def stored(folder: Path) -> bytes:
    """Return the first event of an ordinary store of its own."""
    settings = Settings(store=f"sqlite:///{folder}/accord.db")
    folder.mkdir()
    init(settings)
    with bootstrap(settings, clock=Told()) as accord:
        accord.service.handle([beginning()])
        return next(iter(accord.history.bodies(NAME)))


def test_nobody_who_can_say_all_that_an_event_says_can_say_its_leaf_hash(tmp_path: Path) -> None:
    """Given a party's event, when the other writes the same one, then the hashes differ.

    Only the salt differs besides the person's commitment, which the other may know.
    """
    event = orjson.loads(stored(tmp_path / "one"))
    guess = orjson.loads(stored(tmp_path / "other"))
    guess["actor"] = event["actor"]
    assert {key for key in event if event[key] != guess[key]} == {"salt"}
    assert leaf_hash(canonical(event)) != leaf_hash(canonical(guess))
    assert UNSALTED not in {event["salt"], guess["salt"]}


def test_a_simulated_store_gives_the_same_salts_each_time(tmp_path: Path) -> None:
    def salts(folder: Path) -> list[Any]:
        folder.mkdir()
        with simulated(folder) as accord:
            accord.service.handle([beginning()])
            return [orjson.loads(body)["salt"] for body in accord.history.bodies(NAME)]

    one = salts(tmp_path / "one")
    assert one == salts(tmp_path / "other")
    assert UNSALTED not in one
