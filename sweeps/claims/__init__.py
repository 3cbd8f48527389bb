"""The paper's claims, and how a results table is judged against them."""
