"""The page `docs/attacks.md`: what was tried, which tool refuses it, and which test tries it.

After a change that is meant, write it anew: `python -m tests.audit.test_attacks_page`.
"""

from collections.abc import Callable
from typing import Final

from tests.audit import mutator, test_attacks, test_lies, test_replay, test_replayed_operator
from tests.audit.test_lies import ARCHIVE, CONTROLS, ERASED, IDENTIFIERS, LIES, MIXED
from tests.documents import REPOSITORY

PAGE: Final = REPOSITORY / "docs" / "attacks.md"

Test = Callable[..., None]

FIRST: Final[tuple[tuple[str, str, Test], ...]] = (
    (
        "a conceded penalty of 1,000,000, hung on a harmless signed command",
        "verifiers",
        test_lies.test_no_other_event_can_be_hung_on_a_harmless_signature,
    ),
    (
        "agreed terms other than the signed proposal",
        "verifiers",
        test_attacks.test_what_both_agreed_is_what_the_acceptance_signed,
    ),
    (
        "an act that is said to be erased",
        "verifiers",
        test_lies.test_no_act_is_erased_unless_somebody_in_it_was,
    ),
    (
        "a pinned key of a party that the log never registered",
        "verifiers",
        test_attacks.test_a_pinned_key_that_the_log_does_not_know_is_a_fault,
    ),
    (
        "a line moved to a deal that does not exist, without any key",
        "verifiers",
        test_lies.test_a_stranger_moves_no_line_to_a_deal_that_does_not_exist,
    ),
    ("a statement with a ghost line", "replay", test_replay.test_a_ghost_line_is_named),
    (
        "a statement with other rates, or with payments left out",
        "replay",
        test_replay.test_what_a_statement_is_made_of_is_compared,
    ),
)
"""The attacks that once succeeded, with the tool that refuses each."""

HONEST: Final = test_replay.test_every_honest_statement_is_as_computed
SAME: Final = test_replay.test_every_signed_command_gives_the_same_events_when_it_is_decided_again
ON_TIME: Final = test_replay.test_every_deadline_of_an_honest_log_passes_when_it_is_due

FRAME: Final = (
    test_replayed_operator.test_where_by_whom_when_and_why_the_operator_recorded_is_compared
)

EXPORTED: Final = (
    test_replayed_operator.test_a_bundle_withholds_as_many_private_events_as_its_export_states
)

ONLY_REPLAY: Final[dict[Test, tuple[Test, tuple[str, ...]]]] = {
    test_replay.test_a_ghost_line_is_named: (HONEST, ("a statement with a ghost line",)),
    test_replay.test_another_amount_is_named_and_the_computed_one_is_as_computed: (
        test_replay.test_another_amount_is_named_and_the_computed_one_is_as_computed,
        ("a statement whose amount is not that of its months",),
    ),
    test_replay.test_a_statement_of_another_balance_is_found_though_its_party_signed_it: (
        HONEST,
        ("a statement of another balance, signed by its party",),
    ),
    test_replay.test_another_due_day_is_named: (HONEST, ("a statement with another due day",)),
    test_replay.test_what_a_statement_is_made_of_is_compared: (
        HONEST,
        (
            "a statement at another rate",
            "a statement without a payment",
            "a statement without a month",
        ),
    ),
    test_replay.test_a_final_settlement_that_states_a_balance_twice_is_named: (
        HONEST,
        ("a final settlement that states a balance twice",),
    ),
    test_replay.test_a_final_settlement_that_leaves_a_balance_out_is_named: (
        HONEST,
        ("a final settlement that leaves a balance out",),
    ),
    test_replay.test_what_the_decision_adds_to_a_signed_command_is_decided_again: (
        SAME,
        (
            "a signed payout with payer and payee exchanged",
            "a signed payout on a statement that does not exist",
            "a signed penalty on a stream that has no such entry",
        ),
    ),
    test_replay.test_a_signed_act_that_awaits_a_second_person_is_decided_again: (
        test_replay.test_a_signed_act_that_awaits_a_second_person_is_decided_again,
        (
            "another day until when a second person confirms",
            "another key beside which the second person must sign",
            "an act that is recorded without the second person that the terms ask for",
        ),
    ),
    test_replay.test_a_payment_that_its_party_states_a_second_time_is_found: (
        SAME,
        ("a payment that was confirmed, stated again with another amount",),
    ),
    test_replay.test_what_an_agreed_rule_records_is_judged_again: (
        test_replay.test_what_an_agreed_rule_records_is_judged_again,
        (
            "a breach of another version of a rule",
            "another reduction than a breach asks for",
            "a breach left out",
        ),
    ),
    test_replay.test_a_deadline_that_the_operator_made_up_is_found: (
        ON_TIME,
        (
            "a deadline of another day",
            "a deadline of another kind",
            "a deadline that passes twice",
            "a deadline that passes early",
            "a deadline left out",
        ),
    ),
    test_replay.test_what_the_clock_left_out_is_reported_once: (
        ON_TIME,
        (
            "the end of a month left out",
            "a reminder left out",
            "a missed deadline left out",
        ),
    ),
    test_replay.test_what_the_clock_records_of_silence_is_found_where_the_operator_leaves_it_out: (
        ON_TIME,
        ("a confirmation by silence left out", "its reminder left out"),
    ),
    test_replay.test_what_an_adoption_states_for_each_party_is_computed_again: (
        test_replay.test_what_an_adoption_states_for_each_party_is_computed_again,
        (
            "another value of what an adoption states",
            "a value of an adoption left out",
            "the last value of an adoption left out",
            "a value that an adoption does not state",
        ),
    ),
    test_replay.test_a_proposal_that_the_operator_lets_lapse_is_found: (
        SAME,
        (
            "a proposal that lapses by no rule",
            "a proposal that lapses under a source that nobody judges",
        ),
    ),
    FRAME: (
        FRAME,
        tuple(
            f"what the clock or a rule records, with {each}"
            for each in test_replayed_operator.FRAMES
        ),
    ),
    test_replayed_operator.test_what_a_breach_asks_for_is_found_where_it_is_left_out: (
        ON_TIME,
        ("a review that a breach asks for left out", "a reduction that a breach asks for left out"),
    ),
    test_replayed_operator.test_a_rule_in_a_bundle_with_private_events_is_one_that_was_agreed: (
        test_replayed_operator.test_nothing_is_found_in_an_honest_log_of_which_something_is_private,
        tuple(f"{each}, behind private events" for each in test_replayed_operator.INVENTED),
    ),
    test_replayed_operator.test_what_no_party_keeps_to_itself_is_not_withheld: (
        test_replayed_operator.test_what_no_party_keeps_to_itself_is_not_withheld,
        ("an event of a deal that is withheld", "an event of a dispute that is withheld"),
    ),
    test_replayed_operator.test_an_export_withholds_what_a_party_keeps_to_itself: (
        test_replayed_operator.test_an_export_withholds_what_a_party_keeps_to_itself,
        (
            "an export that withholds more from a party than is private",
            "an export that withholds less from a party than is private",
        ),
    ),
    EXPORTED: (
        EXPORTED,
        ("the last event of a deal withheld as private, and not counted by the export",),
    ),
    test_replayed_operator.test_a_fact_of_a_party_has_no_source_of_the_operator: (
        test_replayed_operator.test_a_fact_of_a_party_has_no_source_of_the_operator,
        tuple(f"a payment of a party from {each}" for each in test_replayed_operator.RESERVED),
    ),
}
"""By the test that tries them: its control, and the lies about which a verifier says nothing."""


def _code(test: Test) -> str:
    return f"`{test.__module__.rpartition('.')[2]}::{test.__name__}`"


def _tried(test: Test) -> int:
    """Return how many lies a test tries: its parameters, without the honest one."""
    marks = getattr(test, "pytestmark", [])
    values = [each.args[1] for each in marks if each.name == "parametrize"]
    return len([each for each in values[0] if each is not None]) if values else 1


def test_the_page_names_each_lie_that_a_test_of_the_replay_tries() -> None:
    assert {test: len(lies) for test, (_, lies) in ONLY_REPLAY.items()} == {
        test: _tried(test) for test in ONLY_REPLAY
    }


def test_far_more_attacks_than_the_first_ones_are_tried_and_each_has_a_control() -> None:
    of_replay = [lie for _, lies in ONLY_REPLAY.values() for lie in lies]
    of_verifiers = [*LIES, *ERASED, *IDENTIFIERS]
    named = {lie for _, lies in CONTROLS.values() for lie in lies}

    assert len({*of_replay, *of_verifiers}) == len(of_replay) + len(of_verifiers)
    assert len(of_replay) + len(of_verifiers) >= len(FIRST) + 40
    assert named <= LIES.keys()
    assert all(callable(control) for control, _ in ONLY_REPLAY.values())


def page() -> str:
    """Return docs/attacks.md: what was tried, which tool refuses it, and what is no lie."""
    by_code: dict[str, list[str]] = {}
    for name, (_, code) in [*LIES.items(), *ERASED.items()]:
        by_code.setdefault(code, []).append(name)
    by_code["event"] += IDENTIFIERS
    rows = [f"| `{code}` | {'; '.join(names)} |" for code, names in sorted(by_code.items())]
    notes = [each for each in mutator.NOTES if each not in mutator.HARMLESS]
    envelopes = [each for each in mutator.ENVELOPES if "a value" not in each]
    envelopes.remove("the signature of its party")
    written = [
        ("`malformed`", "a line of JSON with", mutator.SPELLINGS),
        ("`checkpoint-…`", "a checkpoint with", notes),
        ("`malformed`, `command-…`", "an envelope with", envelopes),
        ("`bag`", "an archive with", (*ARCHIVE, "any other byte in a record of its directory")),
        ("`custody`", "a mixture of two bundles of one log, with", MIXED),
        ("`malformed`", "among the signed commands", ("one twice",)),
    ]
    rows += [f"| {code} | {what}: {'; '.join(names)} |" for code, what, names in written]
    events = len(LIES) + len(ERASED) + len(IDENTIFIERS)
    forms = sum(len(names) for _, _, names in written)
    controls = "\n".join(f"- {name}" for name in ["a harmless signed event", *CONTROLS])
    first = "\n".join(f"| {what} | {tool} | {_code(test)} |" for what, tool, test in FIRST)
    replayed = "\n".join(
        f"| {'; '.join(lies)} | {_code(test)} | {_code(control)} |"
        for test, (control, lies) in ONLY_REPLAY.items()
    )
    number = sum(len(lies) for _, lies in ONLY_REPLAY.values())
    return f"""# What was tried against the record

An operator who has the key of the log can record what it likes and sign it. This page lists what
was tried, and which tool refuses it: both verifiers, or `accord audit replay`, which makes their
checks first. It is written from the tests that try it, which are in `tests/audit`. Each lie differs
in one thing from what is no lie, its control.

These attacks succeeded before the two tools were written:

| what was tried | refused by | test |
|---|---|---|
{first}

## What both verifiers refuse

Both verifiers refuse each of these for the same reason. The first {events} are by an operator who
has the key of the log; the other {forms} are forms that a file must not have, and what somebody
without a key makes of two bundles. Beside them
`make audit-faults` [draws changes from a seed](faults.md#changed-bundles-and-the-two-verifiers).

| refused as | what was tried |
|---|---|
{chr(10).join(rows)}

These are accepted:

{controls}
- an erased command of several events of which one names the erased person
- a checkpoint with: {"; ".join(sorted(mutator.HARMLESS))}

## What only the replay refuses

The verifiers compute nothing from what an event says: they do not compare a statement with its
lines, and do not decide a command again. Each verdict says that the meaning was not checked. Of
these {number} lies `accord audit replay` says `differs`, and so does `accord audit verify` on the
live store. A test that is its own control tries the honest event, too.

| what was tried | test | control |
|---|---|---|
{replayed}

Random lives with one forged change each are in `test_replayed_lives.py`, and the same lives without
a change, of which a replay reports nothing.
"""


def test_the_page_lists_what_is_tried() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "see the docstring of this module"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
