"""Records on disk: their schema, the store, which of them stand, and the machine they describe."""
