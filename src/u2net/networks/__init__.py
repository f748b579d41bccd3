"""The networks in torch, U²-Net and IS-Net, and their weight files. Needs the extra `train`."""
