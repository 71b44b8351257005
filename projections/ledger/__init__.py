"""The ledger: facts of subjects, what they earn, and the lines that are posted for them."""
