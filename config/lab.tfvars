# What all targets of the deployment `lab` share; a target's own variables stand in config/lab.TARGET.tfvars.
# Which there are: infra/common.tf and infra/TARGET/variables.tf.

project = "streamdex"
region  = "us-east-1"

tags = {
  Owner = "search"
}
