"""ASGI middleware: every request and every response passes through it. app/main.py says in which order."""
