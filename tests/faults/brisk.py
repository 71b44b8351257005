"""The command `accord` with a notary that signs several times a second, for tests under load."""

from consumers import notary
from consumers.command import main

if __name__ == "__main__":
    vars(notary)["INTERVAL"] = 0.2
    main()
