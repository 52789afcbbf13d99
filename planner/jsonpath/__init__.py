"""SQL's paths through JSON values: ``parser`` reads a path's text, ``evaluation`` follows it through a value."""
