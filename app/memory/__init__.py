"""How much memory the process may take, and who has reserved how much of it."""
