"""What makes the record provable: its log, checkpoints, witnesses, receipts, timestamps."""
