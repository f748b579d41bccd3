"""What the machine and its file system offer: files, cores, memory, threads, signals. No picture in here."""
