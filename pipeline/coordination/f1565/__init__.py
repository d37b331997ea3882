"""Interference budgets of digital fixed links (Rec. ITU-R F.1565-1)."""
