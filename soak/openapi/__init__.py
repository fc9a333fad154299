"""Schemathesis: thousands of generated requests, each of whose responses must be as the OpenAPI document says."""
