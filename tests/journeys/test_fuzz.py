"""Any JSON value at any place of an event has a result or a problem, and never breaks a fold.

Requests are drawn from the schemas of all commands and sent to a served store with the examples in
it. `make test` draws some, `make fuzz` draws 20,000.
"""

import os
import shutil
import time
import traceback
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

from infra.answers import verify
from infra.bootstrap import Accord, bootstrap
from infra.http import create_app
from infra.settings import Settings
from infra.workers import Workers
from tests.feeds import simulated
from tests.journeys.fuzzing import STORIES, STRUCTURED, Draft, Posted, Request, requests

EXAMPLES = int(os.environ.get("ACCORD_FUZZ_EXAMPLES", "160"))
"""How many requests are drawn."""

SHARES = (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
"""The parts of the examples that the stores begin with, one after the other."""

EACH = 80 if EXAMPLES < 1000 else 500
"""Requests to one store; then it is verified, and a new copy of the examples is taken."""

WITHIN = 60.0
"""Seconds until all is folded at the latest."""


class Target:
    """A served store with a part of the examples, made anew now and then."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._sent = self._stores = self._ids = 0
        self._next: list[int] = []
        self.faults: list[str] = []
        self.counts: Counter[str] = Counter()
        self.rules: set[str] = set()
        self._accord: Accord
        self._workers: Workers
        self._client: TestClient
        self._begin()

    def send(self, drawn: Posted | Request) -> None:
        """Send a request, and note what is wrong with the answer or with the views after it."""
        self._sent += 1
        request = drawn.request(self._event) if isinstance(drawn, Posted) else drawn
        try:
            self._answer(request)
            stale = self._accord.views.quarantined()
            assert not stale, f"quarantined: {stale}"
        except Exception:  # noqa: BLE001 - each is a finding
            self._note(request)
        if self._sent % EACH == 0:
            self.renew()
            print(self.summary, flush=True)  # noqa: T201 - as above

    def _event(self, base: int | dict[str, Any]) -> dict[str, Any]:
        """Return the next event of a feed, or a drawn one, under an id of its own."""
        self._ids += 1
        if isinstance(base, int):
            base = self._next_of(base)
        return base | {"id": f"fuzz-{self._ids}"}

    def _next_of(self, feed: int) -> dict[str, Any]:
        story = STORIES[feed]
        if self._ids % 2 and self._next[feed] < len(story):
            self._accord.service.handle([orjson.dumps(story[self._next[feed]])])
            self._next[feed] += 1
        found: dict[str, Any] = story[min(self._next[feed], len(story) - 1)]
        return found

    def _answer(self, request: Request) -> None:
        answer = self._client.request(
            request.method,
            request.path,
            params=dict(request.query),
            headers=[(name.encode(), value) for name, value in request.headers],
            content=request.body,
        )
        assert answer.status_code < 500, answer.text
        self.counts[f"{answer.status_code}"] += 1
        if "json" in answer.headers.get("content-type", "") and answer.content:
            self._count(answer.json())
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json", answer.text
            problem = answer.json()
            assert problem["detail"], problem
        elif answer.content and "json" in answer.headers["content-type"]:
            orjson.loads(answer.content)

    def _count(self, document: object) -> None:
        if isinstance(document, dict):
            for each in [document, *(document.get("results") or ())]:
                if each.get("status") in {"accepted", "waiting", "refused", "duplicate"}:
                    self.counts[f"{each['status']}"] += 1
                if rule := each.get("rule"):
                    self.rules.add(rule)

    def renew(self) -> None:
        """Compare the views with what the events fold to, and begin with a new store."""
        try:
            deadline = time.monotonic() + WITHIN
            while self._workers.lag():
                assert time.monotonic() < deadline, "the views are behind"
                time.sleep(0.02)
            assert self._workers.unready_reasons() == []
            for found in verify.check(self._accord):
                self.counts["events verified"] += found.events
                assert not found.difference, found.difference
                assert not found.unfolded, found.unfolded
        except Exception:  # noqa: BLE001 - each is a finding
            self._note(None)
        self._begin()

    @property
    def summary(self) -> str:
        """How many requests were sent, and what they came to."""
        counts = ", ".join(f"{name} {count}" for name, count in sorted(self.counts.items()))
        rules = f"refused by {len(self.rules)} rules"
        return f"{self._sent} requests, {len(self.faults)} faults: {counts}, {rules}"

    def close(self) -> None:
        """Verify the store, and close it."""
        self.renew()
        self._stack.close()

    def _note(self, request: Request | None) -> None:
        fault = f"{request}\n{traceback.format_exc()}"
        self.faults.append(fault)
        print(f"after {self._sent} requests: {fault}", flush=True)  # noqa: T201 - the run is long
        if request is not None:
            self._begin()

    def _begin(self) -> None:
        self._stack.close()
        self._stores += 1
        copy = self._folder / f"copy-{self._stores}"
        copy.mkdir()
        self._stack.callback(shutil.rmtree, copy)
        share = SHARES[self._stores % len(SHARES)]
        self._next = [int(len(story) * share) for story in STORIES]
        kept = self._folder / str(share)
        if not kept.exists():
            kept.mkdir()
            with simulated(kept) as accord:
                for story, end in zip(STORIES, self._next, strict=True):
                    accord.service.handle([orjson.dumps(each) for each in story[:end]])
                accord.catch_up()
        for each in kept.iterdir():
            shutil.copy(each, copy)
        settings = Settings(store=f"sqlite:///{copy}/accord.db")
        self._accord = self._stack.enter_context(bootstrap(settings))
        self._workers = self._stack.enter_context(self._accord.workers())
        self._client = self._stack.enter_context(
            TestClient(create_app(self._accord, self._workers, is_open=True))
        )


def unchanged(feed: int) -> Posted:
    """Return a request with the next event of a feed as it is."""
    return Posted(
        "/v1/events", STRUCTURED, escaped=False, drafts=[Draft(feed, [])], more=[], torn=(0, 0, b"")
    )


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Target(tmp_path)


def test_any_json_value_at_any_place_has_a_result_or_a_problem_and_breaks_no_fold(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Otherwise hypothesis draws constants of all modules that other tests happened to import, so a
    # fault that one run finds would be missing in the next. No drawn day takes long.
    monkeypatch.setattr(providers, "_get_local_constants", Constants)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(request=requests)
    def answered(request: Posted | Request) -> None:
        target.send(request)

    for feed in range(len(STORIES)):
        target.send(unchanged(feed))
    answered()
    target.close()

    print(target.summary)  # noqa: T201
    assert target.faults == [], f"{len(target.faults)} faults:\n" + "\n\n".join(target.faults[:20])
    assert {"200", "422", "accepted", "refused"} <= target.counts.keys()
