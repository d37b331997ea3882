"""Tables of configs/tables that several rooms read."""
