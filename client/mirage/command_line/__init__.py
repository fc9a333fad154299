"""The command `mirage`: what the client can do, from a terminal or a script."""
