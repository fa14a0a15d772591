"""What `make build` makes: a Lambda's layer and its code, an image, the package."""
