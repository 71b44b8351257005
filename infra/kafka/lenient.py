"""What is changed in kafka-python (3.0), so that one bad record does not stop a consumer.

- A header's name that is not UTF-8 is read with replacement characters. kafka-python refuses the
  whole batch, though brokers and other clients take such names.
- A partition whose records cannot be read is fetched again by the next poll. kafka-python would
  look for more records in the failed batch without end, inside that poll.
"""

from typing import Any

from kafka.consumer.fetcher import Fetcher
from kafka.record.default_records import DefaultRecordBatch

_read = DefaultRecordBatch._read_msg  # noqa: SLF001 - there is no other place to do it
_take = Fetcher.PartitionRecords.take


class _Text(bytes):
    """Bytes that are decoded with replacement characters."""

    def decode(self, encoding: str = "utf-8", errors: str = "replace") -> str:  # noqa: ARG002
        return super().decode(encoding, "replace")


class _Buffer(bytearray):
    """A buffer whose slices are `_Text`."""

    def __getitem__(self, place: Any) -> Any:  # noqa: ANN401 - an index or a slice
        found = super().__getitem__(place)
        return _Text(found) if isinstance(place, slice) else found


def _read_message(batch: Any) -> Any:  # noqa: ANN401 - the library has no types
    try:
        return _read(batch)
    except UnicodeDecodeError:
        batch._buffer = _Buffer(batch._buffer)  # noqa: SLF001 - as above
        return _read(batch)


def _take_records(records: Any, n: int | None = None) -> Any:  # noqa: ANN401 - as above
    try:
        return _take(records, n)
    except Exception:
        records.drain()
        raise


def apply() -> None:
    """Change the library, once."""
    DefaultRecordBatch._read_msg = _read_message  # noqa: SLF001 - as above
    Fetcher.PartitionRecords.take = _take_records
