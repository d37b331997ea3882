"""What white space is good for: links, rates and base stations on the permitted e.i.r.p. of a run."""
