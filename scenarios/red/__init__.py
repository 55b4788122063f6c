"""The adversary of an exercise: what it tries, over which lines, and what it comes to know."""
