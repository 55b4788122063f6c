"""The world outside: links, clocks and later the simulated network."""
