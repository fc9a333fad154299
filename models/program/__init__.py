"""Networks whose code is data: a graph of PyTorch's operators, checked against a list and run one after the other."""
