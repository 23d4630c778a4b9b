"""Records → one tidy frame → figures → pages."""
