"""The SDKs of CloudEvents in Python, JavaScript and Go, as clients that send events."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

import httpx2
from cloudevents.core.bindings import http as to_http
from cloudevents.core.bindings import kafka as to_kafka
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from kafka import KafkaProducer

HERE = Path(__file__).parent

INSTALL_SECONDS = 240
SEND_SECONDS = 60

Mode = Literal["structured", "binary", "batch"]
Event = dict[str, Any]


class Client(Protocol):
    """An SDK that sends events over HTTP."""

    def post(self, url: str, mode: Mode, events: Sequence[Event]) -> None: ...


class OnKafka(Protocol):
    """An SDK that sends events to a topic."""

    def produce(self, broker: str, topic: str, mode: Mode, events: Sequence[Event]) -> None: ...


class Python:
    """The SDK `cloudevents` of PyPI."""

    def post(self, url: str, mode: Mode, events: Sequence[Event]) -> None:
        made = [self._event(each) for each in events]
        if mode == "batch":
            # The SDK has the format of one event only; a batch is an array of these.
            body = b"[" + b",".join(JSONFormat().write(each) for each in made) + b"]"
            kind = "application/cloudevents-batch+json; charset=utf-8"
            httpx2.post(url, content=body, headers={"content-type": kind}).raise_for_status()
            return
        form = to_http.to_binary_event if mode == "binary" else to_http.to_structured_event
        for each in made:
            message = form(each)
            answer = httpx2.post(url, content=message.body, headers=message.headers)
            answer.raise_for_status()

    def produce(self, broker: str, topic: str, mode: Mode, events: Sequence[Event]) -> None:
        form = to_kafka.to_binary_event if mode == "binary" else to_kafka.to_structured_event
        with closing(KafkaProducer(bootstrap_servers=broker)) as producer:
            for each in map(self._event, events):
                message = form(each, key_mapper=lambda event: event.get_subject())
                producer.send(
                    topic,
                    value=message.value,
                    key=str(message.key).encode(),
                    headers=list(message.headers.items()),
                ).get(SEND_SECONDS)

    def _event(self, event: Event) -> CloudEvent:
        attributes = {name: each for name, each in event.items() if name != "data"}
        # The SDK takes a moment as Python's own type.
        attributes["time"] = datetime.fromisoformat(attributes["time"])
        return CloudEvent(
            attributes=attributes | {"datacontenttype": "application/json"}, data=event["data"]
        )


@dataclass(frozen=True)
class JavaScript:
    """The SDK `cloudevents` of npm, in a folder in which it is installed."""

    folder: Path

    @classmethod
    def installed(cls, folder: Path) -> "JavaScript":
        shutil.copytree(HERE / "javascript", folder, dirs_exist_ok=True)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        _run(command, folder, b"", INSTALL_SECONDS)
        return cls(folder)

    def post(self, url: str, mode: Mode, events: Sequence[Event]) -> None:
        said = _run(["node", "send.mjs", mode, url], self.folder, _json(events), SEND_SECONDS)
        # This SDK does not give the status of an answer.
        for answer in map(json.loads, said.splitlines()):
            assert answer.get("status") in {"accepted", "duplicate", None}, answer
            assert not answer.get("refused"), answer


@dataclass(frozen=True)
class Specifications:
    """Validators of OpenAPI and AsyncAPI of npm, in a folder in which they are installed."""

    folder: Path

    @classmethod
    def installed(cls, folder: Path) -> "Specifications":
        shutil.copytree(HERE / "specifications", folder, dirs_exist_ok=True)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        _run(command, folder, b"", INSTALL_SECONDS)
        return cls(folder)

    def faults(self, openapi: bytes, asyncapi: bytes) -> list[str]:
        """Return the faults of two documents."""
        (self.folder / "openapi.json").write_bytes(openapi)
        (self.folder / "asyncapi.json").write_bytes(asyncapi)
        command = ["node", "validate.mjs", "openapi.json", "asyncapi.json"]
        return _run(command, self.folder, b"", SEND_SECONDS).splitlines()


@dataclass(frozen=True)
class Go:
    """The SDK `sdk-go` of Go, as a program that is built with it."""

    program: Path

    @classmethod
    def built(cls, folder: Path) -> "Go":
        program = folder / "send"
        command = ["go", "build", "-mod=readonly", "-o", str(program), "."]
        _run(command, HERE / "go", b"", INSTALL_SECONDS, GOTOOLCHAIN="local")
        return cls(program)

    def post(self, url: str, mode: Mode, events: Sequence[Event]) -> None:
        answers = self._send(mode, "http", url, events=events)
        assert answers == ["200"] * (1 if mode == "batch" else len(events))

    def produce(self, broker: str, topic: str, mode: Mode, events: Sequence[Event]) -> None:
        assert self._send(mode, "kafka", broker, topic, events=events) == ["sent"] * len(events)

    def _send(self, *words: str, events: Sequence[Event]) -> list[str]:
        command = [str(self.program), *words]
        return _run(command, self.program.parent, _json(events), SEND_SECONDS).split()


def _json(events: Sequence[Event]) -> bytes:
    return json.dumps(events).encode()


def _run(command: Sequence[str], folder: Path, given: bytes, seconds: int, **more: str) -> str:
    """Run a program of another language; return what it prints."""
    done = subprocess.run(
        command,
        cwd=folder,
        input=given,
        capture_output=True,
        timeout=seconds,
        env=os.environ | more,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout.decode()}{done.stderr.decode()}"
    return done.stdout.decode()
