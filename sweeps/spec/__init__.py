"""What a user asks for: an experiment file, a selection, options."""
