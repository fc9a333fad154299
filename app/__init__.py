"""The web service: settings, HTTP endpoints, and the engine that runs their tasks on the network in batches."""
