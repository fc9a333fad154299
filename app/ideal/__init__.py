"""The endpoints of /ideal."""
