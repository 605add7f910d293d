"""The machine and the process: device and seed, processes, memory, float32 products, whole files and folders, progress."""
