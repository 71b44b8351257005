"""What leaves the house as proof: bundles, forks, and the verifiers that go with them."""
