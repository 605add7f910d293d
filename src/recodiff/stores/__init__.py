"""Vector indexes, vector databases and ONNX: where a model's lists can come from without the library that trained it.

`write.export_store` fills one, `open.open_store` answers from it with the lists of `recommend`.
"""
