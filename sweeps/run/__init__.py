"""One run of a sweep, from the prompt to the last line."""
