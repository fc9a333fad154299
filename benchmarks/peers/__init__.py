"""Other ways to serve the same network, for benchmarks/classify_peers.py: each module is a server of its own."""
