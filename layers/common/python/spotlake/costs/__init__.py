"""What a run costs: prices of AWS, requests counted by process, and the sum."""
