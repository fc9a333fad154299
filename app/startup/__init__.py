"""What happens before the service listens: its sockets and its greeting."""
