"""Build a new index, switch the alias to it, and roll back."""
