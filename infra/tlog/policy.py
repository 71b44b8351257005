"""A policy: the logs and witnesses that a reader trusts, and the cosignatures that it requires.

The text is a C2SP `tlog-policy`. An operator's own policy can leave out the log, so that it applies
to all its partnerships; the URL of a witness is its submission prefix.
"""

import re
from collections.abc import Container
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from infra.tlog.keys import NoKey
from infra.tlog.notes import Kind, Malformed, Note, Verifier

NONE = "none"
"""The quorum that requires no cosignature; a reserved word."""

_FORMS = {
    "log": "log <verifier key> [<url>]",
    "witness": "witness <name> <verifier key> [<url>]",
    "group": "group <name> <all|any|number> <name>...",
    "quorum": f"quorum <name>|{NONE}",
}

_BLANKS = " \t"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class NoPolicy(ValueError):
    """A text that is not a policy: the line, what is wrong there, and a hint."""


@dataclass(frozen=True, slots=True)
class PolicyLog:
    """A log that is trusted, and its address if known."""

    verifier: Verifier
    url: str | None = None

    def __str__(self) -> str:
        return " ".join(["log", str(self.verifier), *filter(None, [self.url])])


@dataclass(frozen=True, slots=True)
class PolicyWitness:
    """A cosigner: the name that the policy gives it, and its address if known."""

    word: str
    verifier: Verifier
    url: str | None = None

    def __str__(self) -> str:
        return " ".join(["witness", self.word, str(self.verifier), *filter(None, [self.url])])


@dataclass(frozen=True, slots=True)
class Group:
    """Witnesses or groups, of which at least a number must have cosigned."""

    word: str
    least: int
    members: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join(["group", self.word, str(self.least), *self.members])


@dataclass(frozen=True, slots=True)
class Policy:
    """The trusted keys; the quorum is the name of a witness or group, or `NONE`."""

    logs: tuple[PolicyLog, ...] = ()
    witnesses: tuple[PolicyWitness, ...] = ()
    groups: tuple[Group, ...] = ()
    quorum: str = NONE

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the policy in a file. Raises `NoPolicy` and `OSError`."""
        # To C2SP names and comments are octets, which need not be UTF-8; these are shown as \\xff.
        return cls.read(path.read_bytes().decode(errors="backslashreplace"))

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a policy. Raises `NoPolicy` with the number of the line."""
        policy = cls(quorum="")
        for number, line in enumerate(text.split("\n"), 1):
            content = line.strip(_BLANKS)
            try:
                _plain(line)
                if content and not content.startswith("#"):
                    policy = policy._with(content)
            except (NoPolicy, NoKey, Malformed) as error:
                raise NoPolicy(f"Line {number} of the policy: {error}") from None
        if not policy.quorum:
            raise NoPolicy(
                "The policy has no quorum. Add a last line: quorum and the name of a "
                f"witness or group, or quorum {NONE}."
            )
        return policy

    def __str__(self) -> str:
        lines = map(str, (*self.logs, *self.witnesses, *self.groups))
        return "".join(f"{line}\n" for line in (*lines, f"quorum {self.quorum}"))

    def bundled(self, log: Verifier) -> Self:
        """Return it as a bundle of this log proposes it, without addresses."""
        own = self.without([each.word for each in self.witnesses])
        return replace(own, logs=(PolicyLog(log),))

    def without(self, words: Container[str]) -> Self:
        """Return it without the addresses of these witnesses; their cosignatures still count."""
        return replace(
            self,
            witnesses=tuple(
                replace(each, url=None) if each.word in words else each for each in self.witnesses
            ),
        )

    def signed(self, note: Note) -> list[str]:
        """Return the names of the witnesses with a valid cosignature under a note."""
        return [each.word for each in self.witnesses if note.by(each.verifier)]

    def met(self, note: Note) -> bool:
        """Whether the valid cosignatures under a note meet the quorum."""
        met = {NONE, *self.signed(note)}
        # A group's members are listed before it, so one pass is enough.
        for group in self.groups:
            if len(met.intersection(group.members)) >= group.least:
                met.add(group.word)
        return self.quorum in met

    # --- reading, line by line ---

    def _with(self, line: str) -> Self:
        words = re.split(f"[{_BLANKS}]+", line)
        match words:
            case [kind, *_] if kind not in _FORMS:
                raise NoPolicy(f"{kind!r} cannot begin a line; write {', '.join(_FORMS)}.")
            case ["log", key, *url] if len(url) <= 1:
                return self._with_log(key, *url)
            case ["witness", word, key, *url] if len(url) <= 1:
                return self._with_witness(word, key, *url)
            case ["group", word, least, *members] if members:
                return self._with_group(word, least, members)
            case ["quorum", word]:
                return self._with_quorum(word)
            case _:
                raise NoPolicy(f"Write it so: {_FORMS[words[0]]}.")

    def _with_log(self, key: str, url: str | None = None) -> Self:
        verifier = _key(key, Kind.NOTE)
        if any(each.verifier.public == verifier.public for each in self.logs):
            raise NoPolicy("Another log above has the same key. Remove one.")
        return replace(self, logs=(*self.logs, PolicyLog(verifier, url)))

    def _with_witness(self, word: str, key: str, url: str | None = None) -> Self:
        verifier = _key(key, Kind.COSIGNATURE)
        self._unnamed(word)
        if any(each.verifier.public == verifier.public for each in self.witnesses):
            raise NoPolicy("Another witness above has the same key. Remove one.")
        if url is not None and not url.startswith(("https://", "http://")):
            raise NoPolicy(f"{url!r} is not a URL; write https:// and a host, or leave it out.")
        return replace(self, witnesses=(*self.witnesses, PolicyWitness(word, verifier, url)))

    def _with_group(self, word: str, least: str, members: list[str]) -> Self:
        for each in members:
            self._named(each)
        grouped = {each for group in self.groups for each in group.members}
        if len(set(members)) < len(members) or grouped.intersection(members):
            raise NoPolicy("A member is already in a group. Remove it here.")
        count = {"any": "1", "all": str(len(members))}.get(least, least)
        if not re.fullmatch("[1-9][0-9]{0,3}", count) or int(count) > len(members):
            raise NoPolicy(f"{least!r} of {len(members)} members is impossible; write all or any.")
        self._unnamed(word)
        return replace(self, groups=(*self.groups, Group(word, int(count), tuple(members))))

    def _with_quorum(self, word: str) -> Self:
        if self.quorum:
            raise NoPolicy("There is a quorum line above already. Remove one.")
        if word != NONE:
            self._named(word)
        return replace(self, quorum=word)

    def _words(self) -> set[str]:
        return {each.word for each in self.witnesses} | {each.word for each in self.groups}

    def _unnamed(self, word: str) -> None:
        if word == NONE or word in self._words():
            raise NoPolicy(f"{word!r} is already in use; choose another name.")

    def _named(self, word: str) -> None:
        if word not in self._words():
            raise NoPolicy(f"{word!r} is not defined above; define it first.")


def _plain(line: str) -> None:
    if _CONTROL.search(line):
        raise NoPolicy("It has a control character; write spaces and tabs only.")


def _key(text: str, kind: Kind) -> Verifier:
    found = Verifier.read(text)
    if found.kind != kind:
        kinds = {Kind.NOTE: "signs notes", Kind.COSIGNATURE: "cosigns"}
        raise NoPolicy(
            f"{found.name} has a key that {kinds[found.kind]}; use the key that {kinds[kind]} "
            "(accord keygen prints both)."
        )
    return found
