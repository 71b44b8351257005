"""Bytes and mathematics of the record: canonical JSON, hashes, proofs, signed notes. Pure."""
