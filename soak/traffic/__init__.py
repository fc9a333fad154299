"""Clients of a run: connections that are kept, the requests that are sent over them, and what came of each."""
