"""`accord schema`: the types of events, one of them, or all schemas as files."""

from pathlib import Path
from typing import Annotated

import typer

from infra.answers.question import Panel
from infra.answers.schema import SCHEMA
from infra.answers.text import Block, Line
from infra.cli import printing
from infra.cli.options import Json, app, option, settings
from infra.settings import Settings, setting

ASYNCAPI = "asyncapi.json"


@app.command(rich_help_panel=Panel.EVENTS.value)
def schema(
    type: Annotated[
        str | None, typer.Argument(metavar="TYPE", help="Such as SignAgreement.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Write the AsyncAPI document, and the JSON Schema of every message, to a folder.",
        ),
    ] = None,
    topics: Annotated[
        str,
        option("--topics", setting("topics"), "PREFIX", "With --out: the prefix of the topics."),
    ] = Settings.model_fields["topics"].default,
    as_json: Json = False,
) -> None:
    """List the types of events that can be sent, or show the fields and an example of one."""
    if out is None:
        printing.result(SCHEMA.ask(type), SCHEMA.text, as_json=as_json)
        return
    if type is not None:
        raise typer.BadParameter("--out writes every type; leave TYPE out.")
    settings()
    written = write(out, topics)
    printing.blocks(_text(out, written))


def write(folder: Path, topics: str) -> int:
    """Write all documents; return how many. Raises `OSError`."""
    import orjson

    from infra.exchange import published

    files = {ASYNCAPI: published.asyncapi(topics), **published.json_schemas()}
    for name, document in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    return len(files)


def _text(folder: Path, written: int) -> list[Block]:
    return [Line(f"Wrote {written} files to {folder}; {ASYNCAPI} describes the topics.")]
