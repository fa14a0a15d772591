"""`make deploy`: a target's variables from routes, settings and other targets, and Terraform with them."""
