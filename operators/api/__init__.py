"""Models of the custom resources, and the CRDs made from them."""
