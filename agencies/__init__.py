"""The agency node: keys, outbox, inbox, desk and bots."""
