"""From the body of a request to pictures and options."""
