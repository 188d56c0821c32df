"""Measurements of a layer: gradient norms by lag, Jacobian products, and the theory beside them."""
