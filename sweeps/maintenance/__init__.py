"""What is done to results later: verify, merge, clean."""
