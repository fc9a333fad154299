"""The metrics of the service: what is counted while it works, and what is read from its parts at each scrape."""
