"""Long runs against a service in a process of its own, which end with an error if it breaks one of its promises."""
