"""How things are printed: for a person at a terminal, for a pipe, and as JSON."""
