"""Each setting is read in one way; what is wrong with one is said at the start, whole."""

import ast
import re
from pathlib import Path

import pytest

from infra.exchange.table import sinks
from infra.settings import Row, Settings, Text, Whole, WrongSetting, read, table
from tests.documents import REPOSITORY
from tests.journeys.typed import Accord, accord

__all__ = ["accord"]

NUMBERS = {name: row for name, row in table().items() if isinstance(row.setting.form, Whole)}
TEXTS = {
    name.replace("*", "WEBHOOK"): row
    for name, row in table().items()
    if isinstance(row.setting.form, Text)
}

NO_NUMBERS = [
    *("nan", "NaN", "inf", "-inf", "Infinity", "1e3", "1.0", "0x10", "1_000", "+1", "007"),
    *(" 60", "60 ", "6 0", "60\n", "\t60", "٦٠", "60s", "64MB", "5 days", "P1D", "true", "none"),
]
"""What is a number to some language, or one with a unit, and none here."""


def value(settings: Settings, row: Row) -> object:
    found: object = settings
    for name in row.path:
        found = getattr(found, name)
    return found


def refusal(variable: str, text: str) -> str:
    with pytest.raises(WrongSetting) as refused:
        read({variable: text})
    return str(refused.value)


# --- numbers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", NUMBERS)
def test_what_is_no_whole_number_is_refused_with_what_is_allowed(variable: str) -> None:
    row = NUMBERS[variable]
    for text in NO_NUMBERS:
        told = refusal(variable, text)
        assert told.startswith(f"{variable}: {text!r} is not a whole number"), told
        assert f"Allowed: {row.setting.form.allowed}." in told
        assert "Correct it, or unset it" in told


@pytest.mark.parametrize("variable", NUMBERS)
def test_a_number_beyond_its_bounds_is_refused_and_one_at_them_is_taken(variable: str) -> None:
    row = NUMBERS[variable]
    form = row.setting.form
    assert isinstance(form, Whole)

    for text in (str(form.least - 1), "-1", "-0", f"-{'9' * 5000}"):
        assert f"{text!r} is below {form.least}" in refusal(variable, text)
    for text in (str(form.most + 1), "9" * 19, "9" * 5000):
        assert f"{text!r} is above {form.most}" in refusal(variable, text)
    for number in {form.least, form.most, row.default}:
        taken = read({variable: str(number)})
        if row.path[0] in Settings.model_fields:
            assert value(taken, row) == number


@pytest.mark.parametrize("variable", [*NUMBERS, *TEXTS])
def test_an_empty_variable_is_refused(variable: str) -> None:
    assert refusal(variable, "").startswith(f"{variable} is empty. Allowed: ")


# --- text --------------------------------------------------------------------------------------

WRONG_TEXT = {
    "ACCORD_STORE": [
        *("accord.db", "sqlite://accord.db", "sqlite:///", "sqlite:///a.db ", " sqlite:///a.db"),
        *("mysql://ana:secret@host/accord", "postgresql://", "postgresql://a b", "sqlite:///a\0"),
    ],
    "ACCORD_KAFKA": [
        *("broker", "broker:", ":9092", "broker:nan", "broker:0", "broker:65536", "broker:-1"),
        *("a:1, b:2", "a:1,", "a:1 ", "http://broker:9092", "a:1,b:99999", "broker:9092/topic"),
    ],
    "ACCORD_TOPICS": ["a b", "a/b", "accord ", "x" * 201, "größe"],
    "ACCORD_HEALTH": ["9101", "host", "host:nan", "host:65536", "a b:1", "host:1:2", "http://a:1"],
    "ACCORD_KEY": [" key", "key ", "a\nb", "\0"],
    "ACCORD_POLICY": [" policy", "a\tb"],
    "ACCORD_HTTP_PROXIES": ["a proxy", "127.0.0.1,", "127.0.0.1, ::1", "10.0.0.0/8"],
    "ACCORD_CREDENTIAL": [" operator.token"],
    "ACCORD_ISSUERS": ["issuers.toml "],
    "ACCORD_SINK_WEBHOOK": [" http://ops.example", "http://ops.example\n"],
    "ACCORD_PASSWORD_WEBHOOK": ["a\nb"],
    "ACCORD_KAFKA_SASL": ["GSSAPI", "scram-sha-512", "PLAIN "],
    "ACCORD_KAFKA_USER": ["a\nb"],
    "ACCORD_KAFKA_PASSWORD": ["secret\n"],
    "ACCORD_KAFKA_TOKEN": [" token"],
    "ACCORD_KAFKA_TLS": ["a\nb"],
    "ACCORD_KAFKA_CERTIFICATE": ["a.pem "],
}
TAKEN_TEXT = {
    "ACCORD_STORE": [
        "sqlite:///my store.db",
        "sqlite:////a.db",
        "postgres:///a",
        "postgresql://h/a",
    ],
    "ACCORD_KAFKA": ["broker:9092", "a:1,b-2.example:65535", "[::1]:9092"],
    "ACCORD_TOPICS": ["accord", "a.b_c-9", "x" * 200],
    "ACCORD_HEALTH": ["127.0.0.1:0", ":9101", "0.0.0.0:65535"],
    "ACCORD_KEY": ["k", "my keys/operator.key"],
    "ACCORD_POLICY": ["policy"],
    "ACCORD_HTTP_PROXIES": ["127.0.0.1", "::1,10.0.0.7"],
    "ACCORD_CREDENTIAL": ["operator.token"],
    "ACCORD_ISSUERS": ["/etc/accord/issuers.toml"],
    "ACCORD_SINK_WEBHOOK": ["http://ops.example/hook?a=b"],
    "ACCORD_PASSWORD_WEBHOOK": [" any text "],
    "ACCORD_KAFKA_SASL": ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"],
    "ACCORD_KAFKA_USER": ["accord-intake"],
    "ACCORD_KAFKA_PASSWORD": [" any text "],
    "ACCORD_KAFKA_TOKEN": ["/run/token"],
    "ACCORD_KAFKA_TLS": ["system", "authority.pem"],
    "ACCORD_KAFKA_CERTIFICATE": ["own.pem"],
}


@pytest.mark.parametrize("variable", TEXTS)
def test_text_of_another_form_is_refused_with_what_is_allowed(variable: str) -> None:
    form = TEXTS[variable].setting.form
    for text in WRONG_TEXT[variable]:
        told = refusal(variable, text)
        assert told.startswith(f"{variable}: "), (text, told)
        assert f"Allowed: {form.allowed}. Correct it, or unset it" in told, text
    for text in TAKEN_TEXT[variable]:
        read({variable: text})


def test_no_refusal_tells_a_password() -> None:
    for variable, text in [
        ("ACCORD_STORE", "mysql://ana:secret@host/accord"),
        ("ACCORD_STORE", "postgresql://ana:sec/ret@ho st/accord"),
        # The database's library would repeat a part of each of these.
        ("ACCORD_STORE", "postgresql://ana:sec%ret@host/accord"),
        ("ACCORD_STORE", "postgresql://ana:sec@ret@host/accord"),
        ("ACCORD_STORE", "postgresql://ana:sec/ret@host/accord"),
        ("ACCORD_PASSWORD_INTAKE", "secret\n"),
        ("ACCORD_KAFKA_PASSWORD", "secret\n"),
        ("ACCORD_SINK_WEBHOOK", "https://ana:secret@ops.example/\n"),
    ]:
        assert "ret" not in refusal(variable, text)
    assert "secret" not in repr(read({"ACCORD_STORE": "postgresql://ana:secret@host/accord"}))
    with pytest.raises(WrongSetting) as refused:
        sinks({"webhook": "ftp://ana:secret@ops.example"})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    ["ops.example", "ftp://ops.example", "http://", "https:///path", "http://ops.example/a b"],
)
def test_the_address_of_a_webhook_is_one_of_http(text: str) -> None:
    with pytest.raises(WrongSetting, match=r"is not an address of HTTP.*Allowed: http://"):
        sinks({"webhook": text})


def test_a_variable_that_is_nearly_a_setting_is_refused_and_others_are_not_read() -> None:
    assert refusal("ACCORD_CLOCK_GAPS", "1") == (
        "ACCORD_CLOCK_GAPS is not a setting. Perhaps ACCORD_CLOCK_GAP?"
    )
    assert read({"ACCORD_TEST_POSTGRES": "x", "ACCORD_OTHER": "", "PATH": ""}) == Settings()


def test_an_option_goes_before_its_variable() -> None:
    given = read({"ACCORD_STORE": "sqlite:///a.db"}, store="sqlite:///b.db", kafka=None)

    assert given == Settings(store="sqlite:///b.db")


# --- commands ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed",
    [
        ["up"],
        ["list"],
        ["init"],
        ["ingest", "-"],
        ["audit", "verify"],
        ["confirm-clock"],
        ["schema", "--out", "x"],
    ],
    ids=" ".join,
)
def test_every_command_refuses_a_wrong_variable_in_one_line_before_it_begins(
    accord: Accord, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, typed: list[str]
) -> None:
    monkeypatch.setenv("ACCORD_HTTP_BODY_SECONDS", "nan")

    ran = accord(*typed)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "accord: ACCORD_HTTP_BODY_SECONDS: 'nan' is not a whole number, written in digits alone. "
        "Allowed: 1 to 86400 seconds. Correct it, or unset it for the default, 60.\n"
    )
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("typed", "option", "texts"),
    [
        (["up"], "--port", ["nan", "-1", "65536", "", "80 80", "9" * 5000, "http"]),
        (["up"], "--host", ["", " ", "a b"]),
        (["up"], "--store", ["", "accord.db", "mysql://ana:secret@host/a"]),
        (
            ["audit", "witness", "--name", "w", "--key", "k", "--state", "s"],
            "--port",
            ["nan", "-1", "65536", "", "1.0"],
        ),
        (["schema", "--out", "x"], "--topics", ["", "a b"]),
        (["migrate"], "--partitions", ["nan", "0", "-1", "10001", "", "12 "]),
        (["migrate"], "--replicas", ["nan", "0", "1001", "", "1e0"]),
        (["migrate"], "--kafka", ["", "broker", "broker:nan"]),
        (["run", "relay"], "--health", ["", "9102", "host:nan", "host:65536"]),
    ],
    ids=lambda each: " ".join(each[:1]) if isinstance(each, list) else str(each),
)
def test_an_option_is_refused_as_its_variable_is(
    accord: Accord, typed: list[str], option: str, texts: list[str]
) -> None:
    import consumers.command  # noqa: F401, PLC0415 - it adds its commands

    for text in texts:
        ran = accord(*typed, f"{option}={text}", columns=200)

        assert (ran.code, ran.out) == (2, ""), text
        told = " ".join(ran.err.translate({ord("│"): None}).split())
        assert f"Invalid value for '{option}'" in told, text
        assert "Allowed: " in told, text
        assert "secret" not in told


@pytest.mark.parametrize("command", ["retry", "dismiss"])
def test_the_number_of_a_refusal_is_read_as_over_http(accord: Accord, command: str) -> None:
    accord("init")
    for text in ["-1", "0", "nan", "1_0", "1.0", "9" * 20, " 1", ""]:
        ran = accord(command, "--", text, columns=200)

        assert (ran.code, ran.out) == (2, ""), text
        assert "number is " in ran.err, text


# --- one table ---------------------------------------------------------------------------------


def documented() -> str:
    """Return the table of the settings as docs/production.md has it."""
    lines = ["| variable | default | allowed | meaning |", "|---|---|---|---|"]
    for name, row in table().items():
        shown = name.replace("*", "<NAME>")
        default = f"`{row.default}`" if row.default or row.default == 0 else "unset"
        form = row.setting.form
        lines.append(f"| `{shown}` | {default} | {form.allowed} | {row.setting.about} |")
    return "\n".join(lines)


def test_the_documents_have_the_table_of_all_settings() -> None:
    page = (REPOSITORY / "docs" / "production.md").read_text("utf-8")

    assert documented() in page, f"docs/production.md should have this table:\n{documented()}"


def test_every_variable_that_is_named_anywhere_is_a_setting() -> None:
    files = [
        *(REPOSITORY / "docs").glob("*.md"),
        *(
            each
            for room in ("infra", "consumers", "dev")
            for each in (REPOSITORY / room).rglob("*.py")
        ),
        *(REPOSITORY / name for name in ("README.md", "Dockerfile", "docker-compose.yml")),
    ]
    found = {
        name
        for each in files
        for name in re.findall(r"\bACCORD_[A-Z_]*[A-Z]\b", each.read_text("utf-8"))
    }
    # Those of tests and of docker-compose.yml itself; the sinks of docs/extending.md.
    known = {"ACCORD_SINK", "ACCORD_SINK_FILE", *TEXTS, *NUMBERS}
    elsewhere = ("ACCORD_TEST_", "ACCORD_WRITE_", "ACCORD_PASSWORD_", "ACCORD_SCREENSHOTS")
    others = {name for name in found - known if not name.startswith(elsewhere)}

    assert others == set()


def test_no_other_module_reads_the_environment_for_a_setting() -> None:
    reading = {
        str(path.relative_to(REPOSITORY))
        for room in ("infra", "consumers", "projections", "domain")
        for path in (REPOSITORY / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
    }

    # The one looks for COLUMNS, which is a variable of terminals; the other gives all to `read`.
    assert reading == {"infra/cli/printing.py", "infra/cli/options.py"}
