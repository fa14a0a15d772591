"""`make build`: the layer and the code of a Lambda, the image, the package."""
