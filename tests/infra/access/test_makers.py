"""Who makes which API key over HTTP: each maker with each key, asked of the real application.

`docs/access.md` has the table, which `tests.infra.access.test_matrix` writes.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest

from domain.values import instant
from infra.access import credentials
from infra.access.credentials import Grant
from infra.access.roles import Identity, Role, Scope, viewer
from projections.visibility import Viewer
from tests.infra.access import worlds
from tests.infra.access.worlds import ACTS_IN, FOREIGN, OWN, World

PARTY: Final = ACTS_IN[OWN]
DAY: Final = timedelta(days=1)
ENDS: Final = datetime.now(UTC).replace(microsecond=0) + DAY
"""When each key ends that is asked for, and the maker that is limited in time."""

MAKERS: Final[dict[str, Grant]] = {
    "operator": Grant(role=Role.OPERATOR, actor="ops"),
    "operator, limited": Grant(role=Role.OPERATOR, actor="ops", partnerships=frozenset({OWN})),
    "operator, `operate` alone": Grant(
        role=Role.OPERATOR, actor="ops", scopes=frozenset({Scope.OPERATE})
    ),
    "operator, until a day": Grant(role=Role.OPERATOR, actor="ops"),
    "party": Grant(role=Role.PARTY, party=PARTY, actor="maya"),
    "service": Grant(role=Role.SERVICE, party=PARTY, actor="crm"),
    "auditor": Grant(role=Role.AUDITOR, actor="ada", partnerships=frozenset({OWN})),
    "operations": Grant(role=Role.OPERATIONS, actor="pager"),
    "token": Grant(role=Role.PARTY, party=PARTY, actor="maya"),
}
"""The limited maker is for one partnership. A party and its machine belong to it."""

INVITATION: Final = "an invitation"
LATER: Final = "an operator, a day longer"

KEYS: Final[dict[str, dict[str, Any]]] = {
    "an operator": {"role": "operator"},
    "an operator of the partnership": {"role": "operator", "partnerships": [OWN]},
    "an operator of another one": {"role": "operator", "partnerships": [FOREIGN]},
    "an operator, `operate` alone": {"role": "operator", "scopes": ["operate"]},
    LATER: {"role": "operator", "expires_at": instant(ENDS + DAY)},
    "a party": {"role": "party", "party": PARTY},
    "a party in the partnership": {"role": "party", "party": PARTY, "partnerships": [OWN]},
    "a party that only sends": {"role": "party", "party": PARTY, "scopes": ["emit"]},
    "a service": {"role": "service", "party": PARTY},
    "an auditor of the partnership": {"role": "auditor", "partnerships": [OWN]},
    "an auditor of both": {"role": "auditor", "partnerships": [OWN, FOREIGN]},
    "an auditor of its candidates": {
        "role": "auditor",
        "partnerships": [OWN],
        "candidates": True,
    },
    "operations": {"role": "operations"},
    "operations of the partnership": {"role": "operations", "partnerships": [OWN]},
    INVITATION: {"party": "southwind"},
}


def body(name: str) -> dict[str, Any]:
    """Return what is asked for: a key that ends with the maker that is limited in time."""
    given = KEYS[name] | ({} if name == INVITATION else {"actor": "x"})
    return {"expires_at": instant(ENDS)} | given


def verdict(found: World, key: str, made: str) -> str:
    """Return what a maker gets if it asks for a key: allowed, on record, or refused."""
    before = found.accord.history.size()
    path = "/v1/invitations" if made == INVITATION else "/v1/keys"
    headers = {"Authorization": f"Bearer {key}"}
    status = found.client.post(path, json=body(made), headers=headers).status_code
    assert status in {200, 403, 422}
    if status != 200:
        return "refused"
    return "on record" if found.accord.history.size() > before else "allowed"


LIMITED_IN_TIME: Final = "operator, until a day"


def makers(found: World) -> dict[str, str]:
    """Return a key of each maker, by its name; for the person with a token, the token."""
    keys = {
        name: saved(found, grant, DAY if name == LIMITED_IN_TIME else None)[0]
        for name, grant in MAKERS.items()
    }
    token = found.keys["token"]
    assert token
    return keys | {"token": token}


def saved(found: World, grant: Grant, lasts: timedelta | None) -> tuple[str, str]:
    """Return a new key and its id, as the command line makes it."""
    now = ENDS - DAY
    ends = now + lasts if lasts else None
    made = credentials.create(found.accord.history.credentials, grant, now, ends)
    return made.key, made.credential.id


@cache
def verdicts() -> dict[str, dict[str, str]]:
    """Return what each maker gets, by the name of the key and of the maker."""
    with TemporaryDirectory() as folder, worlds.world(Path(folder)) as found:
        keys = makers(found)
        return {
            made: {maker: verdict(found, key, made) for maker, key in keys.items()} for made in KEYS
        }


def rows() -> Iterator[str]:
    """Yield the lines of the table."""
    yield f"| key | {' | '.join(MAKERS)} |"
    yield f"|{'---|' * (len(MAKERS) + 1)}"
    for made, cells in verdicts().items():
        yield f"| {made} | {' | '.join(cells.values())} |"


# --- tests -------------------------------------------------------------------------------------


def granted(made: str) -> Grant:
    """Return the grant of a key that is asked for."""
    asked = {name: each for name, each in KEYS[made].items() if name != "expires_at"}
    return Grant(**(asked | {"actor": "x"}))


def seen(grant: Grant) -> Viewer:
    return viewer(Identity(**dict(grant)))


def is_wider(one: Viewer, other: Viewer) -> bool:
    """Whether one sees something that the other does not."""
    flags = ("full", "candidates", "inputs", "alert_acts")
    if any(getattr(one, each) and not getattr(other, each) for each in flags):
        return True
    limits = other.partnerships
    return limits is not None and not (one.partnerships and one.partnerships <= limits)


def test_no_key_sees_more_than_its_maker_unless_the_parties_have_it_on_record() -> None:
    wider = [
        (maker, made)
        for made, cells in verdicts().items()
        for maker, cell in cells.items()
        if cell == "allowed" and made != INVITATION
        if is_wider(seen(granted(made)), seen(MAKERS[maker]))
    ]

    assert wider == []


def test_only_the_keys_of_a_party_are_on_record() -> None:
    assert {made for made, cells in verdicts().items() if "on record" in cells.values()} == {
        made for made, grant in KEYS.items() if grant.get("party") == PARTY
    }


def test_only_an_operator_makes_keys_and_the_limited_ones_not_all() -> None:
    refused = {
        maker: [made for made, cells in verdicts().items() if cells[maker] == "refused"]
        for maker in MAKERS
    }

    assert {maker for maker, keys in refused.items() if [*KEYS] == keys} == {
        "party",
        "service",
        "auditor",
        "operations",
        "token",
    }
    assert refused["operator"] == ["an auditor of its candidates"]
    assert set(refused["operator, limited"]) > {"a party in the partnership", INVITATION}
    assert refused[LIMITED_IN_TIME] == [LATER, "an auditor of its candidates", INVITATION]


@pytest.mark.parametrize("maker", [name for name in MAKERS if name.startswith("operator")])
def test_nobody_gets_by_rotation_the_secret_of_a_key_that_it_may_not_make(
    tmp_path: Path, maker: str
) -> None:
    with worlds.world(tmp_path) as found:
        headers = {"Authorization": f"Bearer {makers(found)[maker]}"}
        rotated = set[str]()
        for made in KEYS:
            if made in {INVITATION, LATER}:
                continue
            _, old = saved(found, granted(made), DAY / 2)
            answer = found.client.post(f"/v1/keys/{old}/rotate", json={}, headers=headers)
            if answer.status_code == 200:
                rotated.add(made)

    allowed = {made for made, cells in verdicts().items() if cells[maker] != "refused"}
    assert rotated
    assert rotated <= allowed
