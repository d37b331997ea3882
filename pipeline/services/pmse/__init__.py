"""PMSE: the register of assignments and the limits around its receivers."""
