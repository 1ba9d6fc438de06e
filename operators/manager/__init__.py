"""The manager: settings, composition of the controllers, and the life of the process."""
