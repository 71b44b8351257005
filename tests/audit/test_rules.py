"""`rules.json`, which both verifiers read: what each command records, made from the domain.

After a change that is meant, write it and its digest anew: `python -m tests.audit.test_rules`.
"""

import base64
import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from domain import yields
from domain.aggregates import command_types
from domain.bilateral import BilateralAgreement
from domain.content import Consent
from domain.kernel import Event, Refused
from domain.keyring import Facts
from domain.second_person import SecondPersonAsked
from domain.signing import FACTS, Effect, effect_of
from infra.deciding.pseudonyms import naming
from infra.evidence.bundle import BAGIT, GUIDES, NEEDED
from infra.store.history import partnerships
from infra.tlog import dsse
from tests.audit import test_digests
from tests.audit.world import VERIFIERS
from tests.domain.test_signing import BY_CLOCK, recorded
from tests.domain.test_waiting_table import COMMANDS
from tests.feeds import FEEDS, messages, simulated
from tests.life import example

PATH = VERIFIERS / "rules.json"

KINDS = {
    Effect.BINDS: "binds",
    Effect.ERASES: "erases",
    Effect.RECOVERS: "recovers",
    Effect.OTHER: "other",
    Effect.OF_NO_PARTY: "other",
}

WORDS = {
    "RECORD VERIFIED": "This is the record: whole, in order, and signed where it must be.",
    "CONSISTENT, NOT PINNED": "Nothing contradicts itself. Whose keys these are was not checked: "
    "give a policy and the parties' first keys.",
    "bag": "The file is no bundle, or was damaged.",
    "malformed": "A file of the bundle has another form than the format says.",
    "identity": "The bundle is of another log than the policy names.",
    "verifier": "A verifier in the bundle is not the pinned one.",
    "event": "The event has another form, party, place or time than one of this log can have.",
    "events-missing": "There are fewer or more events than there should be.",
    "checkpoint-malformed": "A checkpoint has another form, or the last one is not of all events.",
    "checkpoint-signature": "A checkpoint is not signed by the log, or a cosignature is wrong.",
    "checkpoint-root": "A checkpoint was signed over other events than those before it here.",
    "checkpoint-time": "The event cannot have been recorded when it says.",
    "command-missing": "The event must be signed, and its command is not there, though nobody in "
    "it was erased.",
    "command-malformed": "The signed command has another form than the format says.",
    "command-unused": "A signed command is there that no event names.",
    "command-elsewhere": "The command was signed for another log, partnership or party.",
    "command-key": "The key of the command was not active, or does not sign such events.",
    "command-signature": "The signature of the command is wrong.",
    "command-replayed": "The command was used for another event.",
    "command-expired": "The command had expired.",
    "command-version": "The command was signed for another version of its stream.",
    "command-seen": "The signer of the command had seen another log.",
    "command-yields": "The command cannot be the cause of this event.",
    "command-differs": "The event is not what its party signed.",
    "command-content": "The event is not what its party accepted.",
    "key-weak": "The key is no point of the curve's main group.",
    "key-proof": "The party has not shown that it holds the key.",
    "key-unknown": "The key is not the pinned one, or not known.",
    "fork": "The log is not the one that was seen before.",
    "stale": "The log is older than what was seen before, or than asked for.",
    "quorum": "The last checkpoint lacks the cosignatures of the quorum.",
    "receipt": "The log lacks what the operator gave a receipt for.",
    "person": "A name in the bundle is not the recorded one.",
    "file": "A file that the bundle brings is not one that an event names.",
    "custody": "The log does not have this export as it is here.",
}
"""The sentence for each verdict, and for each code of a fault."""

NAME = r"[^\s+\x00-\x1f\x7f-\x9f\ufeff]+"
BASE64 = "[A-Za-z0-9+/]+={0,2}"
SIGNATURE = "[A-Za-z0-9+/]{85}[AQgw]=="
HASH = "[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]="
NUMBER = "0|[1-9][0-9]{0,14}"
DAY = (
    "(?!0000)(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    "|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)"
)

MOMENT = DAY + "T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.](?!000000)[0-9]{6})?Z"

WEAK = (
    "(?:00){31}[08]0|01(?:00){30}[08]0|(?:e[c-f]|f[0-9a-f])(?:ff){30}[7f]f"
    "|26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc[08]5"
    "|c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03[7f]a"
)
"""Keys in hex of order 1, 2, 4 and 8 (RFC 8032), and those whose y is not below the prime."""

PATTERNS = {
    # What is written after the event of the export is not bound by its digest.
    "bound": "data/(?!bundle[.]json|checkpoints[.]jsonl|proofs/).+",
    "checkpoint": rf"([^\n]+)\n({NUMBER})\n({HASH})\n",
    "command": "accord[.][A-Za-z]{1,100}",
    "commitment": "person:[0-9a-f]{64}",
    "digest": "[0-9a-f]{64}",
    "envelope": rf'\{{"payload":"({BASE64})","payloadType":"({re.escape(dsse.TYPE)})",'
    rf'"signatures":\[\{{"keyid":"([0-9a-f]{{16}})","sig":"({SIGNATURE})"\}}\]\}}',
    "file": "data/(?:files/[0-9a-f]{64}|schemas/[A-Za-z0-9]{1,100}[.]json"
    "|timestamps/[0-9]{1,16}[.]tsr|proofs/[0-9]{1,16}[.]tlog-proof)",
    "format": "accord-bundle/1",
    "key": rf"({NAME})[+]([0-9a-f]{{8}})[+]({BASE64})",
    "moment": f"({MOMENT})",
    "money": r'"(?:(?!amount")([a-z_]{1,40})":\{")?amount":(?!\{)'
    r'(?:"(-?)((?:0|[1-9][0-9]{0,30})(?:[.][0-9]{1,30})?)"'
    ',"currency":"([A-Z]{3})")?',
    "nonce": "[!-~]{8,128}",
    "note": r"((?:[^\x00-\x1f]+\n)+)\n((?:[^\x00-\x1f]+\n)+)",
    "number": f"({NUMBER})",
    "pin": f"party ([^ ]+) ({HASH})|verifier ([0-9a-f]{{64}}) ([^ ]+)",
    "receipt": r"accord/receipt@v1\n([^\n]+)\ncommand [0-9a-f]{64}\n"
    rf"events ({NUMBER}) (?:{NUMBER})\n((?:leaf {HASH}\n)+)deadline ({MOMENT})\n",
    "salt": "[0-9a-f]{32}",
    "signature": f"— ({NAME}) ({BASE64})",
    "version": "command/v1",
    "weak": WEAK,
    "withheld": r'\{"why":"(private|range)","withheld":"([0-9a-f]{64})"\}',
}
"""The form of texts, for the whole of each. JavaScript and Python read these alike."""

FORMS = {
    "bundle": {
        "format": "format",
        "origin": "text",
        "partnership": "text",
        "size": "count",
    },
    "checkpoint": {"note": "text"},
    "event": {
        "actor": "text",
        "causation_id?": "text",
        "correlation_id?": "text",
        "data": "object",
        "event_id": "text",
        "occurred_at": "moment",
        "partnership": "text",
        "party": "text",
        "recorded_at": "moment",
        "salt": "salt",
        "schema_version": "count",
        "signed?": "digest",
        "source": "text",
        "source_id": "text",
        "stream": "text",
        "stream_version": "count",
        "type": "text",
    },
    "payload": {
        "accord": "version",
        "event": "object",
        "expected": "count|null",
        "expires": "moment",
        "nonce": "nonce",
        "origin": "text",
        "partnership": "text",
        "party": "text",
        "seen": "seen|null",
        "type": "command",
    },
    "person": {"commitment": "commitment", "name": "text", "party": "text", "salt": "text"},
    "request": {
        "alert": "text|null",
        "by": "text",
        "for": "text|null",
        "from": "moment|null",
        "reason": "text",
        "simulated": "flag",
        "statement": "text|null",
        "to": "moment|null",
    },
    "seen": {"root": "text", "size": "count"},
}
"""The members of each JSON object with the form of each: a type, a pattern or another object.

`?` may be absent."""

LIMITS = {
    "entries": 10_000,
    "levels": 64,
    "line": 8 << 20,
    "note": 64 << 10,
    "packed": (2 << 30) - 1,
    "signatures": 64,
    "skew": 300,
    "time": 253_402_300_799,
    "unpacked": 500_000_000,
}
"""Sizes in bytes, times in seconds, and numbers; `time` is the last second of the year 9999.

JavaScript has no text of more than 2^29 characters, so nothing unpacked has as many bytes.
"""

FILES = {
    "bagit": BAGIT.decode(),
    "needed": [f"data/{name}" for name in sorted([*GUIDES, *NEEDED])],
}
"""The files that every bundle has."""

KEYS = {
    "KeyRecovered": None,
    "KeyRegistered": None,
    "KeyRevoked": "keyid",
    "KeyRotated": "replaces",
    "SignaturesRequired": None,
}
"""The events of keys, each with the member that names the key that it ends."""

SAME = [
    ["command-elsewhere", "payload", "origin", "bundle", "origin"],
    ["command-elsewhere", "payload", "partnership", "bundle", "partnership"],
    ["command-elsewhere", "asked", "subject", "bundle", "partnership"],
    ["command-elsewhere", "payload", "party", "event", "party"],
    ["command-elsewhere", "asked", "party", "event", "party"],
    ["command-elsewhere", "asked", "type", "payload", "type"],
    ["command-replayed", "asked", "source", "event", "source"],
    ["command-replayed", "asked", "id", "event", "source_id"],
    ["command-differs", "asked", "time", "event", "occurred_at"],
    ["command-differs", "asked", "causationid", "event", "causation_id"],
    ["command-differs", "asked", "correlationid", "event", "correlation_id"],
]
"""A code, and two members that must be the same: `asked` is the CloudEvent in the payload."""

NEVER = [
    "time stamps (RFC 3161) and proofs: other tools check these",
    (
        "what the operator says beside the log: schemas, FORMAT.md, refused inputs, who asked for "
        "this, and that it is no simulation"
    ),
    "whether a reported fact happened, and when: a party claims both",
    (
        "that each command was decided by the rules, and what follows from the record: figures, "
        "statements and alerts (accord audit replay FILE.zip)"
    ),
]
"""What no verifier checks."""


def rules() -> dict[str, Any]:
    """Return the rules, from the domain."""
    registry = Event.registry
    proposals = {each.proposed.wire for each in BilateralAgreement.__subclasses__()}
    proposals |= {"AgreementDrafted", "HypothesisRegistered", "SecondPersonAsked", "TermsCountered"}
    proposals |= {name for name, kind in FACTS.items() if kind not in {Facts.CLAIMS, Facts.RATES}}
    proposals |= {"PayoutRecorded", "PayoutCorrected", "PayoutReturned", "PenaltyConceded"}
    return {
        "binding": ["binds", "erases"],
        "commands": {
            name: {
                "accepts": Consent in kind.__mro__,
                "events": {
                    event: None if added is None else sorted(added)
                    for event, added in sorted(yields.of(kind).items())
                },
            }
            for name, kind in sorted(command_types().items())
            if name not in BY_CLOCK
        },
        "files": FILES,
        "forms": FORMS,
        "keys": KEYS,
        "kinds": {
            name: str(FACTS[name]) if name in FACTS else KINDS[effect_of(kind)]
            for name, kind in sorted(registry.items())
        },
        "limits": LIMITS,
        "members": {name: sorted(kind.model_fields) for name, kind in sorted(registry.items())},
        "never": NEVER,
        "own": sorted(yields.BY_OPERATOR),
        "patterns": PATTERNS,
        "people": {
            name: members for name, kind in sorted(registry.items()) if (members := _people(kind))
        },
        "proposals": sorted(proposals),
        "same": SAME,
        "statements": ["FinalSettlementIssued", "StatementIssued"],
        "words": WORDS,
    }


def _people(kind: type[Event]) -> list[str]:
    """Return the members of an event's data that name people."""
    # What awaits a second person has all the data of its command.
    return ["data"] if kind is SecondPersonAsked else sorted(naming(kind))


def written() -> str:
    """Return the file: a line for each entry of each table."""
    tables = []
    for name, table in rules().items():
        if isinstance(table, dict):
            rows = [f'"{key}":{orjson.dumps(each).decode()}' for key, each in table.items()]
            tables.append(f'"{name}":{{\n' + ",\n".join(rows) + "\n}")
        else:
            tables.append(f'"{name}":{orjson.dumps(table).decode()}')
    return "{\n" + ",\n".join(tables) + "\n}\n"


def test_every_event_follows_from_a_command_or_is_the_operators() -> None:
    """An honest event that no reader takes would spoil each bundle that has it."""
    of_commands = {name for each in command_types().values() for name in yields.of(each)}

    assert set(Event.registry) == of_commands | yields.BY_OPERATOR


def test_the_rules_are_those_of_the_domain() -> None:
    assert PATH.read_text(encoding="utf-8") == written(), "see the docstring of this module"


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.__name__ not in BY_CLOCK])
def test_a_command_records_what_the_table_says(command: type) -> None:
    # What an adoption states for each party is recorded under a source of its own.
    stated = {"ContactAssigned", "SponsorAssigned", "ResourcesCommitted"}
    stated |= {"MetricReported", "ClaimConfirmed"}
    found = {each.wire for each in recorded(command)}
    found -= stated if command.__name__ == "AgreeAdoption" else set()
    # What a second person confirms follows from the command of the first one.
    found -= {"PayoutRecorded"} if command.__name__ == "ConfirmAct" else set()

    assert found
    assert found <= yields.of(command).keys()


def test_every_event_of_the_feeds_follows_from_its_command_or_is_the_operators(
    tmp_path: Path,
) -> None:
    sent: dict[tuple[str, ...], str] = {}
    with simulated(tmp_path) as accord:
        for feed in FEEDS:
            accord.service.handle(list(messages(feed)))
            for raw in messages(feed):
                event = orjson.loads(raw)
                if "payload" in event:
                    event = orjson.loads(base64.b64decode(event["payload"]))["event"]
                sent[event["party"], event["source"], event["id"]] = event["type"][7:]
        seen = 0
        for name in partnerships(accord.history):
            for each in accord.history.of(name):
                cause = sent.get((each.act.party, each.source, each.source_id))
                if cause:
                    assert each.event.wire in yields.of(command_types()[cause]), cause
                    seen += 1
                elif each.source != "accord:adoption":
                    assert each.event.wire in yields.BY_OPERATOR, each.source
    assert seen > 100


def test_a_signed_command_that_would_record_anything_else_is_refused() -> None:
    command = example(command_types()["HoldDemo"])
    with pytest.raises(Refused, match="command-yields"):
        yields.check(command, [Event.registry["PenaltyConceded"].model_construct()])
    yields.check(command, [Event.registry["DemoHeld"].model_construct()])


if __name__ == "__main__":
    PATH.write_text(written(), encoding="utf-8")
    test_digests.write()
