"""What people see: the command line and the live view; the only room that configures logging."""
