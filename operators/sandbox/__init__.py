"""Work that users choose, in processes of its own under hard limits, and fair shares of it for each namespace."""
