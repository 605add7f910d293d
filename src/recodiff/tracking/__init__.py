"""Trackers of experiments that users already run: TensorBoard, MLflow and Weights & Biases behind one protocol."""
