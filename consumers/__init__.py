"""Thin processes on streams that hand what they read to infra and hold no rule."""
