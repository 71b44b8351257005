"""A process on a stream: it says how it is, outlives what fails, and ends when told."""

import json
import logging
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from io import StringIO

import pytest
from eventsourcing.persistence import OperationalError
from prometheus_client.parser import text_string_to_metric_families

from infra.running.leader import LeaseLost
from infra.running.worker import Lag, WorkerProcess
from infra.settings import NoSuchStore


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    logged = StringIO()
    monkeypatch.setattr(sys, "stderr", logged)
    return logged


@pytest.fixture
def process(logged: StringIO) -> Iterator[WorkerProcess]:
    with WorkerProcess("relay", "127.0.0.1:0") as process:
        process.unready_reasons = tuple
        logged.truncate(0)
        logged.seek(0)
        yield process


def page(process: WorkerProcess, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"{process.address}{path}", timeout=5) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def metrics(process: WorkerProcess) -> dict[str, float]:
    _, text = page(process, "/metrics")
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels == {"process": "relay"}
    }


def test_a_process_repeats_its_step_until_it_is_stopped(process: WorkerProcess) -> None:
    done = []

    def step() -> int:
        done.append(1)
        if len(done) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return 10

    process.repeat(step)
    assert len(done) == 3
    assert metrics(process)["accord_handled_total"] == 30
    assert metrics(process)["accord_batch_seconds_count"] == 3


@pytest.mark.parametrize("fault", [OperationalError("no database"), ZeroDivisionError("ours")])
def test_a_failed_step_is_logged_and_retried(
    process: WorkerProcess, fault: Exception, logged: StringIO
) -> None:
    answers: list[tuple[int, str]] = []
    faults = [fault, fault]

    def step() -> int:
        if faults:
            raise faults.pop()
        answers.append(page(process, "/readyz"))
        process.stopping.set()
        return 1

    process.repeat(step)
    (status, body) = answers[0]
    assert status == 503
    assert json.loads(body)["reasons"] == [f"{type(fault).__name__}: {fault}"]
    assert page(process, "/readyz") == (200, '{"process":"relay","status":"ready"}')
    assert metrics(process)["accord_failures_total"] == 2
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    told = [each for each in lines if "tried again" in each["event"]]
    assert len(told) == 2
    # An outage is a line; a fault of ours comes with its traceback.
    assert ["exception" in each for each in told] == [isinstance(fault, ZeroDivisionError)] * 2


def test_a_leader_that_lost_its_lease_does_not_call_the_database_unreachable(
    process: WorkerProcess, logged: StringIO
) -> None:
    process.failed(LeaseLost("another process leads the relay"))

    line = json.loads(logged.getvalue())
    assert line["event"] == "no longer the leader, standing by"
    assert line["error"] == "LeaseLost: another process leads the relay"


def test_work_that_an_outage_ended_is_restarted_and_logged(
    process: WorkerProcess,
) -> None:
    outages: list[Exception] = [OperationalError("no database"), ConnectionError("no broker")]
    told = []

    def work() -> None:
        told.append(json.loads(page(process, "/readyz")[1]).get("reasons"))
        if outages:
            raise outages.pop()
        process.unready_reasons = tuple
        told.append(json.loads(page(process, "/readyz")[1]).get("reasons"))

    process.keep(work)
    assert told == [None, ["it is starting"], ["it is starting"], None]
    assert metrics(process)["accord_failures_total"] == 2


def test_what_no_waiting_mends_ends_the_process(process: WorkerProcess) -> None:
    def work() -> None:
        raise NoSuchStore("set ACCORD_KAFKA")

    with pytest.raises(NoSuchStore):
        process.keep(work)


def test_it_says_how_far_behind_it_is_and_what_else_ails(process: WorkerProcess) -> None:
    process.lag = lambda: Lag(7, 1.5)
    process.unready_reasons = lambda: ["the views are far behind"]

    found = metrics(process)
    assert (found["accord_lag_events"], found["accord_lag_seconds"]) == (7, 1.5)
    status, body = page(process, "/readyz")
    assert (status, json.loads(body)["reasons"]) == (503, ["the views are far behind"])
    assert page(process, "/healthz")[0] == 200
    assert page(process, "/elsewhere")[0] == 404


def test_an_unknown_lag_does_not_hide_the_other_metrics(process: WorkerProcess) -> None:
    def lag() -> Lag:
        raise OperationalError("no database")

    process.lag = lag
    assert "accord_lag_events" not in metrics(process)
    assert metrics(process)["accord_handled_total"] == 0


def test_a_second_signal_while_it_stops_is_no_harm(process: WorkerProcess) -> None:
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGTERM)
    assert process.stopping.wait(1)


HANGS = """
import time
from infra.running import worker

vars(worker)["STOP_WITHIN"] = 0.5
with worker.WorkerProcess("relay", "127.0.0.1:0"):
    while True:
        time.sleep(60)
"""


def test_a_process_that_does_not_stop_in_order_is_ended_in_time() -> None:
    hanging = subprocess.Popen([sys.executable, "-c", HANGS], stderr=subprocess.PIPE, text=True)
    with hanging:
        assert hanging.stderr is not None
        assert json.loads(hanging.stderr.readline())["event"] == "started"
        hanging.send_signal(signal.SIGTERM)
        told = [json.loads(line)["event"] for line in hanging.stderr]
    assert told == ["stopping", "did not stop in order in time, ended at once"]
    assert hanging.returncode == 0


def test_its_logs_are_lines_of_json(process: WorkerProcess, logged: StringIO) -> None:
    logging.getLogger("elsewhere").warning("took %s s", 3, extra={"batch": 12})
    (line,) = logged.getvalue().splitlines()
    told = json.loads(line)
    assert (told["event"], told["batch"], told["process"]) == ("took 3 s", 12, process.name)
    assert (told["level"], told["logger"]) == ("warning", "elsewhere")


def test_at_its_end_nobody_listens_and_signals_are_as_they_were() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with WorkerProcess("relay", "127.0.0.1:0") as process:
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
    with pytest.raises(OSError, match="refused"):
        page(process, "/healthz")
