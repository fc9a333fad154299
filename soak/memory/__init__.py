"""The memory that the service takes while it works on large photos, beside what it may take."""
