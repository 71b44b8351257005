"""What the verifiable log costs, and how fast it is checked."""
