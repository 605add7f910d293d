"""What a command does, as functions: train a model on a data folder, measure it, compare several."""
