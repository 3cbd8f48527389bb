"""The paper's claims, and how a table answers them."""
