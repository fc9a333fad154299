"""How the service ends: on SIGTERM, on a second one, and by kill -9."""
