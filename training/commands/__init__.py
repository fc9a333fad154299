"""The command line: what is asked for in words, and what can go wrong in a person's terms."""
