"""A version against its base on held-out rows, and the policy that judges it."""
