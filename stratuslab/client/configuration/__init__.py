"""The settings of the clouds: the user's file, read into one ``Cloud`` a section."""
