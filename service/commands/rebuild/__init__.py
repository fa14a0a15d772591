"""Build a new index beside the live one, put it in place, and roll back."""
