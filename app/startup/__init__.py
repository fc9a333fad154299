"""What the process does when it starts: it opens its sockets and prints its address."""
