"""Pages and figures: HTML, SVG and Markdown."""
