"""What partnerships are and how they may move: pure decisions and facts that are told the time."""
