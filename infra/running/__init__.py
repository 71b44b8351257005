"""How long-running work starts, repeats, backs off, leads and stops."""
