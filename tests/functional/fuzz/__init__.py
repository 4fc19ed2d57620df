"""Generated answers of Azure's APIs, odd in any part, through the real collectors and the merge."""
