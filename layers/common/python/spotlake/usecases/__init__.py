"""What the product does, one module a use case; each door (Lambda, Batch, local) calls these."""
