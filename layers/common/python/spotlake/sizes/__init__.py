"""Facts about sizes and regions: what a machine has, where a region is, and what a vCPU costs."""
