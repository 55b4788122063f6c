"""Planted bugs: a soak that stays green proves something only if it turns red for these."""
