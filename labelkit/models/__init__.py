"""Networks and blocks, one file a subject. A segmentation network maps images (B, 3, H, W) to logits (B, C, H, W)."""
