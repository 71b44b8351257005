"""Section 8 of the bundle's format as a verifier reads it, on what a store holds; plainly written.

It rests on nothing of this project but Ed25519, so that it finds where the store and the page part.
"""

import json
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Any

from domain.signing import BINDING, FACTS
from infra.bootstrap import Accord
from infra.settings import OPERATOR
from infra.tlog.keys import admitted, verified

Json = dict[str, Any]

ACCEPTING = {
    *("AcceptRenewal", "AcceptResolution", "AcceptTerms", "ConfirmAct"),
    *("ExpandScope", "SignAgreement", "StartPilot"),
}
PROPOSING = {"AgreementDrafted", "HypothesisRegistered", "SecondPersonAsked", "TermsCountered"}


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def root(leaves: list[bytes]) -> bytes:
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256().digest()
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha256(b"\1" + root(leaves[:split]) + root(leaves[split:])).digest()


def faults(accord: Accord, partnership: str) -> list[tuple[int, str]]:
    """Return what a verifier would find, by index."""
    return Section8(accord, partnership).found


class Section8:
    """The checks, one event after the other."""

    def __init__(self, accord: Accord, partnership: str) -> None:
        self.origin = f"{OPERATOR}/{partnership}"
        self.partnership = partnership
        self.envelopes = accord.history.kept("command", partnership)
        self.leaves = list(accord.history.leaves(partnership))
        self.events = [json.loads(body) for body in accord.history.bodies(partnership)]
        self.keys: dict[str, Json] = {}
        self.nonces: dict[tuple[str, str], str] = {}
        self.found: list[tuple[int, str]] = []
        self.required: dict[str, list[str]] = {}
        self.binding = {each.wire for each in BINDING}
        for index, event in enumerate(self.events):
            for code in (self.of_key(event), self.of_command(index, event), self.of_need(event)):
                if code:
                    self.found.append((index, code))
            self.move(event)

    def held(self, party: str) -> dict[str, Json]:
        return {name: each for name, each in self.keys.items() if each["party"] == party}

    def of_key(self, event: Json) -> str | None:
        data, party = event["data"], event["party"]
        if event["type"] == "KeyRecovered":
            party = data["party"]
            if party == event["party"] or not self.held(party):
                return "key-unknown"
        if event["type"] in {"KeyRecovered", "KeyRegistered", "KeyRotated"}:
            public = b64decode(data["key"])
            said = f"accord/key@v1\n{self.partnership}\n{party}\n{data['key']}\n"
            if not admitted(public):
                return "key-weak"
            if not verified(public, said.encode(), b64decode(data["proof"])):
                return "key-proof"
        ended = data.get("replaces") if event["type"] == "KeyRotated" else data.get("keyid")
        if event["type"] in {"KeyRotated", "KeyRevoked"}:
            held = self.held(party).get(ended)
            if not held or not held["active"]:
                return "key-unknown"
        return None

    def of_command(self, index: int, event: Json) -> str | None:
        mine = _cause(event)
        named = {e.get("signed") for e in self.events if _cause(e) == mine}
        if len(named) != 1:
            return "command-replayed"
        digest = event.get("signed")
        if digest is None:
            return None
        body = self.envelopes.get(digest)
        if body is None:
            return "command-missing"
        envelope = json.loads(body)
        payload_bytes = b64decode(envelope["payload"], validate=True)
        payload = json.loads(payload_bytes)
        if not (
            sha256(body).hexdigest() == digest
            and canonical(envelope) == body
            and envelope.keys() == {"payload", "payloadType", "signatures"}
            and canonical(payload) == payload_bytes
            and payload.keys()
            == {
                *("accord", "origin", "partnership", "party", "type", "expected", "nonce"),
                *("expires", "seen", "event"),
            }
        ):
            return "command-malformed"
        return self.of_payload(index, event, envelope, payload)

    def of_payload(  # noqa: C901, PLR0911 - a check after the other, as the page has them
        self, index: int, event: Json, envelope: Json, payload: Json
    ) -> str | None:
        asked, party = payload["event"], event["party"]
        if (payload["origin"], payload["partnership"], payload["party"]) != (
            self.origin,
            self.partnership,
            party,
        ) or (asked["subject"], asked["party"], asked["type"]) != (
            self.partnership,
            party,
            payload["type"],
        ):
            return "command-elsewhere"
        (signature,) = envelope["signatures"]
        held, keyid = self.held(party), signature["keyid"]
        if not held and event["type"] == "KeyRegistered":
            public = b64decode(event["data"]["key"])
            if sha256(public).hexdigest()[:16] != keyid:
                return "command-key"
        elif keyid not in held or not held[keyid]["active"]:
            return "command-key"
        else:
            public = b64decode(held[keyid]["key"])
        kind, body = envelope["payloadType"], b64decode(envelope["payload"])
        message = f"DSSEv1 {len(kind)} {kind} {len(body)} ".encode() + body
        if not verified(public, message, b64decode(signature["sig"])):
            return "command-signature"
        digest = event["signed"]
        if self.nonces.setdefault((party, payload["nonce"]), digest) != digest or (
            event["source"],
            event["source_id"],
        ) != (asked["source"], asked["id"]):
            return "command-replayed"
        if event["recorded_at"] > payload["expires"]:  # Whole seconds in these tests.
            return "command-expired"
        first = next(e for e in self.events if e.get("signed") == digest)
        if payload["expected"] not in {None, first["stream_version"] - 1}:
            return "command-version"
        seen = payload["seen"]
        if seen and (
            seen["size"] > index
            or b64encode(root(self.leaves[: seen["size"]])).decode() != seen["root"]
        ):
            return "command-seen"
        data = asked["data"]
        if event["type"] == "SecondPersonAsked":
            data = {"command": asked["type"].removeprefix("accord."), "data": data}
        if event is first and not (
            event["occurred_at"] == asked["time"]
            and same(asked["actor"], event["actor"])
            and all(
                same(data[name], value) for name, value in event["data"].items() if name in data
            )
        ):
            return "command-differs"
        return self.of_content(index, event, asked)

    def of_content(self, index: int, event: Json, asked: Json) -> str | None:
        name = asked["type"].removeprefix("accord.")
        if name not in ACCEPTING and (not name.startswith("Agree") or name == "AgreeBridgingPlan"):
            return None
        found = [
            each["data"]
            for each in self.events[:index]
            if each["type"].endswith("Proposed") or each["type"] in PROPOSING
            if sha256(canonical(each["data"])).hexdigest() == asked["data"].get("content")
        ]
        if not found:
            return "command-content"
        adopts = name in {"AgreeAdoption", "AgreeAdoptionPart"}
        compared = (
            event["type"] == "PartnershipAdopted" if adopts else event["type"] in self.binding
        )
        accepted = found[-1]
        if name == "ConfirmAct" and event["type"] != "ActConfirmed":
            accepted = accepted["data"]
        both = event["data"].keys() & accepted.keys()
        differs = any(event["data"][each] != accepted[each] for each in both)
        return "command-content" if compared and differs else None

    def of_need(self, event: Json) -> str | None:
        if event["type"] == "PersonErased" and event["party"] == "accord" and self.keys:
            return "command-missing"
        kind = FACTS.get(event["type"], "other")
        needed = (
            self.held(event["party"])
            and (event["type"] in self.binding or kind in self.required.get(event["party"], ()))
            and not event["source"].startswith("accord:")
        )
        return "command-missing" if needed and "signed" not in event else None

    def move(self, event: Json) -> None:
        data = event["data"]
        if event["type"] == "KeyRecovered":
            for each in self.held(data["party"]).values():
                each["active"] = False
            event = event | {"party": data["party"]}
        if event["type"] in {"KeyRecovered", "KeyRegistered", "KeyRotated"}:
            name = sha256(b64decode(data["key"])).hexdigest()[:16]
            self.keys[name] = {"party": event["party"], "key": data["key"], "active": True}
        if event["type"] == "SignaturesRequired":
            self.required[event["party"]] = data["kinds"]
        ended = {"KeyRotated": data.get("replaces"), "KeyRevoked": data.get("keyid")}
        if event["type"] in ended:
            self.keys[ended[event["type"]]]["active"] = False


def _cause(event: Json) -> tuple[str, str, str]:
    return event["party"], event["source"], event["source_id"]


def same(said: Any, recorded: Any) -> bool:  # noqa: ANN401 - any JSON values
    """Whether what is recorded is what was signed, where it is no commitment."""
    if isinstance(said, dict):
        return said.keys() == recorded.keys() and all(same(said[k], recorded[k]) for k in said)
    if isinstance(said, list):
        return len(said) == len(recorded) and all(map(same, said, recorded))
    return bool(said == recorded) or str(recorded).startswith("person:")
