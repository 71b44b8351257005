"""Where the command `accord` starts."""

import gc


def main() -> None:
    """Run the command.

    Its modules are loaded without looking for garbage: nothing of them is any, and a command starts
    sooner without it.
    """
    gc.disable()
    from consumers.command import main as command

    gc.freeze()
    gc.enable()
    command()
