"""The diffusion itself: noise schedules, the Gaussian process, denoisers, codecs, losses and chains.

Nothing here knows of data files, models or training. In code the step
`t` is 0-based: `t = 0` is the paper's `t = 1`.
"""
