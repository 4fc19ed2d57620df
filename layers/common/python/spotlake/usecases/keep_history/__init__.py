"""KeepHistory: follows the chain of merged states, and writes what each slot changed."""
