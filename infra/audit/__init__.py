"""What makes the record hold in a dispute: the verifiable log, signatures, and bundles of them."""
