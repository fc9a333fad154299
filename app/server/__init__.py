"""The HTTP server: uvicorn with bounds on what a connection may cost, and a stop in steps that always ends."""
