"""Documents made of what Cloche keeps. ``places`` says where a job finds its matter and leaves the document."""
