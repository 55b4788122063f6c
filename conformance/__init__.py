"""The yardstick: requirements, vectors and, later, the live suite."""
