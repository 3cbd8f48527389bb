"""Train a pack of trials, without Ray."""
