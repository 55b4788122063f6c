"""Evaluation: what the record of an exercise says about sharing, measured against the pack's ground truth; pure."""
