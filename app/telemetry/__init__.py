"""What operators see of the service: what is noted of each request, log records, and traces. Knows no HTTP."""
