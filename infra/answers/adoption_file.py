"""The file of an adoption: an event with the attributes subject, party, actor and data alone.

Other attributes may be left out. `accord adopt` and its route read it, and
`accord schema ProposeAdoption` shows its fields.
"""

from codecs import BOM_UTF8
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import orjson

from domain.adoption import ProposeAdoption
from domain.values import instant
from infra.tlog import cloudevents

SOURCE: Final = "//adopt"
"""The source of an adoption whose file names none."""


def event_of(raw: bytes, moment: datetime) -> bytes:
    """Return the event that a file stands for: attributes that it leaves out are added.

    The `id` is a digest of the file and the moment. What is no JSON object is returned as it is, so
    that it is refused as any such event is.
    """
    text = raw.removeprefix(BOM_UTF8).strip()
    given = _object(text)
    if given is None:
        return raw
    at = instant(moment)
    usual = {
        "specversion": "1.0",
        "id": sha256(text + at.encode()).hexdigest()[:32],
        "source": SOURCE,
        "type": cloudevents.PREFIX + ProposeAdoption.__name__,
        "time": at,
    }
    added = {name: each for name, each in usual.items() if name not in given}
    if not added:
        return text
    # The rest stays as it was written, so that it is read as strictly as any event.
    return orjson.dumps(added)[:-1] + (b"," if given else b"") + text[1:]


def _object(text: bytes) -> Mapping[str, Any] | None:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
