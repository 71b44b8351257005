from domain.aggregates import command_types
from infra.answers.schema import CHAPTERS


def test_each_chapter_is_a_module_that_defines_commands() -> None:
    modules = {each.__module__ for each in command_types().values()}
    assert {f"domain.{chapter}" for chapter in CHAPTERS} <= modules
