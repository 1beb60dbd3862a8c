"""Ours against what people use, in pairs on one machine. Ratios count, absolute times do not."""
