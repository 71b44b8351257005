"""Where the history, what came of each input, and what was folded from it are kept."""
