"""The writes that carry out actions, by the kind of object."""
