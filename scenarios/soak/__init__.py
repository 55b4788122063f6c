"""The soak: random plans of work and faults against the real nodes and broker in virtual time, watched by a ghost.

It stands in scenarios, the one floor that may know broker and agencies both; it plays no pack, so nothing of the
exercise engine is in it, and nothing outside the console imports it.
"""
