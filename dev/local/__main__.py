"""`python -m dev.local up|down|status`: production on this machine."""

import argparse
import sys

from dev.local import Missing, production
from dev.local.processes import DidNotStart


def main() -> int:
    """Run the action and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dev.local", description=__doc__)
    parser.add_argument("action", choices=["up", "down", "status"])
    action = parser.parse_args().action
    try:
        if action == "up":
            production.up()
        elif action == "down":
            production.down()
        else:
            return 0 if production.status() else 1
    except (Missing, DidNotStart) as error:
        sys.stderr.write(f"{error}\nStop the started parts: make down-local\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
