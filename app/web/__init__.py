"""HTTP: requests as options and pictures, results as responses, problems, and the OpenAPI document."""
