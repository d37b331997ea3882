"""Commands on tables, configurations and results; no stage imports them."""
