"""Need to know: one pure decision function and what is built on it."""
