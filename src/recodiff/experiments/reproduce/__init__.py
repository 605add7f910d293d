"""Every table and figure of the paper as one command: experiments as data, one runner, ours beside the published figures."""
