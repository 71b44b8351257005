"""The commands by which the record holds in a dispute: checkpoints, bundles, forks."""

from datetime import datetime
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli.options import (
    DISPUTE,
    EXIT_CODES,
    FAILED,
    REFUSED,
    Id,
    Json,
    Store,
    app,
    marked,
    moment,
    opened,
)
from infra.settings import DEFAULT_STORE

if TYPE_CHECKING:
    from infra.evidence.forks import Compared
    from infra.tlog.notes import Verifier


def _moment(name: str, about: str) -> Any:  # noqa: ANN401 - typer's own option
    return typer.Option(name, parser=moment, metavar="WHEN", help=about, show_default=False)


@app.command("log-key", rich_help_panel=DISPUTE)
def log_key(id: Id, store: Store = DEFAULT_STORE, as_json: Json = False) -> None:
    """Give the key by which a partnership's checkpoints are checked; a verifier pins it."""
    from infra.answers import size_of
    from infra.cli.printing import document, say

    with opened(store, as_json=True) as accord:
        size_of(accord.history, id)
        key = str(accord.signing().seal.verifier(id))
    document({"partnership": id, "key": key}) if as_json else say(key)


@app.command(rich_help_panel=DISPUTE)
def checkpoint(id: Id, store: Store = DEFAULT_STORE, as_json: Json = False) -> None:
    """Sign what a partnership's log has come to, and print it: size, root, time, signatures."""
    from infra.answers import size_of
    from infra.cli.printing import document, say

    with opened(store, as_json=as_json) as accord:
        size_of(accord.history, id)
        note = str(accord.signing().checkpoint(id))
        document(marked(accord, {"partnership": id, "note": note})) if as_json else say(
            note.removesuffix("\n")
        )


@app.command(rich_help_panel=DISPUTE)
def bundle(
    id: Id,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE.zip", help="A new file.")],
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="What for; the log itself keeps it.")
    ],
    party: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="PARTY",
            help="With what this party sees; else neither side's private facts are in it.",
            show_default=False,
        ),
    ] = None,
    statement: Annotated[
        str | None,
        typer.Option(
            "--statement",
            metavar="STATEMENT",
            help="With a proof of this one, by its name or period.",
            show_default=False,
        ),
    ] = None,
    alert: Annotated[
        str | None,
        typer.Option(
            "--alert",
            metavar="ALERT",
            help="With proofs of what made this one.",
            show_default=False,
        ),
    ] = None,
    start: Annotated[
        datetime | None, _moment("--from", "Events recorded before are in it as hashes alone.")
    ] = None,
    end: Annotated[
        datetime | None, _moment("--to", "Events recorded later are in it as hashes alone.")
    ] = None,
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Write an evidence bundle, which its reader checks offline and without trusting anybody.

    In it: events, proofs, checkpoints, keys, terms, figures, statements, alerts, the written
    format and two verifiers (docs/auditor.md).
    """
    from infra.cli.printing import document, note, say
    from infra.evidence.bundle import Asked, export

    asked = Asked(getuser(), reason, party, statement, alert, start, end)
    with opened(store, as_json=as_json) as accord:
        accord.catch_up()
        notary = accord.signing()
        made = export(accord, notary, id, asked, out)
        key = str(notary.seal.verifier(id))
        answer = {"file": str(out), "size": made.size, "withheld": made.withheld, "log": key}
        if as_json:
            document(marked(accord, answer | ({"warning": made.warning} if made.warning else {})))
        else:
            hidden = f", {made.withheld} of them as hashes alone" if made.withheld else ""
            say(f"Wrote {made.size} events{hidden} to {out}. Its reader pins this key of the log:")
            say(key)
            if made.warning:
                note(f"The store is not what was signed: {made.warning}")
    if made.warning:
        raise typer.Exit(FAILED)


@app.command(rich_help_panel=DISPUTE)
def timestamp(
    id: Id,
    authority: Annotated[
        str, typer.Option("--authority", metavar="URL", help="Who tells the time (RFC 3161).")
    ],
    roots: Annotated[
        Path,
        typer.Option("--roots", metavar="FILE", help="The certificates that it is checked by."),
    ],
    store: Store = DEFAULT_STORE,
    as_json: Json = False,
) -> None:
    """Have an outside authority tell when a partnership's checkpoint was there; bundles bring it.

    The answer is checked before it is kept. It is over the text of the latest checkpoint.
    """
    from infra.answers import size_of
    from infra.audit import timestamps
    from infra.cli.printing import document, say
    from infra.evidence.bundle import TIMESTAMP
    from infra.store.records import Kept
    from infra.tlog.notes import Checkpoint

    trusted = timestamps.roots(roots.read_bytes())
    with opened(store, as_json=as_json) as accord:
        size_of(accord.history, id)
        text = accord.signing().checkpoint(id).text
        answer = timestamps.fetch(authority, timestamps.request(text))
        at = timestamps.verify(answer, text, trusted).isoformat()
        size = Checkpoint.read(text).size
        accord.history.append([], kept=[Kept(TIMESTAMP, id, str(size), answer)])
        if as_json:
            document(marked(accord, {"partnership": id, "size": size, "at": at}))
        else:
            say(f"The checkpoint of {size} events of {id} was there at {at}.")


@app.command(
    rich_help_panel=DISPUTE,
    epilog=f"Exit code {REFUSED}: {EXIT_CODES[REFUSED]}; here, a fork.",
)
def diff(
    one: Annotated[Path, typer.Argument(metavar="A", help="A bundle, a checkpoint, or a proof.")],
    other: Annotated[
        Path | None, typer.Argument(metavar="B", help="Another one.", show_default=False)
    ] = None,
    key: Annotated[
        str, typer.Option("--log", metavar="KEY", help="The log's key, as accord log-key gave it.")
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="Write the proof of a fork here."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Tell where two accounts of one log part ways, and prove it; or check such a proof.

    What is proved is that the operator signed both.
    """
    from infra.cli.printing import document, say
    from infra.evidence import forks
    from infra.tlog.codec import canonical

    operator = _key(key)
    if other is None:
        found = forks.check(one.read_bytes(), operator)
    else:
        found = forks.compare(forks.Account.read(one), forks.Account.read(other), operator)
    if found.proof and out:
        out.write_bytes(canonical(found.proof) + b"\n")
    document(_told(found)) if as_json else say(found.text)
    if found.verdict == "fork":
        raise typer.Exit(REFUSED)


def _key(text: str) -> "Verifier":
    from infra.evidence import forks

    if not text:
        raise typer.BadParameter("Give the log's key: --log, as accord log-key printed it.")
    return forks.key_of(text)


def _told(found: "Compared") -> dict[str, Any]:
    told: dict[str, Any] = {"verdict": found.verdict, "text": found.text}
    return told | {"index": found.index, "proof": found.proof}
