# Variables that all targets of the deployment `lab` share. Put the variables of one target into config/lab.TARGET.tfvars.
# infra/common.tf and infra/TARGET/variables.tf describe them.

project = "streamdex"
region  = "us-east-1"

tags = {
  Owner = "search"
}
