"""One function for each thing a user can do; `suite` and the command `bench` call the same ones."""
