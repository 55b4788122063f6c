"""The shapes that travel and the words for what goes wrong; imports nothing of ours."""
