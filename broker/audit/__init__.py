"""The provable log of the router: what its leaves say, and when it signs a checkpoint."""
