"""What all endpoints share: reading requests, writing responses, errors, middleware and the OpenAPI document."""
