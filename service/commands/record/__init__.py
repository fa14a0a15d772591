"""Record what a source gives."""
