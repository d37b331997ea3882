"""Commands that compare, explain and measure."""
