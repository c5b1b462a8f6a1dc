"""The API of a logged-in person's own numbers and devices."""
