"""User input: an experiment file, a selection, options."""
