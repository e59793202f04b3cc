-- read_only, outside: an extension from the network
INSTALL httpfs
