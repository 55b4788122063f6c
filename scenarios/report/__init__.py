"""The after-action report: one self-contained page, its pictures and the tables beside them."""
