"""API keys: the file that lists them, which key a request has, quotas, and the delay of wrong keys. Knows no HTTP."""
