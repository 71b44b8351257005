"""The application `accord`, the options that its commands share, and their exit codes."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from domain.values import Slug
from infra.answers.parameters import When, WrongParameter, read
from infra.answers.question import Panel
from infra.settings import HOST as LISTENING_HOST
from infra.settings import (
    OPERATOR,
    RELEASE,
    CommandSettings,
    Setting,
    Settings,
    WrongSetting,
    setting,
    without_password,
)
from infra.settings import read as read_settings

if TYPE_CHECKING:
    from infra.bootstrap import Accord

DONE, FAILED, NOT_UNDERSTOOD, REFUSED = 0, 1, 2, 3
EXIT_CODES = {
    DONE: "done",
    FAILED: "something failed, or audit verify found a difference",
    NOT_UNDERSTOOD: "the command was not understood",
    REFUSED: "done, and some of the input was refused",
}
"""The exit codes of every command."""

REFUSES = f"Exit code {REFUSED}: {EXIT_CODES[REFUSED]}."
"""The end of the help of a command that can end with this code."""

PORT: int = CommandSettings.model_fields["port"].default
HOST = "127.0.0.1"

COMMANDS = (
    "inbox",
    "next",
    "list",
    "show",
    "review",
    "portfolio",
    "compare",
    "kpis",
    "alerts",
    "acknowledge",
    "assign",
    "silence",
    "follow",
    "explain",
    "history",
    "checklist",
    "candidates",
    "markets",
    "attributes",
    "funnel",
    "experiments",
    "rules",
    "try-rule",
    "adopt",
    "owed",
    "statement",
    "statements",
    "settle",
    "duplicate-credits",
    "ingest",
    "validate",
    "schema",
    "metrics",
    "waiting",
    "refusals",
    "retry",
    "dismiss",
    "problems",
    "audit",
    "signatures",
    "sign",
    "keygen",
    "register-key",
    "subject-export",
    "erase",
    "demo",
    "init",
    "up",
    "keys",
    "migrate",
    "run",
    "rebuild",
    "confirm-clock",
)
"""The order of the commands in their panels, the usual ones first."""

AUDIT = (
    "verify",
    "bundle",
    "replay",
    "diff",
    "checkpoint",
    "log-key",
    "receipt",
    "timestamp",
    "witness",
    "cosign",
    "forks",
)
"""The order of the commands of `accord audit`."""

KEYS = ("create", "invite", "enrol", "list", "rotate", "revoke", "broker-user")
"""The order of the commands of `accord keys`."""


class _InOrder(TyperGroup):
    """A group of commands, in the order of the help."""

    order: tuple[str, ...] = COMMANDS

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - typer's own
        """Return the names of the commands, panel by panel."""
        panels = [each.value for each in Panel]

        def place(name: str) -> tuple[int, int]:
            panel: Any = getattr(self.commands[name], "rich_help_panel", "")
            return (
                panels.index(panel) if panel in panels else len(panels),
                self.order.index(name) if name in self.order else len(self.order),
            )

        return sorted(super().list_commands(ctx), key=place)


class _Audit(_InOrder):
    """The group of the audit's commands."""

    order = AUDIT


class _Keys(_InOrder):
    """The group of the commands for API keys."""

    order = KEYS


app = typer.Typer(
    name="accord",
    cls=_InOrder,
    help="Business partnerships as a history that neither party can rewrite unnoticed.",
    epilog="Exit codes: " + "; ".join(f"{code} {what}" for code, what in EXIT_CODES.items()) + ".",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"accord {RELEASE}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the release.")
    ] = False,
) -> None:
    """Take the options of `accord` itself."""


audit = typer.Typer(
    cls=_Audit,
    help="Verify the record, and export evidence that anyone can check offline.",
    no_args_is_help=True,
)
app.add_typer(audit, name="audit", rich_help_panel=Panel.EVIDENCE.value)

keys = typer.Typer(
    cls=_Keys,
    help="Make and revoke the API keys with which parties and services use the HTTP API.",
    no_args_is_help=True,
)
app.add_typer(keys, name="keys", rich_help_panel=Panel.OPERATION.value)


def reader(name: str, kind: Any) -> Callable[[str], Any]:  # noqa: ANN401 - any type
    """Return the function that reads a parameter as HTTP does.

    It raises `typer.BadParameter` with the words that HTTP answers with.
    """

    def read_text(text: str) -> Any:  # noqa: ANN401 - as above
        try:
            return read(name, kind, text)
        except WrongParameter as error:
            raise typer.BadParameter(str(error)) from None

    return read_text


def moment_option(name: str, about: str, kind: Any = When) -> Any:  # noqa: ANN401 - typer's own
    """Return the option whose value is a moment."""
    parser = reader(name.removeprefix("--"), kind)
    return typer.Option(name, parser=parser, metavar="WHEN", help=about)


_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def later_option(name: str, about: str) -> Any:  # noqa: ANN401 - typer's own
    """Return the option whose value is a time from now on (15m, 1h, 7d), a date or a moment."""

    def read_text(text: str) -> datetime:
        from infra.deciding.clock import wall_clock

        if found := re.fullmatch(r"([1-9][0-9]{0,3})([mhd])", text):
            return wall_clock() + timedelta(**{_UNITS[found[2]]: int(found[1])})
        try:
            moment: datetime = read(name.removeprefix("--"), When, text)
        except WrongParameter as wrong:
            raise typer.BadParameter(
                f"{wrong.detail}. Write how long from now, as in 15m, 1h or 7d, or until when, as "
                "in 2026-01-31 or 2026-01-31T09:00:00Z."
            ) from None
        return moment

    return typer.Option(name, parser=read_text, metavar="WHEN", help=about)


def _operator(name: str | None) -> str | None:
    from infra.tlog.notes import Malformed, checked_name

    try:
        return name and checked_name(name)
    except Malformed as error:
        raise typer.BadParameter(str(error)) from None


Operator = Annotated[
    str | None,
    typer.Option(
        "--operator",
        callback=_operator,
        metavar="NAME",
        help=f"The operator's name in signatures, {OPERATOR} by default; it never changes.",
    ),
]


def option(
    name: str,
    setting: Setting,
    metavar: str,
    about: str,
    check: Callable[..., Any] | None = None,
) -> Any:  # noqa: ANN401 - typer's own
    """Return the option of a setting; without the option, its variable is read."""

    def read_text(given: Any) -> Any:  # noqa: ANN401 - a default comes as it is
        try:
            return setting.read(given) if isinstance(given, str) else given
        except WrongSetting as error:
            raise typer.BadParameter(str(error)) from None

    variable = setting.variable or None
    return typer.Option(
        name, envvar=variable, parser=read_text, metavar=metavar, help=about, callback=check
    )


def _no_password(context: typer.Context, store: str) -> str:
    # Other users of the machine can list the arguments of a process.
    source = context.get_parameter_source("store")
    is_argument = source is not None and source.name == "COMMANDLINE"
    if is_argument and store != without_password(store):
        raise typer.BadParameter(
            "An argument must not have a password. Set ACCORD_STORE to the address, or give the "
            "address without the password and keep that in the password file of Postgres."
        )
    return store


Store = Annotated[
    str,
    option(
        "--store",
        setting("store"),
        "URL",
        "The store: sqlite:/// and a path (four slashes make it absolute), "
        "postgresql://user@host/database, or bundle: and an evidence bundle, which is only read.",
        _no_password,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Id = Annotated[
    str, typer.Argument(parser=reader("id", Slug), metavar="ID", help="The partnership.")
]
At = Annotated[
    datetime | None,
    moment_option(
        "--at",
        "What had happened by then: a date means the whole of that day (UTC), "
        "2026-03-31T12:00:00Z that moment.",
    ),
]
Known = Annotated[
    datetime | None,
    moment_option("--known", "What had been recorded by then: a date or a moment, as for --at."),
]
Host = Annotated[str, option("--host", LISTENING_HOST, "HOST", "The address to listen on.")]
Party = Annotated[
    str | None,
    typer.Option(
        "--party",
        parser=reader("party", Slug),
        metavar="PARTY",
        help="The view of this party; the operator's unless given.",
    ),
]
LONGEST_REASON = 2000
"""Characters of a reason at most, as the recorded event takes it."""


def _reason(text: str | None) -> str | None:
    if text is not None and (not text.strip() or len(text) > LONGEST_REASON):
        raise typer.BadParameter(
            f"The reason is empty or longer than {LONGEST_REASON} characters; say why you look."
        )
    return text


Full = Annotated[
    str | None,
    typer.Option(
        "--full",
        callback=_reason,
        metavar="REASON",
        help="Show both parties' private facts, for this reason; the look is recorded.",
    ),
]


def settings(store: str | None = None, kafka: str | None = None) -> Settings:
    """Return the settings of a command: its options, and the variables of the environment.

    Raises `WrongSetting`.
    """
    return read_settings(os.environ, store=store, kafka=kafka)


@contextmanager
def opened(store: str, *, as_json: bool) -> Iterator["Accord"]:
    """Open a store; a note says so if it is simulated."""
    import logging

    from infra.cli.printing import note
    from infra.deciding import clock
    from infra.evidence import opening

    # A doubt of the clock ends the command, which prints it. Python would print its log, too.
    logging.getLogger(clock.__name__).addHandler(logging.NullHandler())
    with opening.opened(settings(store)) as accord:
        if accord.simulated and not as_json:
            note("This is a simulated store: its feeds say when things were recorded.")
        yield accord
