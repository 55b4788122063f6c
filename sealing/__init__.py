"""Signing, sealing and opening; the only room that names nacl."""
