"""Forms of data that several algorithms and input modes share. The standard library alone: any image can load it."""
