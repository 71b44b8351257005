"""What the way over Kafka costs: each process on its own, and all of them from end to end."""
