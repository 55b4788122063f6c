"""Exercises: packs, clock, engine, ground truth, evaluation, after-action report."""
