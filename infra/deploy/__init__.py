"""`make deploy`: derive the variables of a target from routes, settings and other targets, and run Terraform."""
