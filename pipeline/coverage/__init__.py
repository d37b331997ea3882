"""Stage 5: fields, best server, nuisance and served pixels of each DTT channel."""
