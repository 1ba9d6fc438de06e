"""What a release is made of: image, wheel, sdist, chart, CRDs, bill of materials, checksums."""
