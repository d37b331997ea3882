"""Propagation: free space, Okumura-Hata, extended Hata and Rec. ITU-R P.1546-6 as scalar kernels."""
