"""Kafka: the topics, how messages are written and read, and the clients that carry them."""
