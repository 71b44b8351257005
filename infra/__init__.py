"""Everything that touches the outside world, and the one place where it is put together."""
