"""The endpoints that look inside a network: /explain and /features."""
